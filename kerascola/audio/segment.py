"""Where the windows of a clip start."""

import numpy as np

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
