"""Mel filterbanks, in float64."""

import numpy as np

# Slaney's scale (Auditory Toolbox, 1998): 3 mels a 200 Hz up to 1 kHz, then 27 to every factor of 6.4.
SLANEY_BREAK_HZ, SLANEY_BREAK, SLANEY_STEP = 1000.0, 15.0, np.log(6.4) / 27


def hz_to_mel(hz: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return 1127.0 * np.log1p(hz / 700.0)
    above = SLANEY_BREAK + np.log(np.maximum(hz, SLANEY_BREAK_HZ) / SLANEY_BREAK_HZ) / SLANEY_STEP
    return np.where(hz < SLANEY_BREAK_HZ, hz * 3 / 200, above)


def mel_to_hz(mel: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * np.expm1(mel / 1127.0)
    above = SLANEY_BREAK_HZ * np.exp(SLANEY_STEP * (np.maximum(mel, SLANEY_BREAK) - SLANEY_BREAK))
    return np.where(mel < SLANEY_BREAK, mel * 200 / 3, above)


def mel_matrix(
    bands: int,
    fft: int,
    sample_rate: int,
    low_hz: float,
    high_hz: float,
    scale: str = "htk",
    triangles: str = "mel",
    norm: str = "none",
) -> np.ndarray:
    """[fft // 2 + 1, bands] triangles whose corners lie evenly in mels.

    Their sides are straight over mels, as TensorFlow draws them, or over Hz, as librosa and
    torchaudio do. Each is 1 high, or under `slaney` norm of area 1 over Hz.
    """
    corners = np.linspace(hz_to_mel(low_hz, scale), hz_to_mel(high_hz, scale), bands + 2)
    hz = np.arange(fft // 2 + 1) * sample_rate / fft
    in_mels = triangles == "mel"
    bins = (hz_to_mel(hz, scale) if in_mels else hz)[:, None]
    edges = corners if in_mels else mel_to_hz(corners, scale)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)), 0.0)
    if norm == "slaney":
        corners_hz = mel_to_hz(corners, scale)
        weights *= 2.0 / (corners_hz[2:] - corners_hz[:-2])
    return weights
