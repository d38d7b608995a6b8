"""FSDnoisy18k: 18,532 clips of 20 classes, a tenth of the labels checked by hand (Fonseca et al. 2019).

The column `quality` says which: "clean" or "noisy"; `noisy_small` marks as much noisy sound as there is clean.
"""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, table

LICENCE = "CC BY 4.0, and each clip CC BY or CC0 of its own"
SOURCE = "http://www.eduardofonseca.net/FSDnoisy18k/"
FILES = "https://zenodo.org/record/2529934/files/FSDnoisy18k."
ARCHIVES = (
    Archive(f"{FILES}audio_train.zip", "md5:34dc1d34ca44622af5bf439ceb6f0d55"),
    Archive(f"{FILES}audio_test.zip", "md5:1ac73d70b4ef3f81900d98c261a832de"),
    Archive(f"{FILES}meta.zip", "md5:96e27a4a63b7a2870522ddcedb5d8296"),
)


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "FSDnoisy18k.meta/train.csv", "FSDnoisy18k.meta/test.csv")
    for split in ("train", "test"):
        for row in table(place / f"FSDnoisy18k.meta/{split}.csv"):
            clean = split == "test" or row["manually_verified"] == "1"
            yield {
                "path": relative(place / f"FSDnoisy18k.audio_{split}" / row["fname"], folder),
                "label": row["label"],
                "split": split,
                "quality": "clean" if clean else "noisy",
                "noisy_small": row.get("noisy_small", ""),
            }
