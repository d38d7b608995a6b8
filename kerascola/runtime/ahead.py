"""Sounds are decoded and resampled in threads while those before them are embedded."""

import os
from collections import deque
from collections.abc import Generator, Iterable
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kerascola.runtime.clip import Pieces

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Portion = tuple[list[np.ndarray], bool]  # of a sound, and whether there may be more of it

SAMPLES = 1 << 18  # of a sound that are decoded ahead, about
SOUNDS = 64  # at a time: of these, so many samples each are in memory


class AtOnce(NamedTuple):
    """A sound that is gone when the next is asked for: it is read before."""

    sound: Pieces


def read_ahead(sounds: Iterable[Pieces | AtOnce]) -> Generator[Pieces, None, None]:
    """The same sounds in the same pieces. What one raises is raised where its pieces are asked for."""
    from concurrent.futures import ThreadPoolExecutor  # here, as one short sound needs none, and it takes a while

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as threads:
        begun: deque[tuple[Pieces, Future[Portion]]] = deque()
        try:
            for sound in sounds:
                if isinstance(sound, AtOnce):
                    while begun:
                        yield pieces(threads, *begun.popleft())
                    yield sound.sound
                    continue
                begun.append((sound, threads.submit(portion, sound)))
                if len(begun) == SOUNDS:
                    yield pieces(threads, *begun.popleft())
            while begun:
                yield pieces(threads, *begun.popleft())
        finally:
            threads.shutdown(cancel_futures=True)


def alone(sound: Pieces) -> Generator[Pieces, None, None]:
    """One sound as the only one: of what is short no thread is begun."""
    found, more = portion(sound)
    yield from read_ahead([chain(found, sound)]) if more else [iter(found)]


def pieces(threads: "ThreadPoolExecutor", sound: Pieces, next_portion: "Future[Portion]") -> Pieces:
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
