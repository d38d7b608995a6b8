"""Sounds by the million, to be embedded: files, and parts of files."""

import hashlib
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from glob import has_magic
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerascola.audio.folder import matching_names, sound_names
from kerascola.audio.names import Names
from kerascola.data.manifest import list_in, listed
from kerascola.errors import AudioError

NAMED = {"label": "label", "group": "group", "fold": "fold"}  # columns of a list, of which none is looked at


class Part(NamedTuple):
    path: str
    start: float = 0.0  # seconds
    end: float | None = None  # None: where the file ends


class Inputs:
    """A sequence of parts, each in the memory of four numbers and what its path differs by from the one before."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self.paths = Names()
        self.starts, self.ends = array("d"), array("d")
        for part in parts:
            self.append(part)

    def append(self, part: Part) -> None:
        self.paths.append(part.path)
        self.starts.append(part.start)
        self.ends.append(inf if part.end is None else part.end)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Part:
        end = self.ends[number]
        return Part(self.paths[number], self.starts[number], None if end == inf else end)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Of their files in bytes, 0 where there is none."""
        return np.fromiter(map(size, self.paths), np.float64, len(self))

    def __iter__(self) -> Iterator[Part]:
        return map(self.__getitem__, range(len(self)))

    def digest(self) -> str:
        """Changes with the paths and with the parts of them."""
        found = hashlib.blake2b(digest_size=16)
        for part in self:
            found.update(f"{part!r}\n".encode())
        return found.hexdigest()


def inputs(names: Sequence[str]) -> Inputs:
    """Each file once, and each row of a list that says a part of one. A named file is taken as it is, a folder gives
    the files with a suffix of sound. What is named and not there is a slip, which a table of it would only keep."""
    found = Inputs()
    for name in names:
        if not is_pattern(name) and not os.path.lexists(name):
            raise AudioError(
                f"{name}: no such file or folder. Expected audio files, folders, patterns or lists: check the path"
            )
        before = len(found)
        for part in parts_of(name):
            found.append(part)
        if len(found) == before:
            kind = "folder" if os.path.isdir(name) else "list"
            what = "a pattern that matches none" if is_pattern(name) else f"a {kind} that holds none"
            raise AudioError(f"{name}: expected audio files, received {what}. Check the path")
    return each_once(found)


def each_once(parts: Inputs) -> Inputs:
    """Without what is a whole file again."""
    marks = np.fromiter((hash(part.path) if part == Part(part.path) else 0 for part in parts), np.int64, len(parts))
    ordered = np.sort(marks[marks != 0])
    again = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not again:
        return parts
    left, seen = Inputs(), set()
    for mark, part in zip(marks.tolist(), parts, strict=True):
        if mark in again and part == Part(part.path):
            if part.path in seen:
                continue
            seen.add(part.path)
        left.append(part)
    return left


def parts_of(name: str) -> Iterator[Part]:
    for match in matching_names(name) if is_pattern(name) else [name]:
        if file := list_in(Path(match)):
            yield from (Part(str(row.path), row.start, row.end) for row in listed(file, NAMED, multi=True))
        elif os.path.isdir(match):
            yield from map(Part, sound_names(Path(match)))
        else:
            yield Part(match)


def is_pattern(name: str) -> bool:
    return has_magic(name) and not os.path.exists(name)


def size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # what is wrong is said when it is read
        return 0
