"""Files that are whole or not there, and what tells one state of them from another."""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from kerascola.errors import DataError


def write_whole(path: Path, content: bytes) -> None:
    """Also where the disk is full, or the process killed: what was there before stays."""
    try:
        partial(path).write_bytes(content)
        os.replace(partial(path), path)
    except OSError as error:
        partial(path).unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def partial(path: Path) -> Path:
    """What becomes of `path` once it is complete."""
    return path.with_name(f".partial-{path.name}")


def content(parts: Iterable[tuple[Path, float, float | None]]) -> str:
    """Changes with the files, their sizes and dates, and with the parts of them: start and end."""
    digest = hashlib.blake2b(digest_size=16)
    for path, start, end in parts:
        status = path.stat()
        known = os.path.realpath(path), status.st_size, status.st_mtime_ns, start, end
        digest.update(repr(known).encode())
    return digest.hexdigest()


def strange_in(folder: Path, ours: Iterable[str]) -> list[str]:
    """What else a folder holds, which would be lost if it were replaced. `ours` are patterns of paths in it."""
    patterns = [pattern.split("/") for pattern in ours]
    found = []
    for place, folders, files in os.walk(folder, onerror=refused):
        for name in [*files, *(each for each in folders if os.path.islink(os.path.join(place, each)))]:
            path = Path(place, name).relative_to(folder)
            if not any(len(path.parts) == len(p) and all(map(fnmatchcase, path.parts, p)) for p in patterns):
                found.append(path.as_posix())
    return sorted(found)


def refused(error: OSError) -> None:
    raise error


@contextmanager
def becoming(path: Path, before: Path) -> Iterator[BinaryIO]:
    """A file that takes its name once it is whole and on the disk; without that nothing is left of it."""
    try:
        with before.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(before, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, error.filename or str(path)) from error
    finally:
        before.unlink(missing_ok=True)


@contextmanager
def alone(lock: Path, otherwise: str) -> Iterator[None]:
    """The only process that holds this lock; `otherwise` says who does."""
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(otherwise) from error
        yield
