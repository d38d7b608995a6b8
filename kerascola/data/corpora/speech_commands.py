"""Both versions of Speech Commands: a folder for each word, and lists of what is validated and tested on."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Record, lines, relative, root, sounds

LICENCE = "CC BY 4.0"
SOURCE = "https://arxiv.org/abs/1804.03209"


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "validation_list.txt", "testing_list.txt")
    splits = {name: "valid" for name in lines(place / "validation_list.txt")}
    splits |= {name: "test" for name in lines(place / "testing_list.txt")}
    for path in sounds(place, "*/*.wav"):
        word = path.parent.name
        if not word.startswith("_"):  # _background_noise_
            speaker = path.name.partition("_nohash_")[0]
            split = splits.get(relative(path, place), "train")
            yield {"path": relative(path, folder), "label": word, "split": split, "group": speaker}
