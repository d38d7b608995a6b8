"""What is known of recordings before any is opened: from a folder, a list of them, or a pattern."""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

from kerascola.audio.folder import is_closed, is_sound, matching, sounds
from kerascola.audio.read import SUFFIXES
from kerascola.errors import DataError, listing, nearest

SEPARATOR = ";"  # of several labels in a cell of a CSV
TRAIN = "train"  # the split that is trained on
PACKED = "packed.jsonl"  # the list in a folder of packed recordings (pack.py)
ABOUT_PACK = "pack.json"
PACKED_FROM = "packed_from"  # its column of the files that they were in
HUBS = ("hf:", "tfds:")  # data sets of other libraries, which become a list


@dataclass(frozen=True)
class Row:
    path: Path
    labels: tuple[str, ...] = ()  # none where it is unlabelled
    split: str = ""
    group: str = ""
    fold: str = ""
    start: float = 0.0  # seconds
    end: float | None = None  # None: where the file ends
    packed_from: str = ""  # the file that it was in before it was packed

    @property
    def origin(self) -> str:
        """The file that it is of, whether packed or not."""
        return self.packed_from or str(self.path)

    def seconds_of(self, length: float) -> float:
        """Of a file of that length; not above 0 where it would begin behind the file's end."""
        return (length if self.end is None else min(length, self.end)) - self.start


def rows(
    data: str | Path, label: str = "label", multi: bool = False, *, group: str = "group", fold: str = "fold"
) -> list[Row]:
    """Of a folder, the label is the sub-folder that a file is in; of a list, what the columns of these names say."""
    named = {"label": label, "group": group, "fold": fold}
    path = Path(data)
    if file := list_in(path):
        found = list(listed(file, named, multi))
    elif (path / ABOUT_PACK).is_file():
        raise DataError(f"{data}: packing is not finished. Go on with: kerascola data pack ... --to {data}")
    elif path.is_dir():
        found = below(path)
    elif has_magic(str(data)):
        found = [Row(file) for file in matching(str(data)) if is_sound(file) or is_closed(file)]
    elif str(data).startswith(HUBS):
        raise DataError(
            f"{data} is not on this disk yet: kerascola data fetch {data}, and give the list that it writes"
        )
    else:
        what = f"expected a folder, a pattern such as 'sounds/*.wav', or a list ({', '.join(KINDS)})"
        raise DataError(f"{data}: {'this is a file' if path.is_file() else 'no such folder or file'}: {what}")
    if not found:
        raise DataError(f"{data} holds no audio file. Expected files ending in {' '.join(SUFFIXES)}")
    return found


def list_in(path: Path) -> Path | None:
    """The list that it is, or that a folder of packed recordings holds."""
    file = path / PACKED if path.is_dir() else path
    return file if file.suffix in KINDS and file.is_file() else None


def columns(data: str | Path, found: list[Row]) -> list[dict[str, Any]]:
    """All that is said of each row that was found: of a list, every column."""
    path = Path(data)
    if path.is_file():
        return [record for _, record in KINDS[path.suffix](path)]
    return [{"label": row.labels[0]} if row.labels else {} for row in found]


def below(folder: Path) -> list[Row]:
    return [Row(path, tuple(map(readable, path.relative_to(folder).parts[:-1][:1]))) for path in sounds(folder)]


def readable(name: str) -> str:
    """A folder's name as a label; where it is not UTF-8, which no file of a model could hold, with escapes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def listed(file: Path, named: dict[str, str], multi: bool) -> Iterator[Row]:
    """Paths are relative to the list's own folder. All that is wrong with it is said at once, at its end."""
    count, wrong = 0, []
    columns: dict[str, None] = {}
    for number, record in KINDS[file.suffix](file):
        if isinstance(record, str):
            wrong.append(f"line {number}: {record}")
            continue
        columns |= dict.fromkeys(record)
        try:
            found = row(record, file.parent, named, multi)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
            continue
        count += 1
        yield found
    for what, name in named.items():
        if name != what and columns and name not in columns:
            raise DataError(f"{file} has no column {name!r}{nearest(name, list(columns))} It has {', '.join(columns)}")
    if wrong:
        of_all = f"{len(wrong)} of {count + len(wrong)}"
        raise DataError(f"{file}: {of_all} rows are not as they must be:\n{listing(wrong)}")


def table(file: Path) -> Iterator[tuple[int, Any]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, strict=True, skipinitialspace=True)
        try:
            reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            for record in reader:
                extra = None in record or None in record.values()
                yield reader.line_num, "it has another number of cells than the first line" if extra else record
        except (csv.Error, UnicodeDecodeError) as error:
            yield reader.line_num + 1, f"not CSV in UTF-8: {error}"


def json_lines(file: Path) -> Iterator[tuple[int, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(map(bytes.strip, lines), 1):
            if not line:
                continue
            try:
                record = json.loads(line)
                yield number, record if isinstance(record, dict) else f"expected an object, received {line[:40]!r}"
            except ValueError as error:
                yield number, f"not JSON: {error}"


def parquet(file: Path) -> Iterator[tuple[int, Any]]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as table:
            batches = table.iter_batches()
            yield from enumerate((record for batch in batches for record in batch.to_pylist()), 1)
    except ArrowInvalid as error:
        yield 1, f"not Parquet: {error}"


KINDS = {".csv": table, ".jsonl": json_lines, ".parquet": parquet}


def row(record: dict[str, Any], folder: Path, named: dict[str, str], multi: bool) -> Row:
    if not record.get("path"):
        raise ValueError(f"expected a path, received {dict(record)}")
    start, end = seconds(record, "start") or 0.0, seconds(record, "end")
    if end is not None and end <= start:
        raise ValueError(f"expected start < end, received {start:g} and {end:g}")
    names = {"split": "split", "group": named["group"], "fold": named["fold"], PACKED_FROM: PACKED_FROM}
    texts = {what: "" if nothing(record.get(name)) else str(record[name]).strip() for what, name in names.items()}
    labels = labels_in(record.get(named["label"]), multi)
    return Row(folder / str(record["path"]), labels, **texts, start=start, end=end)


def labels_in(value: Any, multi: bool) -> tuple[str, ...]:
    if nothing(value):
        return ()
    several: Iterable = value if isinstance(value, list) else str(value).split(SEPARATOR) if multi else [value]
    if isinstance(value, list) and not multi:
        raise ValueError(f"expected one label, received {value}. Where there may be several: data.multi_label=true")
    return tuple(text for one in several if (text := str(one).strip()))


def nothing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def seconds(record: dict[str, Any], name: str) -> float | None:
    value: Any = record.get(name)
    if nothing(value):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"expected {name} in seconds from 0, received {value!r}")
    return number
