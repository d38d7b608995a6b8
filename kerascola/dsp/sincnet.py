"""SincNet's specification and initial parameters (Ravanelli & Bengio 2018, section 2)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerascola.dsp.mel import hz_to_mel, mel_to_hz
from kerascola.dsp.spec import FrontEnd, check_filters
from kerascola.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class SincNet(FrontEnd):
    """Learnt band-pass filters, the largest value of each hop, layer normalisation over the filters."""

    name: Literal["sincnet"] = "sincnet"
    window: int = 401
    hop: int = 160
    filters: int = 40
    least_low_hz: float = 50.0
    least_band_hz: float = 50.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_filters(self.filters, self.window, self.hop)
        least = self.least_low_hz, self.least_band_hz
        if min(least) <= 0 or 2 * sum(least) >= self.sample_rate / 2:
            raise RecipeError(
                "expected least_low_hz and least_band_hz above 0 and well under sample_rate / 2 = "
                f"{self.sample_rate / 2:g}, received {least[0]:g} and {least[1]:g}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.filters,)

    def samples(self, frames: int) -> int:
        """The ends are zero-padded, so that frame t has its middle on sample t * hop."""
        return 1 + (frames - 1) * self.hop

    def bands(self) -> np.ndarray:
        """[filters, 2] Hz: what is added to the least low edge and to the least width, evenly over mels."""
        high = self.sample_rate / 2 - (self.least_low_hz + self.least_band_hz)
        edges = mel_to_hz(np.linspace(hz_to_mel(self.least_low_hz), hz_to_mel(high), self.filters + 1))
        return np.stack([edges[:-1], np.diff(edges)], axis=1)
