"""LEAF's specification and initial parameters (Zeghidour et al. 2021, sections 3.1 to 3.3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerascola.dsp.mel import hz_to_mel, mel_to_hz
from kerascola.dsp.spec import FrontEnd, check_band, check_filters
from kerascola.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Leaf(FrontEnd):
    """Learnt Gabor filters, Gaussian pooling and PCEN, all three from the waveform."""

    name: Literal["leaf"] = "leaf"
    window: int = 401  # of the filters and of the pooling; odd, so that a frame has a middle
    hop: int = 160
    filters: int = 40
    low_hz: float = 60.0
    high_hz: float = 7800.0
    memory: int = 512  # frames that PCEN's smoother weighs one by one; what is older counts as the oldest of them

    def __post_init__(self) -> None:
        super().__post_init__()
        check_filters(self.filters, self.window, self.hop)
        check_band(self.low_hz, self.high_hz, self.sample_rate)
        if self.memory < 2:
            raise RecipeError(f"expected memory from 2 frames, received {self.memory}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.filters,)

    def samples(self, frames: int) -> int:
        """The ends are zero-padded, so that frame t has its middle on sample t * hop."""
        return 1 + (frames - 1) * self.hop

    def gabor(self) -> np.ndarray:
        """[filters, 2]: radians a sample and standard deviation in samples of filters like mel bands.

        As in the paper the bandwidth is where the root of a mel triangle is above one half, three quarters of its
        base; computed on the triangle itself, not on the bins of a transform, which misses the narrow ones.
        """
        edges = mel_to_hz(np.linspace(hz_to_mel(self.low_hz), hz_to_mel(self.high_hz), self.filters + 2))
        widths = 0.75 * (edges[2:] - edges[:-2])
        deviations = np.sqrt(2 * np.log(2)) * self.sample_rate / (np.pi * widths)
        return np.stack([2 * np.pi * edges[1:-1] / self.sample_rate, deviations], axis=1)
