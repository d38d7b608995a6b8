"""ESC-50: 2,000 environmental sounds of 5 s, 50 classes in five folds (Piczak 2015)."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, table

LICENCE = "CC BY-NC 3.0"
SOURCE = "https://github.com/karolpiczak/ESC-50"
ARCHIVES = (Archive("https://github.com/karoldvl/ESC-50/archive/master.zip", "md5:7771e4b9d86d0945acce719c7a59305a"),)


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "meta/esc50.csv", "audio")
    for row in table(place / "meta/esc50.csv"):
        path = relative(place / "audio" / row["filename"], folder)
        yield {
            "path": path,
            "label": row["category"],
            "group": row["src_file"],
            "fold": row["fold"],
            "esc10": row["esc10"],
        }
