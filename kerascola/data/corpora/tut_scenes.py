"""TUT Acoustic Scenes 2016 and 2017: 15 places in town and country (Mesaros et al. 2016). Groups are locations.

The column `fold` is the fold of the published cross-validation that a recording is tested in.
"""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, lines, relative, root

LICENCE = "non-commercial, of Tampere University"
SOURCE = "https://zenodo.org/record/400515"
ARCHIVES: tuple[Archive, ...] = ()


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "meta.txt", "audio")
    folds: dict[str, str] = {}
    for file in sorted(place.glob("evaluation_setup/fold*_evaluate.txt")):
        number = file.name.removeprefix("fold").partition("_")[0]
        folds |= {line.split("\t")[0].strip(): number for line in lines(file) if line.strip()}
    for line in lines(place / "meta.txt"):
        if line.strip():
            name, scene, location = (line.strip().split("\t") + [""])[:3]
            fold = {"fold": folds[name]} if name in folds else {}
            yield {"path": relative(place / name, folder), "label": scene, "group": location, **fold}
