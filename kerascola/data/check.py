"""What recordings are like, and what is wrong with them, before anything is trained on them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.audio.read import Header
from kerascola.data.manifest import TRAIN, Row, rows
from kerascola.data.shards import FORMAT, blocks, header
from kerascola.errors import AudioError, listing

SILENT = 1e-4  # a peak below -80 dB of full scale
FULL = 0.999  # of full scale: samples above are taken for cut off
CLIPPED = 1e-3  # share of samples


@dataclass(frozen=True)
class File:
    """What is found of a file: its header, and its level if it was decoded."""

    path: Path
    header: Header | None = None
    size: int = 0  # bytes
    error: str = ""
    cut: str = ""  # how it breaks off, if it does
    peak: float | None = None
    clipped: float = 0.0  # share of samples


@dataclass
class Report:
    source: str
    recordings: int = 0
    files: int = 0
    hours: float = 0.0
    seconds: list[float] = field(default_factory=list)  # of each recording
    rates: dict[int, int] = field(default_factory=dict)
    channels: dict[int, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)  # of each split, "" where there are none
    unlabelled: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)  # path: reason
    leaks: list[str] = field(default_factory=list)  # groups, and files, that are in training and in another split
    duplicates: list[list[str]] = field(default_factory=list)  # files of the same bytes
    cut: list[str] = field(default_factory=list)  # files that break off
    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    decoded: bool = False

    @property
    def fatal(self) -> bool:
        return bool(self.unreadable or self.leaks)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "fatal": self.fatal}


def check(
    data: str,
    label: str = "label",
    multi: bool = False,
    decode: bool = False,
    track: Callable[[Iterable, int], Iterable] = lambda things, total: things,
) -> Report:
    """Every header, and with `decode` every sample, in threads; `track` is shown the files as they are done."""
    listed = rows(data, label, multi)
    paths = sorted({row.path for row in listed})
    with ThreadPoolExecutor() as threads:
        found = list(track(threads.map(lambda path: examine(path, decode), paths), len(paths)))
        files = {file.path: file for file in found}
        same, gone = alike([file for file in found if not file.error], threads)
    report = Report(data, recordings=len(listed), files=len(paths), decoded=decode)
    report.unreadable = {str(file.path): file.error for file in found if file.error} | gone
    headers = [file.header for file in found if file.header]
    report.rates = dict(Counter(h.rate for h in headers).most_common())
    report.channels = dict(Counter(h.channels for h in headers).most_common())
    report.formats = dict(Counter(h.format for h in headers).most_common())
    for row in listed:
        length = seconds(row, files[row.path], report)
        report.seconds += [length] if length else []
    report.hours = sum(report.seconds) / 3600
    report.classes, report.unlabelled = balance(listed)
    report.duplicates = [[str(path) for path in group] for group in same]
    report.leaks = leaks(listed, same)
    report.cut = [file.cut for file in found if file.cut]
    report.silent = [str(file.path) for file in found if file.peak is not None and file.peak < SILENT]
    report.clipped = [str(file.path) for file in found if file.clipped > CLIPPED]
    return report


def examine(path: Path, decode: bool) -> File:
    try:
        known, cut, size = header(path), missing(path), path.stat().st_size
        if not decode:
            return File(path, known, size, cut=cut)
        peak, full, count = 0.0, 0, 0
        for block in blocks(path):
            loud = np.abs(block)
            peak, full, count = max(peak, float(loud.max())), full + int((loud >= FULL).sum()), count + len(block)
        if not count:
            raise AudioError(f"{path}: expected {known.seconds:.2f} s of sound as its header says, received none")
        if not cut and count / known.rate < known.seconds - 0.1:
            cut = f"{path}: {known.seconds:.2f} s by its header, {count / known.rate:.2f} s of sound"
        return File(path, known, size, cut=cut, peak=peak, clipped=full / max(count, 1))
    except AudioError as error:
        return File(path, error=str(error))
    except OSError as error:  # it went away in between
        return File(path, error=f"{path}: {error.strerror}")


def missing(path: Path) -> str:
    """What a RIFF file (wav) is short of: libsndfile goes by what there is."""
    with path.open("rb") as file:
        start = file.read(8)
    promised, there = int.from_bytes(start[4:], "little") + 8, path.stat().st_size
    if start[:4] != b"RIFF" or there >= promised or promised > 0xFFFFFFFF:  # a stream's, which promises nothing
        return ""
    return f"{path}: {promised} bytes by its header, {there} there"


def seconds(row: Row, file: File, report: Report) -> float | None:
    """Of the recording, which may be a part of the file."""
    if file.header is None:
        return None
    length = row.seconds_of(file.header.seconds)
    if length <= 0:
        report.unreadable[f"{row.path} from {row.start:g} s"] = f"the file ends at {file.header.seconds:g} s"
        return None
    return length


def alike(files: list[File], threads: ThreadPoolExecutor) -> tuple[list[list[Path]], dict[str, str]]:
    """Groups of files of the same bytes, for which only those of the same size are read; and those that went away."""
    sizes: dict[int, list[Path]] = defaultdict(list)
    for file in files:
        sizes[file.size].append(file.path)
    paths = [path for group in sizes.values() if len(group) > 1 for path in group]
    contents: dict[str, list[Path]] = defaultdict(list)
    gone: dict[str, str] = {}
    for path, content in zip(paths, threads.map(digest, paths), strict=True):
        if isinstance(content, OSError):
            gone[str(path)] = f"{path}: {content.strerror}"
        else:
            contents[content].append(path)
    return [group for group in contents.values() if len(group) > 1], gone


def digest(path: Path) -> str | OSError:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError as error:
        return error


def balance(listed: list[Row]) -> tuple[dict[str, dict[str, int]], int]:
    """How many recordings each class has in each split, the most frequent first; and how many have no label."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in listed:
        counts[row.split].update(row.labels)
    return {split: dict(of.most_common()) for split, of in counts.items() if of}, sum(not row.labels for row in listed)


