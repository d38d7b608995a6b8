"""Analysis windows, in float64."""

import numpy as np


def periodic_hann(length: int) -> np.ndarray:
    """Hann window of period `length`: w[0] = 0 and w[n] = w[length - n]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
