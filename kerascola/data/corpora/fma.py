"""What the sizes of FMA share: tracks by number, and a table of which the first three lines are its head."""

import csv
from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root

LICENCE = "CC BY 4.0, and each track a Creative Commons licence of its own"
SOURCE = "https://github.com/mdeff/fma"
METADATA = Archive(
    "https://os.unil.cloud.switch.ch/fma/fma_metadata.zip", "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733"
)
SPLITS = {"training": "train", "validation": "valid", "test": "test"}


def records(folder: Path, name: str) -> Iterator[Record]:
    place = root(folder, name, "fma_metadata/tracks.csv")
    with (place / "fma_metadata/tracks.csv").open(newline="", encoding="utf-8") as lines:
        table = csv.reader(lines)
        above, below, _ = next(table), next(table), next(table)
        column = {pair: number for number, pair in enumerate(zip(above, below, strict=True))}
        for row in table:
            path = place / name / f"{int(row[0]):06}"[:3] / f"{int(row[0]):06}.mp3"
            if path.exists():
                yield {
                    "path": relative(path, folder),
                    "label": row[column["track", "genre_top"]],
                    "split": SPLITS[row[column["set", "split"]]],
                    "group": row[column["artist", "id"]],
                }
