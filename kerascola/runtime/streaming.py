"""Sound that comes in chunks: the embeddings of its windows as they are complete."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kerascola.audio.read import mixed_down
from kerascola.audio.resample import NOTHING, check_rate, resampler
from kerascola.audio.segment import Windows
from kerascola.errors import AudioError


class Stream:
    """stream(chunk) -> the windows that it completes, stream.end() -> those that are left.

    Together they are what `Embedder.frames` gives of the whole sound: vectors [n, dimension], and the windows' centres
    in seconds [n]; n is often 0. A chunk is [samples] or [samples, channels] of any length. No more of the sound than a
    window is kept.
    """

    def __init__(
        self, embed: Callable[[np.ndarray, np.ndarray], np.ndarray], window: int, hop: int, model_rate: int, rate: int
    ) -> None:
        """`embed` takes a waveform and the windows' starts."""
        self.embed, self.model_rate, self.windows = embed, model_rate, Windows(window, hop)
        self.resample = resampler(check_rate(rate, "the rate of the stream"), model_rate)
        self.ended = self.failed = False

    def __call__(self, chunk: Any) -> tuple[np.ndarray, np.ndarray]:
        if self.ended:
            raise AudioError("expected no chunk after end(), received one. Begin another stream")
        self._check()
        return self._complete(self.resample(mixed_down(chunk, "the chunk")))

    def end(self) -> tuple[np.ndarray, np.ndarray]:
        """With a window that ends where the sound does, or all of it where it is shorter than one."""
        if self.ended:
            raise AudioError("expected end() once, received another. Begin another stream")
        self._check()
        self.ended = True
        return self._complete(self.resample(NOTHING, last=True))

    def _check(self) -> None:
        if self.failed:
            raise AudioError("this stream failed before and has lost windows. Begin another stream")

    def _complete(self, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sound, begin, starts = self.windows(new, self.ended)
        seconds = (starts + min(self.windows.samples, self.windows.window) / 2) / self.model_rate
        self.failed = True
        vectors = self.embed(sound, starts - begin)
        self.failed = False
        return vectors, seconds
