"""A folder of recordings, read a stretch at a time."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kerascola.audio.read import SUFFIXES, duration, read
from kerascola.errors import AudioError, DataError


class Folder:
    """Every audio file below `root`, in order of path. Headers are read here, sound on demand.

    A file's label is the number in `classes` of the sub-folder that it is in, -1 for one that is in none.
    """

    def __init__(self, root: str | Path, sample_rate: int, unreadable: str = "fail") -> None:
        self.root, self.sample_rate, self.unreadable = Path(root), sample_rate, unreadable
        if not self.root.is_dir():
            raise DataError(f"{root}: no such folder. Expected a folder with audio files ({' '.join(SUFFIXES)})")
        found = sorted(p for p in self.root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not found:
            raise DataError(f"{root} holds no audio file. Expected files ending in {' '.join(SUFFIXES)}")
        with ThreadPoolExecutor() as threads:
            seconds = list(threads.map(seconds_or_error, found))
        broken = [str(s) for s in seconds if isinstance(s, AudioError)]
        if broken:
            self.report(broken, len(found))
        readable = [(p, s) for p, s in zip(found, seconds, strict=True) if not isinstance(s, AudioError)]
        if not readable:
            raise DataError(f"{root}: none of its {len(found)} audio files can be read")
        self.paths = [path for path, _ in readable]
        self.seconds = np.array([s for _, s in readable])
        names = [path.relative_to(self.root).parts[:-1] for path in self.paths]
        self.classes = tuple(sorted({name[0] for name in names if name}))
        self.labels = np.array([self.classes.index(name[0]) if name else -1 for name in names], np.int32)

    def __len__(self) -> int:
        return len(self.paths)

    def report(self, broken: list[str], total: int) -> None:
        listing = "\n".join(f"  {line}" for line in broken[:20]) + ("\n  ..." if len(broken) > 20 else "")
        message = f"{len(broken)} of {total} audio files in {self.root} cannot be read:\n{listing}"
        if self.unreadable == "fail":
            raise DataError(f"{message}\nMend or remove them, or go on without: --set data.unreadable=skip")
        warnings.warn(message, stacklevel=3)

    def stretch(self, index: int, seconds: float, where: float) -> np.ndarray:
        """Up to `seconds` of file `index`; `where` in [0, 1) places the stretch within a longer file."""
        start = where * max(0.0, float(self.seconds[index]) - seconds)
        return read(self.paths[index], self.sample_rate, start=start, seconds=seconds)


def seconds_or_error(path: Path) -> float | AudioError:
    try:
        return duration(path)
    except AudioError as error:
        return error
