"""FMA small: 8,000 excerpts of 30 s of eight genres of music (Defferrard et al. 2017). Groups are artists."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora import fma
from kerascola.data.corpora.fma import LICENCE as LICENCE
from kerascola.data.corpora.fma import SOURCE as SOURCE
from kerascola.data.corpora.layout import Archive, Record

ARCHIVES = (
    Archive("https://os.unil.cloud.switch.ch/fma/fma_small.zip", "sha1:ade154f733639d52e35e32f5593efe5be76c6d70"),
    fma.METADATA,
)


def records(folder: Path) -> Iterator[Record]:
    return fma.records(folder, "fma_small")
