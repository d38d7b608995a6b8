"""The embeddings of many sounds of any length, in their order, in memory that grows with neither."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from kerascola.audio.segment import Windows
from kerascola.errors import AudioError, KerascolaError, ModelError
from kerascola.runtime.clip import Pieces
from kerascola.runtime.packing import Batch, Packing
from kerascola.runtime.session import OUTPUT

if TYPE_CHECKING:
    from kerascola.runtime.embedder import Embedder

IN_MEMORY = 1 << 18  # bytes of a clip's rows; what is more waits on the disk, until it is known that none is wrong
MOST_WAITING = 64  # clips that are done and wait for one before them, whose windows' batch is not full


class Mean:
    """A clip's embedding: the mean over its windows."""

    def __init__(self, dimension: int) -> None:
        self.total, self.count = np.zeros(dimension), 0

    def add(self, vector: np.ndarray) -> None:
        self.total += vector
        self.count += 1

    @property
    def largest(self) -> float:
        """Of its numbers, whatever their signs."""
        return float(np.abs(self.total).max() / max(1, self.count))

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        yield (self.total / self.count).astype(np.float32)[None]

    def close(self) -> None:
        """There is nothing to close."""


class Rows:
    """A clip's embeddings, one for each window."""

    def __init__(self, dimension: int, folder: Path) -> None:
        self.dimension, self.largest = dimension, 0.0
        self.file = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))

    def add(self, vector: np.ndarray) -> None:
        self.largest = float(np.maximum(self.largest, np.abs(vector).max()))  # NaN stays
        self.file.write(vector.tobytes())

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        self.file.seek(0)
        while block := self.file.read(rows * self.dimension * np.dtype(np.float32).itemsize):
            yield np.frombuffer(block, np.float32).reshape(-1, self.dimension)

    def close(self) -> None:
        self.file.close()


@dataclass
class Clip:
    rows: Mean | Rows
    samples: int = 0  # at the model's rate
    missing: int = 0  # windows not yet embedded
    is_read: bool = False
    error: KerascolaError | None = None

    @property
    def is_done(self) -> bool:
        return self.is_read and not self.missing


def in_order(
    embedder: "Embedder",
    sounds: Iterator[Pieces],
    rows: Callable[[], Mean | Rows],
    most: float = math.inf,
    output: str = OUTPUT,
) -> Iterator[Clip]:
    """Of the sounds up to the one that brings it to `most` windows; further ones are left in `sounds`.

    A clip that cannot be embedded has an error, and the others go on. Which windows make a batch follows from these
    sounds alone, for a batch's size may change the last digit.
    """
    packing, clips, cut = Packing(embedder.batch_size), dict[int, Clip](), 0
    for number, sound in enumerate(sounds):
        clip = clips[number] = Clip(rows())
        try:
            for window in windows_of(embedder, sound, clip):
                clip.missing += 1
                cut += 1
                if batch := packing.add(number, window):
                    run(embedder, batch, clips, output)
        except AudioError as error:
            clip.error = error
            cut += 1  # so that there are not too many errors in a shard either
        clip.is_read = True
        yield from finished(embedder, clips)
        if cut >= most:
            break
        if len(clips) > MOST_WAITING and sum(clip.is_done for clip in clips.values()) > MOST_WAITING:
            for batch in packing.rest():
                run(embedder, batch, clips, output)
    for batch in packing.rest():
        run(embedder, batch, clips, output)
    yield from finished(embedder, clips)


def windows_of(embedder: "Embedder", sound: Pieces, clip: Clip) -> Iterator[np.ndarray]:
    cutter = Windows(embedder.metadata.window_samples, embedder.metadata.hop_samples)
    for piece in sound:
        yield from cut_by(embedder, cutter, piece)
    yield from cut_by(embedder, cutter, np.zeros(0, np.float32), last=True)
    clip.samples = cutter.samples


def cut_by(embedder: "Embedder", cutter: Windows, piece: np.ndarray, last: bool = False) -> Iterator[np.ndarray]:
    stretch, begin, starts = cutter(piece, last)
    for start in starts - begin:
        yield embedder.window(stretch, start)


def run(embedder: "Embedder", batch: Batch, clips: dict[int, Clip], output: str) -> None:
    vectors = embedder.run([window for _, window in batch], output)
    for (number, _), vector in zip(batch, vectors, strict=True):
        clips[number].rows.add(vector)
        clips[number].missing -= 1


def finished(embedder: "Embedder", clips: dict[int, Clip]) -> Iterator[Clip]:
    """Those that none before them keeps waiting."""
    while clips and (clip := clips[next(iter(clips))]).is_done:
        del clips[next(iter(clips))]
        if clip.error is None and not math.isfinite(clip.rows.largest):
            clip.error = ModelError(embedder.not_finite("the clip"))
        yield clip
