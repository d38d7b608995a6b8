"""AudioSet: 10 s of videos with any of 527 labels (Gemmeke et al. 2017), for data.multi_label=true.

Expects class_labels_indices.csv and the published tables (balanced_train_segments.csv, ...) beside the folders of
sound, whose files are named by the video, perhaps with its second: YOUTUBEID.wav, YYOUTUBEID.wav, YOUTUBEID_30.wav.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, lines, relative, root, sounds, table

LICENCE = "CC BY 4.0 for the labels; the sound is of its uploaders"
SOURCE = "https://research.google.com/audioset/download.html"
ARCHIVES: tuple[Archive, ...] = ()
SPLITS = {"balanced_train": "train", "unbalanced_train": "train", "eval": "test"}
IDENTITY = 11  # characters of a video's


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "class_labels_indices.csv", "*_segments.csv")
    names = {row["mid"]: row["display_name"].replace(";", ",") for row in table(place / "class_labels_indices.csv")}
    found = {video(path): path for path in sounds(place, "**/*")}
    for listing in sorted(place.glob("*_segments.csv")):
        part = listing.name.removesuffix("_segments.csv")
        rows = (line for line in lines(listing) if line and not line.startswith("#"))
        for identity, _, _, labels in csv.reader(rows, skipinitialspace=True):
            if identity in found:
                told = ";".join(names[mid] for mid in labels.split(","))
                yield {
                    "path": relative(found[identity], folder),
                    "label": told,
                    "split": SPLITS.get(part, part),
                    "set": part,
                }


def video(path: Path) -> str:
    """As the tables have it."""
    stem = path.stem
    return stem[1:] if stem[:1] == "Y" and len(stem) == IDENTITY + 1 else stem[:IDENTITY]
