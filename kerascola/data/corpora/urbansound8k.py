"""UrbanSound8K: 8,732 excerpts of up to 4 s, ten classes of city sounds in ten folds (Salamon et al. 2014)."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, table

LICENCE = "CC BY-NC 3.0"
SOURCE = "https://urbansounddataset.weebly.com/urbansound8k.html"
ARCHIVES = (
    Archive("https://zenodo.org/record/1203745/files/UrbanSound8K.tar.gz", "md5:9aa69802bbf37fb986f71ec1483a196e"),
)


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "metadata/UrbanSound8K.csv", "audio")
    for row in table(place / "metadata/UrbanSound8K.csv"):
        path = relative(place / "audio" / f"fold{row['fold']}" / row["slice_file_name"], folder)
        yield {
            "path": path,
            "label": row["class"],
            "group": row["fsID"],
            "fold": row["fold"],
            "salience": row["salience"],
        }
