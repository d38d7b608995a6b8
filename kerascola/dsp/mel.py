"""Mel filterbanks, in float64."""

import numpy as np


def hz_to_htk_mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


def htk_mel_matrix(bands: int, fft: int, sample_rate: int, low_hz: float, high_hz: float) -> np.ndarray:
    """[fft // 2 + 1, bands] triangles of height 1, linear in mels (as TensorFlow draws them); DC has no weight."""
    bins = hz_to_htk_mel(np.arange(fft // 2 + 1) * sample_rate / fft)[:, None]
    edges = np.linspace(hz_to_htk_mel(low_hz), hz_to_htk_mel(high_hz), bands + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    triangles[0] = 0.0
    return np.maximum(triangles, 0.0)
