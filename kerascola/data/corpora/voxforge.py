"""VoxForge: read speech, whose language is told: a folder for each (en, de, fr, ...). Groups are speakers."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "GPL 3"
SOURCE = "http://www.voxforge.org"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    """LANGUAGE/SPEAKER-DATE-ID/wav/NAME.wav, or flac; whoever is anonymous is a group by upload."""
    place = root(folder, "*/*-*/*/*.*")
    for path in (*sounds(place, "*/*/wav/*"), *sounds(place, "*/*/flac/*")):
        language, upload = path.relative_to(place).parts[:2]
        speaker = upload.partition("-")[0]
        group = upload if speaker == "anonymous" else speaker
        yield {"path": relative(path, folder), "label": language, "group": f"{language}-{group}"}
