"""What a zoo says of each checkpoint: one typed record, in the index.json of the zoo."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kerascola.errors import ZooError
from kerascola.runtime.typed import parsed, read_json, wrong

FORMAT = 1
MOST_BYTES = 1 << 26  # of an index
KINDS = ("keras", "onnx")  # of a checkpoint's files, each NAME.KIND
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+")  # arch.tag; it is a file's name, too
DIGEST = re.compile(r"[0-9a-f]{64}")
RECIPE_FILES = ("yaml", "yml")


@dataclass(frozen=True)
class File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Metric:
    """A figure of a probe, beside that of the same network at random weights."""

    protocol: str  # on what, and how
    metric: str
    value: float
    interval: tuple[float, float]  # 95 % of draws of the tested clips
    random: float | None = None  # mean over seeds
    spread: float | None = None  # of the seeds: standard deviation
    seeds: int = 0


@dataclass(frozen=True)
class Golden:
    """What the checkpoint makes of a sound that anyone can compute."""

    sound: str  # its formula
    samples: int
    embedding: tuple[float, ...]
    tolerance: Mapping[str, float]  # largest difference of a number, by the kind of file


@dataclass(frozen=True)
class Trial:
    """A line of the log of what was tried on the way."""

    tried: str
    gave: str
    cost: str


@dataclass(frozen=True)
class Record:
    name: str
    summary: str
    recipe: str
    encoder: str
    frontend: Mapping[str, Any]
    sample_rate: int
    window_samples: int
    min_samples: int
    dimension: int
    parameters: int
    licence: str
    data: str  # what it was trained on
    hours: float  # of it
    backend: str  # that it was trained on
    command: str
    versions: Mapping[str, str]
    files: Mapping[str, File]  # by kind
    metrics: tuple[Metric, ...]
    parity: Mapping[str, float]  # differences measured while shipping
    golden: Golden
    limits: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()


@dataclass(frozen=True)
class Index:
    format: int
    records: tuple[Record, ...]
    address: str = ""  # of the folder where files are that do not lie beside the index


def read_index(text: str | bytes, source: str) -> Index:
    """Raises one ZooError: file, record, field, expected, received."""
    try:
        tree = read_json(text, MOST_BYTES)
    except ValueError as error:
        raise ZooError(f"{source}: expected the index of a zoo, which is JSON, received: {error}") from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        found = tree.get("format") if isinstance(tree, dict) else tree
        raise ZooError(f"{wrong(f'{source}: format', str(FORMAT), found)}. Another version of kerascola may read it")
    for number, one in enumerate(tree["records"] if isinstance(tree.get("records"), list) else ()):
        name = one.get("name") if isinstance(one, dict) else None
        check(parsed(Record, one, f"{source}: {name or f'record {number}'}"), source)  # told by its name
    index = parsed(Index, tree, source)
    names = [record.name for record in index.records]
    if doubled := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ZooError(f"{source}: expected a record for each name, received two of {doubled[0]}")
    return index


def check(record: Record, source: str) -> None:
    place = f"{source}: {record.name}"
    if not is_name(record.name):
        raise wrong(f"{source}: name", "arch.tag in small letters, digits, - and _, no file's suffix", record.name)
    for key in ("sample_rate", "window_samples", "min_samples", "dimension", "parameters"):
        if getattr(record, key) < 1:
            raise wrong(f"{place}.{key}", "a whole number from 1", getattr(record, key))
    if sorted(record.files) != sorted(KINDS):
        raise wrong(f"{place}.files", " and ".join(KINDS), ", ".join(record.files))
    for kind, file in record.files.items():
        if not DIGEST.fullmatch(file.sha256):
            raise wrong(f"{place}.files.{kind}.sha256", "64 hexadecimal digits in small letters", file.sha256)
    if len(record.golden.embedding) != record.dimension:
        raise wrong(f"{place}.golden.embedding", f"{record.dimension} numbers", len(record.golden.embedding))
    tolerance = record.golden.tolerance
    if sorted(tolerance) != sorted(KINDS) or min(tolerance.values()) <= 0:
        raise wrong(f"{place}.golden.tolerance", f"a number above 0 for {' and '.join(KINDS)}", tolerance)


def is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text)) and text.rpartition(".")[2] not in (*KINDS, *RECIPE_FILES)


def write_index(records: Sequence[Record], address: str = "") -> str:
    """Sorted by name; lists of numbers in a line each."""
    told = [asdict(record) for record in sorted(records, key=lambda record: record.name)]
    text = json.dumps({"format": FORMAT, "address": address, "records": told}, indent=1, ensure_ascii=False)
    return re.sub(r"\[\n[^\[\]{}\"]*\n *\]", lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"
