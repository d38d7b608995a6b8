"""LibriSpeech: read English, of which `fetch` takes the 100 hours of train-clean-100 (Panayotov et al. 2015).

The label is the speaker. The sets have no speaker in common: to tell speakers, train and test on one of them.
"""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora.layout import Archive, Record, relative, root, sounds

LICENCE = "CC BY 4.0"
SOURCE = "https://www.openslr.org/12"
ARCHIVES = (
    Archive("https://www.openslr.org/resources/12/train-clean-100.tar.gz", "md5:2a93770f6d5c6c964bc36631d331a522"),
)


def records(folder: Path) -> Iterator[Record]:
    place = root(folder, "*/*/*/*.flac")
    for path in sounds(place, "*/*/*/*.flac"):
        part, speaker, chapter = path.relative_to(place).parts[:3]
        yield {"path": relative(path, folder), "label": speaker, "group": f"{speaker}-{chapter}", "set": part}
