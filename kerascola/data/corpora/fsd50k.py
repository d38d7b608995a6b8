"""FSD50K: 51,197 clips of 200 classes of sound events, several a clip (Fonseca et al. 2022): data.multi_label=true.

Its archives are in volumes (.z01, .z02, ...) that have to be joined: zip -s 0 FILE.zip --out whole.zip
"""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, table

LICENCE = "CC BY 4.0, and each clip a Creative Commons licence of its own"
SOURCE = "https://zenodo.org/record/4060432"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "FSD50K.ground_truth/dev.csv", "FSD50K.ground_truth/eval.csv")
    for part in ("dev", "eval"):
        for row in table(place / f"FSD50K.ground_truth/{part}.csv"):
            path = relative(place / f"FSD50K.{part}_audio" / f"{row['fname']}.wav", folder)
            split = {"val": "valid"}.get(row["split"], row["split"]) if part == "dev" else "test"
            yield {"path": path, "label": row["labels"].replace(",", ";"), "split": split}
