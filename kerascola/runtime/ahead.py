"""Sounds are decoded in threads while those before them are embedded."""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

Pieces = Iterator[np.ndarray]
Portion = tuple[list[np.ndarray], bool]  # of a sound, and whether there may be more of it

SAMPLES = 1 << 18  # of a sound that are decoded ahead, about
SOUNDS = 64  # at a time: of these, so many samples each are in memory


def read_ahead(sounds: Iterable[Pieces]) -> Generator[Pieces, None, None]:
    """The same sounds in the same pieces. What one raises is raised where its pieces are asked for."""
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as threads:
        begun: deque[tuple[Pieces, Future[Portion]]] = deque()
        try:
            for sound in sounds:
                begun.append((sound, threads.submit(portion, sound)))
                if len(begun) == SOUNDS:
                    yield pieces(threads, *begun.popleft())
            while begun:
                yield pieces(threads, *begun.popleft())
        finally:
            threads.shutdown(cancel_futures=True)


def pieces(threads: ThreadPoolExecutor, sound: Pieces, next_portion: Future[Portion]) -> Pieces:
    more = True
    while more:
        found, more = next_portion.result()
        if more:
            next_portion = threads.submit(portion, sound)
        yield from found


def portion(sound: Pieces) -> Portion:
    found, samples = [], 0
    for piece in sound:
        found.append(piece)
        samples += len(piece)
        if samples >= SAMPLES:
            return found, True
    return found, False
