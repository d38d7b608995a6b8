"""Analysis windows, in float64."""

import numpy as np

# Sums of cosines, w[n] = a0 - a1 cos(x) + a2 cos(2x) - ..., by the name that SciPy gives them.
COSINES: dict[str, tuple[float, ...]] = {
    "rectangular": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
}


def taper(name: str, length: int, periodic: bool = True) -> np.ndarray:
    """[length]; a periodic window is the first `length` points of the symmetric one that is a point longer."""
    if length == 1:
        return np.ones(1)
    angle = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    return sum(a * (-1) ** k * np.cos(k * angle) for k, a in enumerate(COSINES[name])) + np.zeros(length)
