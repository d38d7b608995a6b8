"""VoxCeleb1: 153,516 utterances of 1,251 speakers from videos (Nagrani et al. 2017). It is fetched by registration."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, lines, relative, root, sounds

LICENCE = "CC BY 4.0 for the lists; the sound is of its uploaders"
SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html"
ARCHIVES: tuple[Archive, ...] = ()
SPLITS = {"1": "train", "2": "valid", "3": "test"}


def records(folder: Path) -> Iterator[Record]:
    """By the identification's list of splits, where it lies beside the folder wav."""
    place = root(folder, "wav/id*/*/*.wav")
    pairs = [line.split() for line in lines(place / "iden_split.txt") if line.strip()]
    splits = {name: SPLITS[number] for number, name in pairs}
    for path in sounds(place, "wav/*/*/*.wav"):
        speaker, video = path.relative_to(place / "wav").parts[:2]
        split = {"split": splits.get(relative(path, place / "wav"), "")} if splits else {}
        yield {"path": relative(path, folder), "label": speaker, "group": f"{speaker}-{video}", **split}
