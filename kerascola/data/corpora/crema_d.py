"""CREMA-D: 7,442 sentences said in six emotions by 91 actors (Cao et al. 2014). Groups are actors."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "ODbL 1.0"
SOURCE = "https://github.com/CheyneyComputerScience/CREMA-D"
ARCHIVES: tuple[Archive, ...] = ()
EMOTIONS = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "AudioWAV/*_*_*_*.wav")
    for path in sounds(place, "AudioWAV/*.wav"):
        actor, sentence, emotion, intensity = path.stem.split("_")
        path_of = {"path": relative(path, folder), "label": EMOTIONS[emotion], "group": actor}
        yield {**path_of, "sentence": sentence, "intensity": intensity}
