"""NumPy by the names of keras.ops, for what is made without Keras."""

from typing import Any

import numpy as np


def __getattr__(name: str) -> Any:
    return getattr(np, name)


def cast(x: Any, dtype: str) -> np.ndarray:
    return np.asarray(x).astype(dtype)


def convert_to_tensor(x: Any) -> np.ndarray:
    return np.asarray(x)


def rfft(x: np.ndarray, fft_length: int) -> tuple[np.ndarray, np.ndarray]:
    found = np.fft.rfft(x, fft_length)
    return found.real.astype(np.float32), found.imag.astype(np.float32)


def irfft(x: tuple[np.ndarray, np.ndarray], fft_length: int) -> np.ndarray:
    return np.fft.irfft(x[0] + 1j * x[1], fft_length).astype(np.float32)
