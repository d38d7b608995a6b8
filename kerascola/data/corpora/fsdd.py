"""Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers; the first five takes are tested on."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "CC BY-SA 4.0"
SOURCE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "recordings/*_*_*.wav")
    for path in sounds(place, "recordings/*.wav"):
        digit, speaker, take = path.stem.split("_")
        split = "test" if int(take) < 5 else "train"
        yield {"path": relative(path, folder), "label": digit, "split": split, "speaker": speaker, "take": take}
