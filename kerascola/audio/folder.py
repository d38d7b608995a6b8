"""The sound files below a folder, or that a pattern names."""

import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from typing import Literal

from kerascola.audio.names import Names
from kerascola.audio.read import SUFFIXES

RUN = 50_000  # names that are sorted at a time


def sounds(folder: Path) -> list[Path]:
    """In order of path. A folder that cannot be looked into is among them: whoever reads it is told why."""
    return list(map(Path, sound_names(folder)))


def sound_names(folder: Path) -> Iterator[str]:
    """What `sounds` gives, where there may be millions."""
    return in_order_of_path(
        path for path, kind in walk(folder) if kind == "closed" or (kind == "file" and is_sound(path))
    )


def matching(pattern: str) -> list[Path]:
    """What glob finds, in order of path, but not in circles: by `**` it goes as `sounds` does."""
    return list(map(Path, matching_names(pattern)))


def matching_names(pattern: str) -> Iterator[str]:
    """What `matching` gives, where there may be millions."""
    return in_order_of_path(matches(pattern))


def matches(pattern: str) -> Iterator[str]:
    """In any order, and some more than once."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from (str(path) for path in map(Path, glob.iglob(pattern)) if not leads_up(path))
        return
    at = parts.index("**")
    roots = [Path(name) for name in glob.glob(str(Path(*parts[:at]))) if os.path.isdir(name)]
    for path, kind in walk(*roots, hidden=False):
        if kind == "folder":
            yield from matches(str(Path(glob.escape(path), *(parts[at + 1 :] or "*"))))
        elif kind == "closed":
            yield path


def in_order_of_path(names: Iterable[str]) -> Iterator[str]:
    """Part by part, as paths are compared, and each once. What is sorted at a time is packed till all are known."""
    left, runs = iter(names), list[Names]()
    while run := sorted(islice(left, RUN), key=in_parts):
        runs.append(Names(run))
    return (name for name, _ in groupby(merge(*runs, key=in_parts)))


def in_parts(name: str) -> str:
    return name.replace(os.sep, "\0")


def is_sound(path: str | Path) -> bool:
    """By its name. What is no file, such as a folder or a pipe, is none, but a link that leads nowhere is."""
    return os.path.splitext(path)[1].lower() in SUFFIXES and (os.path.isfile(path) or not os.path.exists(path))


def is_closed(path: Path) -> bool:
    """A folder that cannot be looked into."""
    return os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK)


def leads_up(path: Path) -> bool:
    """A link to a folder that it is in."""
    return path.is_symlink() and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(path))


def walk(*roots: Path, hidden: bool = True) -> Iterator[tuple[str, Literal["folder", "file", "closed"]]]:
    """All that is below the roots, and they themselves. What is "closed" is a folder that cannot be looked into.

    Links are followed, except up to where they are in. A folder that can be got to by several ways comes once, by one
    without links if there is one.
    """
    seen: set[str] = set()
    plain, links = [(str(root), os.path.realpath(root)) for root in reversed(roots)], deque[tuple[str, str]]()
    while plain or links:
        folder, real = plain.pop() if plain else links.popleft()
        if real in seen:
            continue
        seen.add(real)
        begin, linked = str(Path(folder, "x"))[:-1], list[str]()
        try:
            with os.scandir(folder) as entries:
                yield folder, "folder"
                for entry in entries:
                    path = begin + entry.name
                    if entry.name.startswith(".") and not hidden:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        plain.append((path, os.path.join(real, entry.name)))
                    elif entry.is_symlink() and os.path.isdir(path):
                        linked.append(path)
                    else:
                        yield path, "file"
        except OSError:
            yield folder, "closed"
        links.extend((path, os.path.realpath(path)) for path in sorted(linked) if not leads_up(Path(path)))
