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
from kerascola.data.manifest import list_in, listed
from kerascola.errors import AudioError

NAMED = {"label": "label", "group": "group", "fold": "fold"}  # columns of a list, of which none is looked at


class Part(NamedTuple):
    path: str
    start: float = 0.0  # seconds
    end: float | None = None  # None: where the file ends


class Inputs:
    """A sequence of parts, at little more than the memory of their paths."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self.paths: list[str] = []
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

    def digest(self) -> str:
        """Changes with the paths and with the parts of them."""
        found = hashlib.blake2b(digest_size=16)
        for part in map(self.__getitem__, range(len(self))):
            found.update(f"{part!r}\n".encode())
        return found.hexdigest()


def inputs(names: Sequence[str]) -> Inputs:
    """Each file once, and each row of a list that says a part of one. A named file is taken as it is, a folder gives
    the files with a suffix of sound."""
    found, whole = Inputs(), set()
    for name in names:
        nothing = True
        for part in parts_of(name):
            nothing = False
            if part == Part(part.path):
                if part.path in whole:
                    continue
                whole.add(part.path)
            found.append(part)
        if nothing:
            kind = "folder" if os.path.isdir(name) else "list"
            what = "a pattern that matches none" if is_pattern(name) else f"a {kind} that holds none"
            raise AudioError(f"{name}: expected audio files, received {what}. Check the path")
    return found


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
