"""Speech Commands v1: 65,000 recordings of 30 words, 1 s each (Warden 2018). Groups are speakers."""

from kerascola.data.corpora.layout import Archive
from kerascola.data.corpora.speech_commands import LICENCE as LICENCE
from kerascola.data.corpora.speech_commands import SOURCE as SOURCE
from kerascola.data.corpora.speech_commands import records as records

ARCHIVES = (
    Archive(
        "http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz",
        "sha256:743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    ),
)
