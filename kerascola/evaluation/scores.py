"""What a classifier says of whole clips."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kerascola.audio.segment import windows
from kerascola.data.recordings import FAIL, Recordings
from kerascola.errors import AudioError, DataError

Windows = Callable[[np.ndarray], np.ndarray]  # float32 [batch, samples] -> logits [batch, classes]


def scores(
    logits: Windows, recordings: Recordings, window: int, multi: bool, average: str = "logits", batch: int = 32
) -> np.ndarray:
    """Probabilities [n, classes] of every recording: logits, or what they mean, averaged over its windows.

    Its windows are those that the runtime serves: one after the other, and one more at the end if there is a rest; a
    shorter clip ends in silence. Of one that cannot be read, where such are skipped, all are NaN.
    """
    probable = sigmoid if multi else softmax
    totals: dict[int, np.ndarray] = {}
    counts = np.zeros(len(recordings))
    for rows, waveforms in batches(cut(recordings, window), batch, window):
        found = np.asarray(logits(waveforms), np.float64)[: len(rows)]
        found = found if average == "logits" else probable(found)
        for row, value in zip(rows, found, strict=True):
            totals[row] = totals.get(row, 0.0) + value
            counts[row] += 1
    if not totals:
        raise DataError(f"{recordings.source}: none of the {len(recordings)} recordings to score can be read")
    unread = np.full_like(next(iter(totals.values())), np.nan)
    means = np.stack([totals.get(row, unread) for row in range(len(recordings))]) / np.maximum(counts, 1)[:, None]
    return probable(means) if average == "logits" else means


def cut(recordings: Recordings, window: int) -> Iterator[tuple[int, np.ndarray]]:
    for row in range(len(recordings)):
        try:
            sound = recordings.whole(row)
        except AudioError as error:
            if recordings.on_bad_file == FAIL:
                raise
            recordings.skip(str(error))
            continue
        for start in windows(len(sound), window, window):
            yield row, sound[start : start + window]


def batches(pieces: Iterable[tuple[int, np.ndarray]], size: int, window: int) -> Iterator[tuple[list, np.ndarray]]:
    """Always of one shape, so that it is compiled once; the last one ends in silence that nobody asks for."""
    rows: list[int] = []
    waveforms = np.zeros((size, window), np.float32)
    for row, piece in pieces:
        waveforms[len(rows), : len(piece)] = piece
        rows.append(row)
        if len(rows) == size:
            yield rows, waveforms
            rows, waveforms = [], np.zeros((size, window), np.float32)
    if rows:
        yield rows, waveforms


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
