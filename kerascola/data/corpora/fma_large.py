"""FMA large: 106,574 excerpts of 30 s of 161 genres, some without any (Defferrard et al. 2017). Groups are artists."""

from collections.abc import Iterator
from pathlib import Path

from kerascola.data.corpora import fma
from kerascola.data.corpora.fma import LICENCE as LICENCE
from kerascola.data.corpora.fma import SOURCE as SOURCE
from kerascola.data.corpora.layout import Archive, Record

ARCHIVES = (
    Archive("https://os.unil.cloud.switch.ch/fma/fma_large.zip", "sha1:497109f4dd721066b5ce5e5f250ec604dc78939e"),
    fma.METADATA,
)


def records(folder: Path) -> Iterator[Record]:
    return fma.records(folder, "fma_large")
