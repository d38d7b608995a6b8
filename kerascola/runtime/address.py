"""http(s):// and hf:// addresses of models: fetched once, kept under KERASCOLA_HOME, served from there offline.

hf://OWNER/REPO/PATH@REVISION or, as others write it, hf://OWNER/REPO@REVISION/PATH; the revision is main by default.
"""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from kerascola.errors import FetchError
from kerascola.runtime.fetch import TIMEOUT, Progress, fetch, verified
from kerascola.runtime.home import home

SCHEMES = ("http://", "https://", "hf://")
HUB = re.compile(r"hf://([^/@]+)/([^/@]+)(?:@([^/]+))?((?:/[^@/]+)*)/?(?:@(.+))?")

Watch = Callable[[str], Progress]  # of a file's name


def unwatched(name: str) -> Progress:
    return lambda done, total: None


def is_address(text: str) -> bool:
    return text.startswith(SCHEMES)


def url_of(address: str, inside: str = "") -> str:
    """What a browser would ask for, without the fragment: a file, or what is `inside` a folder."""
    address = address.partition("#")[0]
    if not address.startswith("hf://"):
        parts = urlsplit(address)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(inside)}")) if inside else address
    found = HUB.fullmatch(address)
    path = "/".join(filter(None, (*(found[4].split("/") if found else ()), inside)))
    if not found or not path or (found[3] and found[5]):
        raise FetchError(f"expected hf://OWNER/REPO/PATH, with @REVISION at the end or none, received {address}")
    revision = unquote(found[3] or found[5] or "main")
    server = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{server.rstrip('/')}/{found[1]}/{found[2]}/resolve/{quote(revision, safe='')}/{quote(path)}"


def file_name(address: str) -> str:
    """The last of its path."""
    return unquote(urlsplit(url_of(address)).path).rpartition("/")[2]


def checksum_of(address: str) -> str:
    """What `#sha256=...` at its end promises."""
    fragment = address.partition("#")[2]
    if fragment and not re.fullmatch("sha256=[0-9a-fA-F]{64}", fragment):
        raise FetchError(f"{address}: expected #sha256= and 64 hexadecimal digits, received #{fragment}")
    return fragment.replace("=", ":").lower()


def offline(address: str) -> str:
    """The variable that forbids to fetch it, if one does."""
    names = ["KERASCOLA_OFFLINE"] + ["HF_HUB_OFFLINE"] * address.startswith("hf://")
    return next((name for name in names if os.environ.get(name, "").lower() in ("1", "true", "yes", "on")), "")


def kept(address: str, watch: Watch = unwatched) -> Path:
    """The file at an address. Without a checksum it is known by its address, and not asked for again."""
    checksum = checksum_of(address)
    if not file_name(address).endswith((".onnx", ".keras")):
        raise FetchError(f"{address}: expected the address of a file NAME.onnx or NAME.keras")
    return keep(url_of(address), checksum, offline(address), watch)


def keep(url: str, checksum: str, forbidden: str, watch: Watch) -> Path:
    """From the cache, or fetched into it, unless a variable has `forbidden` that."""
    key = checksum.removeprefix("sha256:")[:32] or digest(url)
    path = home() / "models" / key / unquote(urlsplit(url).path).rpartition("/")[2]
    if path.exists():
        return verified(path, checksum, url)
    if forbidden:
        raise FetchError(
            f"{url}: expected it in {path.parent}, as {forbidden} is set, and received nothing there. Fetch it once "
            f"without {forbidden}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(path.with_name(f"{path.name}.lock")):
        return fetch(url, path, checksum, watch(path.name))


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Another process that fetches the same is waited for. Without such locks, as on Windows, the checksum decides."""
    if not find_spec("fcntl"):
        yield
        return
    import fcntl

    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(url: str, most: int) -> bytes:
    """What is small, in one try. ConnectionError where the server cannot be reached, which may pass."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            found = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise FetchError(f"{url}: expected the file, received {error.code} {error.reason}") from error
        raise ConnectionError(f"{error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(str(getattr(error, "reason", error))) from error
    if len(found) > most:
        raise FetchError(f"{url}: expected at most {most} bytes, received more. Check the address")
    return found
