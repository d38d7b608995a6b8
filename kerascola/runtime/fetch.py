"""Files from the web: gone on with where they broke off, and whole and as promised or not there at all."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from kerascola.errors import FetchError

BLOCK = 1 << 20
TRIES = 5
TIMEOUT = 30.0  # seconds without a byte

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all if they are known


def fetch(
    url: str, path: str | Path, checksum: str = "", progress: Progress = lambda done, total: None, pause: float = 1.0
) -> Path:
    """`path`, which is fetched if it is not there. `checksum` is "sha256:..." or "md5:...", or "" where none is known.

    What is there of it lies beside it as NAME.part, also after a kill, and is gone on with.
    """
    path = Path(path)
    if path.exists():
        return verified(path, checksum, url)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    failed = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            more(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:  # all of it is there, or it is of another file
                break
            raise FetchError(f"{url}: expected the file, received {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.filename:  # of this disk, not of the network
                raise
            failed = 1 if part.exists() and part.stat().st_size > before else failed + 1
            if failed >= TRIES:
                reason = getattr(error, "reason", error)
                raise FetchError(
                    f"{url}: expected the file, received {reason} {TRIES} times. What is there is kept in {part}: try "
                    "again"
                ) from error
            time.sleep(pause * 2**failed)
    verified(part, checksum, url)
    part.replace(path)
    return path


def more(url: str, part: Path, progress: Progress) -> None:
    """The rest of a file; from the beginning where the server gives nothing else."""
    begun = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        done = begun if goes_on else 0
        total = done + int(length) if length else None
        with part.open("ab" if goes_on else "wb") as file:
            progress(done, total)
            while block := answer.read1(BLOCK):
                file.write(block)
                done += len(block)
                progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"only {done} of {total} bytes")


def verified(path: Path, checksum: str, url: str) -> Path:
    """The file itself, which is removed where it is not what it should be."""
    kind, _, expected = checksum.partition(":")
    if kind:
        with path.open("rb") as file:
            received = hashlib.file_digest(file, kind).hexdigest()
        if received != expected:
            path.unlink()
            raise FetchError(
                f"{url}: expected a file with the {kind} checksum {expected}, received {received}. It was removed: try "
                "again; if that gives the same, the file has changed at its source"
            )
    return path
