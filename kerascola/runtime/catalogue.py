"""A zoo: checkpoints by name, from the package, a folder or an address.

index.json                the records
checkpoints/NAME.keras    and NAME.onnx
cards/NAME.md             made of the records, for people
"""

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from kerascola.errors import ZooError, nearest
from kerascola.runtime.address import Watch, digest, is_address, keep, offline, read, unwatched, url_of
from kerascola.runtime.home import home
from kerascola.runtime.record import MOST_BYTES, Record, read_index

INDEX = "index.json"
VARIABLE = "KERASCOLA_ZOO"


@dataclass(frozen=True)
class Zoo:
    place: str  # a folder or an address
    folder: Path | None  # where files may lie on this machine
    address: str  # where they are fetched from otherwise, "" for nowhere
    records: Mapping[str, Record]


def shipped() -> Path:
    """The folder that comes with the package."""
    return Path(str(resources.files("kerascola.zoo")))


def open_zoo(place: str | None = None) -> Zoo:
    """That of `place`, of KERASCOLA_ZOO or of the package."""
    place = place or os.environ.get(VARIABLE) or str(shipped())
    folder = None if is_address(place) else Path(place)
    source = url_of(place, INDEX) if folder is None else str(folder / INDEX)
    index = read_index(downloaded(source, place) if folder is None else local(folder), source)
    address = index.address or (place if folder is None else "")
    return Zoo(place, folder, address, {record.name: record for record in index.records})


def local(folder: Path) -> bytes:
    path = folder / INDEX
    if not path.is_file():
        raise ZooError(f"{folder}: expected a zoo, a folder with {INDEX}, received none. Check {VARIABLE} or --zoo")
    return path.read_bytes()


def downloaded(url: str, place: str) -> bytes:
    """What is there now; what was there last where that cannot be known."""
    cached = home() / "zoos" / digest(url) / INDEX
    if forbidden := offline(place):
        if cached.is_file():
            return cached.read_bytes()
        raise ZooError(f"{url}: {forbidden} is set, and this zoo was never looked at. Do so once without it")
    try:
        found = read(url, MOST_BYTES)
    except ConnectionError as error:
        if cached.is_file():
            warnings.warn(f"{url} cannot be reached ({error}): going by what it was last time", stacklevel=2)
            return cached.read_bytes()
        raise ZooError(f"{url}: expected the index of a zoo, received: {error}. Check {VARIABLE} or --zoo") from error
    read_index(found, url)  # what is no index does not take the place of one
    cached.parent.mkdir(parents=True, exist_ok=True)
    partial = cached.with_name(f".partial-{os.getpid()}-{INDEX}")
    partial.write_bytes(found)
    os.replace(partial, cached)
    return found


def record_of(zoo: Zoo, name: str) -> Record:
    if name not in zoo.records:
        raise ZooError(f"the zoo has no {name!r}{nearest(name, zoo.records, 3)} {holds(zoo)}")
    return zoo.records[name]


def holds(zoo: Zoo) -> str:
    where = "The zoo that comes with kerascola" if zoo.place == str(shipped()) else f"The zoo {zoo.place}"
    return f"{where} has {', '.join(sorted(zoo.records)) or 'no checkpoints yet'}"


def file_of(zoo: Zoo, record: Record, kind: str, watch: Watch = unwatched) -> Path:
    """Beside the index, or in the cache, or fetched into it; always as the record says."""
    name, promised = f"{record.name}.{kind}", record.files[kind].sha256
    beside = zoo.folder / "checkpoints" / name if zoo.folder else None
    if beside is not None and beside.is_file():
        return unchanged(beside, promised)
    if not zoo.address:
        raise ZooError(f"{beside}: expected the file of {record.name}, received none. Get {zoo.place} again, whole")
    return keep(url_of(zoo.address, f"checkpoints/{name}"), f"sha256:{promised}", offline(zoo.address), watch)


def unchanged(path: Path, promised: str) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != promised:
        raise ZooError(
            f"{path}: expected a file with the sha256 checksum {promised}, as its record says, received {found}. Get "
            "it again"
        )
    return path
