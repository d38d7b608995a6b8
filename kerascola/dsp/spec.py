"""What every front end's specification has: a rate, and the level that a waveform is brought to first."""

import bisect
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kerascola.errors import RecipeError

MOST_FFT = 1 << 16
Level = Literal["rms", "peak", "none"]


@dataclass(frozen=True, kw_only=True)
class FrontEnd(ABC):
    """`level` is what an embedder does to its window, since it never sees the clip that the window came from.

    rms: scaled to RMS 1 / sqrt(level_samples), the level of a clip of that length and unit norm. peak: without its
    mean, divided by its largest magnitude + 0.005. none: as it is.
    """

    __pydantic_config__ = {"extra": "forbid"}

    sample_rate: int = 16000
    level: Level = "rms"
    level_samples: int = 16000

    def __post_init__(self) -> None:
        check_choices(self)
        if self.sample_rate < 1 or self.level_samples < 1:
            raise RecipeError(
                f"expected sample_rate and level_samples from 1, received {self.sample_rate} and {self.level_samples}"
            )

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one frame of features: () for a waveform, (bands,), or (bands, channels)."""

    @abstractmethod
    def samples(self, frames: int) -> int:
        """The shortest waveform that gives so many frames."""

    def frames(self, samples: int) -> int:
        """How many frames a waveform gives."""
        return bisect.bisect_right(range(1, samples + 2), samples, key=self.samples)

    @property
    def fold(self) -> float | None:
        """How much features grow where the power grows e-fold; None where they are no logarithms of it."""
        return None


@dataclass(frozen=True, kw_only=True)
class Waveform(FrontEnd):
    """No features: the encoder takes the levelled waveform itself, so that a frame is a sample."""

    name: Literal["waveform"] = "waveform"
    level: Level = "none"

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def samples(self, frames: int) -> int:
        return frames


def check_choices(record: Any) -> None:
    """That a dataclass's fields are among their literals, and its numbers finite."""
    for name, kind in get_type_hints(type(record)).items():
        value = getattr(record, name)
        if get_origin(kind) is tuple and get_origin(get_args(kind)[0]) is Literal:
            kind, values = get_args(kind)[0], value or ("none of them",)
        else:
            values = (value,)
        wrong = [v for v in values if get_origin(kind) is Literal and v not in get_args(kind)]
        if wrong:
            raise RecipeError(f"expected {name} of {', '.join(map(str, get_args(kind)))}, received {wrong[0]!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise RecipeError(f"expected a finite {name}, received {value}")


def check_band(low_hz: float, high_hz: float, sample_rate: int) -> None:
    if not 0 <= low_hz < high_hz <= sample_rate / 2:
        raise RecipeError(
            f"expected 0 <= low_hz < high_hz <= sample_rate / 2 = {sample_rate / 2:g}, "
            f"received low_hz {low_hz:g}, high_hz {high_hz:g}"
        )


def check_frames(hop: int, window: int, fft: int) -> None:
    if not 0 < hop <= window <= fft:
        raise RecipeError(f"expected 0 < hop <= window <= fft, received hop {hop}, window {window}, fft {fft}")
    if fft > MOST_FFT:  # its matrices would fill the memory
        raise RecipeError(f"expected fft of at most {MOST_FFT}, received {fft}")


def check_filters(filters: int, window: int, hop: int) -> None:
    if filters < 1 or hop < 1 or window < 3 or window % 2 == 0:
        raise RecipeError(
            f"expected filters and hop from 1 and an odd window from 3, received {filters}, {hop} and {window}"
        )
