"""Mono float32 from one sample rate to another, block by block."""

import math
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np
import soxr

from kerascola.errors import AudioError

NOTHING = np.zeros(0, np.float32)
LOWEST, HIGHEST = 100, 10_000_000  # Hz; soxr crashes the process at ratios far outside of these


def check_rate(rate: Any, what: str) -> int:
    """The rate as an int; `what` names it in the error."""
    number = isinstance(rate, Real) and not isinstance(rate, bool | np.bool_) and math.isfinite(rate)
    if not number or rate != int(rate) or not LOWEST <= rate <= HIGHEST:
        raise AudioError(
            f"{what}: expected a whole number of Hz from {LOWEST} to {HIGHEST}, received {rate!r}. "
            "Give the rate that the sound was recorded at, such as 16000 or 44100"
        )
    return int(rate)


def resample(blocks: Iterable[np.ndarray], source_rate: int, rate: int) -> Iterator[np.ndarray]:
    """Sample k of what comes out is the sound at second k / rate, however it was cut into blocks."""
    step = resampler(source_rate, rate)
    for block in blocks:
        yield step(block)
    if source_rate != rate:
        yield step(NOTHING, last=True)


def resampler(source_rate: int, rate: int) -> Callable[..., np.ndarray]:
    """block, last=False -> what is known of the sound at the other rate by then."""
    if source_rate == rate:
        return lambda block, last=False: block
    stream = soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="HQ")
    return lambda block, last=False: stream.resample_chunk(np.ascontiguousarray(block), last=last)
