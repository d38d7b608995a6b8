"""Speech Commands v2: 105,829 recordings of 35 words, 1 s each (Warden 2018). Groups are speakers."""

from kerascola.data.corpora.layout import Archive
from kerascola.data.corpora.speech_commands import LICENCE as LICENCE
from kerascola.data.corpora.speech_commands import SOURCE as SOURCE
from kerascola.data.corpora.speech_commands import records as records

ARCHIVES = (
    Archive(
        "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
)
