"""Where the windows of a clip start."""

import numpy as np

from kerascola.audio.resample import NOTHING
from kerascola.errors import AudioError


def windows(samples: int, window: int, hop: int) -> np.ndarray:
    """Starts [n] of the full windows, and of one more at the very end if they leave a rest.

    A clip shorter than a window is one window at 0, of the clip's own length.
    """
    if min(samples, window, hop) < 1:
        raise AudioError(
            f"expected a clip, a window and a hop of at least one sample each, received {samples}, {window} and {hop}"
        )
    if samples <= window:
        return np.zeros(1, np.int64)
    starts = np.arange(0, samples - window + 1, hop, dtype=np.int64)
    rest = starts[-1] + window < samples
    return np.append(starts, samples - window) if rest else starts


class Windows:
    """Of a sound that comes in pieces: windows(piece, last=False) -> those that it completes, together what `windows`
    gives of the whole. No more of the sound than a window is kept."""

    def __init__(self, window: int, hop: int) -> None:
        self.window, self.hop = window, hop
        self.kept, self.begin = NOTHING, 0  # the end of the sound, and where in it that begins
        self.next = 0  # where the next window starts

    @property
    def samples(self) -> int:
        """That came so far."""
        return self.begin + len(self.kept)

    def __call__(self, piece: np.ndarray, last: bool = False) -> tuple[np.ndarray, int, np.ndarray]:
        """A stretch of the sound, where that begins, and where in the whole sound the windows in it start."""
        sound, begin = np.concatenate([self.kept, piece]), self.begin
        total = begin + len(sound)
        starts = np.arange(self.next, total - self.window + 1, self.hop)
        self.next += self.hop * len(starts)
        reached = self.next - self.hop + self.window if self.next else 0
        if last and total > reached:
            starts = np.append(starts, max(0, total - self.window))
        self.begin = max(begin, min(self.next, total - self.window))
        self.kept = sound[self.begin - begin :].copy()
        return sound, begin, starts
