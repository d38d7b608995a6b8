"""Recordings, read a stretch at a time."""

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kerascola.audio.read import Header
from kerascola.data import shards
from kerascola.data.manifest import Row, rows
from kerascola.errors import AudioError, DataError, listing, nearest

FAIL, SKIP = "fail", "skip"  # on a bad file
Track = Callable[[Iterable, int, str], Iterable]  # shown things as they are done, their number and what they are


def untracked(things: Iterable, total: int, unit: str) -> Iterable:
    return things


class Recordings:
    """What a folder, a list or a pattern names, in its order. Headers are read here, sound on demand.

    `labels` are int32 numbers in `classes`, -1 where there is none; for `multi` float32 [n, classes] of 0 and 1, of -1
    all along a row without any. `splits`, `groups` and `folds` are what a list says of each, or ""; `rates` are the
    files'.
    """

    def __init__(
        self,
        data: str | Path,
        sample_rate: int,
        on_bad_file: str = FAIL,
        *,
        label: str = "label",
        group: str = "group",
        fold: str = "fold",
        multi: bool = False,
        classes: Sequence[str] | None = None,
    ) -> None:
        """`classes` are those that labels must be of; None: those that are found, in order of name."""
        self.source, self.sample_rate, self.on_bad_file = str(data), sample_rate, on_bad_file
        self.skipped: set[str] = set()
        found = rows(data, label, multi, group=group, fold=fold)
        known = headers(found, self.source, on_bad_file)
        kept = [(row, header) for row, header in zip(found, known, strict=True) if not isinstance(header, AudioError)]
        self.paths = np.array([row.path for row, _ in kept], object)
        self.check_rate()
        self.starts = np.array([row.start for row, _ in kept])
        self.seconds = np.array([header.seconds for _, header in kept])
        self.rates = np.array([header.rate for _, header in kept])
        self.splits = np.array([row.split for row, _ in kept])
        self.groups = np.array([row.group for row, _ in kept])
        self.folds = np.array([row.fold for row, _ in kept])
        self.origins = np.array([row.origin for row, _ in kept], object)
        names = {name for row, _ in kept for name in row.labels}
        self.classes = tuple(sorted(names) if classes is None else classes)
        self.check_classes(names)
        self.labels = (several if multi else single)([row.labels for row, _ in kept], self.classes)

    def __len__(self) -> int:
        return len(self.paths)

    def check_classes(self, names: set[str]) -> None:
        strange = sorted(names - set(self.classes))
        if strange:
            raise DataError(
                f"{self.source} has labels that training had not: {', '.join(strange[:10])}"
                f"{nearest(strange[0], list(self.classes))} Expected {', '.join(self.classes[:10])}"
            )

    def check_rate(self) -> None:
        for path in {path for path in self.paths if path.suffix == shards.SUFFIX}:
            shards.opened(path, self.sample_rate)  # which refuses another rate

    def at(self, sample_rate: int) -> "Recordings":
        """The same at another rate."""
        other = copy.copy(self)
        other.sample_rate = sample_rate
        other.check_rate()
        return other

    def where(self, chosen: np.ndarray) -> "Recordings":
        """Those that are `chosen`, by a mask or by numbers."""
        part = copy.copy(self)
        for name in ("paths", "starts", "seconds", "rates", "splits", "groups", "folds", "origins", "labels"):
            setattr(part, name, getattr(self, name)[chosen])
        return part

    def skip(self, reason: str) -> None:
        """Leaves out what turned out to be unreadable: it is named once."""
        if reason not in self.skipped:
            self.skipped.add(reason)
            warnings.warn(f"left out, number {len(self.skipped)}: {reason}", stacklevel=3)

    def stretch(self, index: int, seconds: float, where: float) -> np.ndarray:
        """Up to `seconds` of number `index`; `where` in [0, 1) places the stretch within a longer one."""
        length = float(self.seconds[index])
        start = float(self.starts[index]) + where * max(0.0, length - seconds)
        return shards.read(self.paths[index], self.sample_rate, start=start, seconds=min(seconds, length))

    def whole(self, index: int) -> np.ndarray:
        return self.stretch(index, float(self.seconds[index]), 0.0)


def single(labels: Sequence[tuple[str, ...]], classes: Sequence[str]) -> np.ndarray:
    number = {name: place for place, name in enumerate(classes)}
    return np.array([number[names[0]] if names else -1 for names in labels], np.int32)


def several(labels: Sequence[tuple[str, ...]], classes: Sequence[str]) -> np.ndarray:
    return np.array([[float(c in names) if names else -1.0 for c in classes] for names in labels], np.float32)


def headers(found: list[Row], source: str, on_bad_file: str, track: Track = untracked) -> list[Header | AudioError]:
    """Of each, with its own length, or what is wrong with it: that fails, or is said once of all of them."""
    with ThreadPoolExecutor() as threads:
        known = list(track(threads.map(header_or_error, found), len(found), "headers"))
    broken = [str(error) for error in known if isinstance(error, AudioError)]
    if len(broken) == len(found):
        raise DataError(f"{source}: none of its {len(found)} audio files can be read:\n{listing(broken)}")
    if broken:
        message = f"{len(broken)} of {len(found)} audio files in {source} cannot be read:\n{listing(broken)}"
        if on_bad_file == FAIL:
            raise DataError(f"{message}\nMend or remove them, or go on without: --on-bad-file skip")
        warnings.warn(message, stacklevel=3)
    return known


def header_or_error(row: Row) -> Header | AudioError:
    """With the length of the part that the row is of."""
    try:
        header = shards.header(row.path)
        length = row.seconds_of(header.seconds)
        if length <= 0:
            end = header.seconds
            raise AudioError(f"{row.path}: expected a start before its end at {end:g} s, received {row.start:g}")
        return header._replace(seconds=length)
    except AudioError as error:
        return error