def leaks(listed: list[Row], same: list[list[Path]]) -> list[str]:
    """What is in training and in another split: groups, and files or copies of them."""
    splits: dict[str, set[str]] = defaultdict(set)
    first = {str(path): str(group[0]) for group in same for path in group}
    for row in listed:
        if row.split:
            splits[f"the file {first.get(row.origin, row.origin)}"].add(row.split)
            if row.group:
                splits[f"the group {row.group}"].add(row.split)
    return [f"{what} is in {', '.join(sorted(of))}" for what, of in splits.items() if TRAIN in of and len(of) > 1]


def as_text(report: Report, most: int = 20) -> str:
    lengths = np.array(report.seconds or [0.0])
    lines = [
        f"{report.source}: {report.recordings} recordings in {report.files} files, {report.hours:.2f} hours",
        f"  seconds    {lengths.min():.2f} to {lengths.max():.2f}, half of them up to {np.median(lengths):.2f}",
        f"  rates      {counted(report.rates, ' Hz')}",
        f"  channels   {counted(report.channels)}",
        f"  formats    {counted(report.formats)}",
    ]
    for split, classes in report.classes.items():
        name = f" of {split}" if split else ""
        lines.append(f"  labels{name}: {len(classes)} classes, {counted(dict(list(classes.items())[:most]))}")
    if report.classes and report.unlabelled:
        lines.append(f"  unlabelled {report.unlabelled}")
    if FORMAT in report.formats:
        lines.append("  a pack: copies, silence and clipping are seen of whole shards; check the recordings, too")
    if not report.decoded:
        lines.append("  silence, clipping and damage inside of files are found by --decode")
    parts = [
        ("fatal: cannot be read", [reason for _, reason in sorted(report.unreadable.items())]),
        ("fatal: tested on what was trained on", report.leaks),
        ("of the same content", [" = ".join(group) for group in report.duplicates]),
        ("breaks off", report.cut),
        ("silent", report.silent),
        ("clipped", report.clipped),
    ]
    for title, found in parts:
        if found:
            lines += [f"{title}: {len(found)}", listing(found, most)]
    return "\n".join([*lines, "not fit to train on" if report.fatal else "fit to train on"])


def counted(numbers: dict, unit: str = "") -> str:
    return ", ".join(f"{name}{unit} ({count})" for name, count in numbers.items()) or "none"
