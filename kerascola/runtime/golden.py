"""A sound that anyone can compute, by which a checkpoint is known again on any machine and backend."""

import numpy as np

from kerascola.errors import ZooError
from kerascola.runtime.record import Golden

# With noise under it: where most of a spectrum is empty, float32 itself is off.
SOUND = (
    "sample n at r Hz: g (0.2 sin(2 pi 440 n / r) + 0.1 sin(2 pi 1760 n / r)) + 0.05 (x[n] / 2**31 - 1), where g is 1 "
    "for even floor(8 n / r) and else 0; x[0] = 1 and x[n + 1] = (1664525 x[n] + 1013904223) mod 2**32"
)


def sound(rate: int, samples: int) -> np.ndarray:
    """float32 [samples]: what SOUND says."""
    steps, state = np.empty(samples), 1
    for n in range(samples):
        steps[n] = state
        state = (1664525 * state + 1013904223) % 2**32
    place = np.arange(samples)
    gate = (8 * place // rate) % 2 == 0
    tones = 0.2 * np.sin(2 * np.pi * 440 * place / rate) + 0.1 * np.sin(2 * np.pi * 1760 * place / rate)
    return (gate * tones + 0.05 * (steps / 2**31 - 1)).astype(np.float32)


def difference(embedding: np.ndarray, golden: Golden, kind: str, what: str) -> float:
    """The largest of a number; ZooError where it is above what the record allows files of this kind."""
    expected = np.array(golden.embedding)
    if embedding.shape != expected.shape or not np.isfinite(embedding).all():
        raise ZooError(f"{what}: expected {len(expected)} finite numbers, received the shape {list(embedding.shape)}")
    found = float(np.abs(embedding - expected).max())
    if found > golden.tolerance[kind]:
        raise ZooError(
            f"{what}: expected the embedding in the record within {golden.tolerance[kind]:.2g}, received a difference "
            f"of {found:.2g}"
        )
    return found
