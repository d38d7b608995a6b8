"""The sound files below a folder, or that a pattern names."""

import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from kerascola.audio.read import SUFFIXES


def sounds(folder: Path) -> list[Path]:
    """In order of path. A folder that cannot be looked into is among them: whoever reads it is told why."""
    return list(map(Path, sound_names(folder)))


def sound_names(folder: Path) -> list[str]:
    """What `sounds` gives, where there may be millions: a Path takes four times the memory of its name."""
    found: list[str] = []
    for place, files in walk(folder):
        found += [str(place)] if files is None else filter(is_sound, files)
    return in_order_of_path(found)


def matching(pattern: str) -> list[Path]:
    """What glob finds, in order of path, but not in circles: by `**` it goes as `sounds` does."""
    return list(map(Path, matching_names(pattern)))


def matching_names(pattern: str) -> list[str]:
    """What `matching` gives, where there may be millions."""
    parts = Path(pattern).parts
    if "**" not in parts:
        return in_order_of_path(str(path) for path in map(Path, glob.iglob(pattern)) if not leads_up(path))
    at = parts.index("**")
    roots = [Path(name) for name in glob.glob(str(Path(*parts[:at]))) if os.path.isdir(name)]
    found: set[str] = set()
    for folder, files in walk(*roots, hidden=False):
        below = Path(glob.escape(str(folder)), *(parts[at + 1 :] or "*"))
        found.update([str(folder)] if files is None else matching_names(str(below)))
    return in_order_of_path(found)


def in_order_of_path(names: Iterable[str]) -> list[str]:
    """Part by part, as paths are compared."""
    return sorted(names, key=lambda name: name.replace(os.sep, "\0"))


def is_sound(path: str | Path) -> bool:
    """By its name. What is no file, such as a folder or a pipe, is none, but a link that leads nowhere is."""
    return os.path.splitext(path)[1].lower() in SUFFIXES and (os.path.isfile(path) or not os.path.exists(path))


def is_closed(path: Path) -> bool:
    """A folder that cannot be looked into."""
    return os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK)


def leads_up(path: Path) -> bool:
    """A link to a folder that it is in."""
    return path.is_symlink() and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(path))


def walk(*roots: Path, hidden: bool = True) -> Iterator[tuple[Path, list[str] | None]]:
    """Each folder with what else is in it, or None where that cannot be seen.

    Links are followed, except up to where they are in. A folder that can be got to by several ways comes once, by one
    without links if there is one.
    """
    seen: set[Path] = set()
    plain, links = deque((root, Path(os.path.realpath(root))) for root in roots), deque[tuple[Path, Path]]()
    while plain or links:
        folder, real = (plain or links).popleft()
        if real in seen:
            continue
        seen.add(real)
        files: list[str] = []
        begin = str(folder / "x")[:-1]  # of its files' paths
        try:
            with os.scandir(folder) as entries:
                inside = sorted((e.name, e.is_dir(follow_symlinks=False), e.is_symlink()) for e in entries)
        except OSError:
            yield folder, None
            continue
        for name, is_folder, is_link in inside:
            path = begin + name
            if name.startswith(".") and not hidden:
                continue
            if is_folder:
                plain.append((folder / name, real / name))
            elif not (is_link and os.path.isdir(path)):
                files.append(path)
            elif not leads_up(Path(path)):
                links.append((Path(path), Path(os.path.realpath(path))))
        yield folder, files
