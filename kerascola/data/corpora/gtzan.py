"""GTZAN: 1,000 excerpts of 30 s of ten genres of music (Tzanetakis & Cook 2002). One of them, jazz.00054, is broken."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "none stated"
SOURCE = "http://marsyas.info/downloads/datasets.html"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "blues/blues.*")
    for path in sounds(place, "*/*"):
        if path.name.startswith(f"{path.parent.name}."):
            yield {"path": relative(path, folder), "label": path.parent.name}
