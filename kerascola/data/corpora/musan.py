"""MUSAN: 109 hours of music, speech and noise (Snyder et al. 2015)."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "CC BY 4.0"
SOURCE = "https://www.openslr.org/17"
ARCHIVES = (Archive("https://www.openslr.org/resources/17/musan.tar.gz", "md5:0c472d4fc0c5141eca47ad1ffeb2a7df"),)


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "music", "noise", "speech")
    for path in sounds(place, "*/*/*.wav"):
        kind, source = path.relative_to(place).parts[:2]
        yield {"path": relative(path, folder), "label": kind, "source": source}
