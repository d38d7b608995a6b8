"""Parts of files, in order: decoded ahead, and what their embeddings become."""

from collections.abc import Callable, Generator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol

import numpy as np

from kerascola.audio.segment import windows
from kerascola.data import shards
from kerascola.data.inputs import Inputs, Part
from kerascola.errors import KerascolaError, ModelError
from kerascola.runtime.ahead import read_ahead
from kerascola.runtime.clip import Pieces
from kerascola.runtime.corpus import Clip, Mean, Rows
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.metadata import Metadata


class Watch(Protocol):
    """Told how far it is, by the inputs' numbers."""

    def begins(self, number: int) -> None: ...

    def heard(self, number: int, seconds: float) -> None: ...

    def finished(self, number: int, error: KerascolaError | None) -> None: ...


def decoded(found: Inputs, first: int, rate: int, watch: Watch) -> Generator[Pieces, None, None]:
    """From number `first` on. To be closed, for its threads."""
    ahead = read_ahead(sound_of(found[number], rate) for number in range(first, len(found)))
    try:
        yield from map(partial(listened, watch, rate), count(first), ahead)
    finally:
        ahead.close()


def sound_of(part: Part, rate: int) -> Pieces:
    return shards.stream(Path(part.path), rate, part.start, None if part.end is None else part.end - part.start)


def listened(watch: Watch, rate: int, number: int, pieces: Pieces) -> Pieces:
    for piece in pieces:
        watch.heard(number, len(piece) / rate)
        yield piece


def kept(embedder: Embedder, frames: bool, folder: Path) -> Callable[[], Mean | Rows]:
    """What a clip's embeddings are gathered in."""
    return partial(Rows, embedder.dimension, folder) if frames else partial(Mean, embedder.dimension)


def spans(part: Part, clip: Clip, metadata: Metadata) -> tuple[np.ndarray, np.ndarray]:
    """Where its embeddings are of: starts and ends in seconds of the file."""
    starts, size = np.zeros(1, np.int64), clip.samples
    if isinstance(clip.rows, Rows):
        starts = windows(clip.samples, metadata.window_samples, metadata.hop_samples)
        size = min(clip.samples, metadata.window_samples)
    return part.start + starts / metadata.sample_rate, part.start + (starts + size) / metadata.sample_rate


def too_large(clip: Clip, dtype: str) -> KerascolaError | None:
    most = float(np.finfo(dtype).max)
    if clip.rows.largest <= most:
        return None
    return ModelError(
        f"expected numbers up to {most:g}, which {dtype} holds, received {clip.rows.largest:g}. Ask for --dtype float32"
    )
