"""NSynth: 305,979 notes of 4 s of 1,006 instruments (Engel et al. 2017): label is the family, pitch has its own column.

Its archives have no published checksums; fetch them from the source and unpack them into one folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root

LICENCE = "CC BY 4.0"
SOURCE = "https://magenta.tensorflow.org/datasets/nsynth"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "nsynth-*/examples.json")
    for listing in sorted(place.glob("nsynth-*/examples.json")):
        split = listing.parent.name.removeprefix("nsynth-")
        for name, note in json.loads(listing.read_text(encoding="utf-8")).items():
            yield {
                "path": relative(listing.parent / "audio" / f"{name}.wav", folder),
                "label": note["instrument_family_str"],
                "split": split,
                "group": note["instrument_str"],
                "pitch": str(note["pitch"]),
                "instrument_source": note["instrument_source_str"],
            }
