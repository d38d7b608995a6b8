"""What CLAR's three-channel spectrogram is computed from (Al-Tahan & Mohsenzadeh 2021, section 3.1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerascola.dsp.log_mel import Centre, centring, least_samples
from kerascola.dsp.mel import mel_matrix
from kerascola.dsp.spec import FrontEnd, Level, check_band, check_frames
from kerascola.dsp.windows import taper
from kerascola.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Spectra(FrontEnd):
    """Magnitude in dB and phase at log-spaced frequencies, and a mel spectrogram in dB, as three channels.

    Where the magnitude is under `phase_floor` of the spectrogram's largest, the phase is rounding and little else: it
    is zero there, and from twice that floor on it counts in full.
    """

    name: Literal["spectra"] = "spectra"
    level: Level = "none"
    window: int = 2048
    hop: int = 128
    centre: Centre = "reflect"
    bands: int = 128  # of each channel
    low_hz: float = 40.0
    high_hz: float = 8000.0
    floor: float = 1e-5  # of the magnitude and of the mel power
    phase_floor: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_frames(self.hop, self.window, self.window)
        check_band(self.low_hz, self.high_hz, self.sample_rate)
        if self.low_hz == 0:
            raise RecipeError("expected low_hz above 0, as the frequencies are spaced by ratios; received 0")
        if self.bands < 1 or not self.floor > 0 or not 0 < self.phase_floor < 1:
            raise RecipeError(
                "expected bands from 1, floor > 0 and 0 < phase_floor < 1, "
                f"received {self.bands}, {self.floor:g} and {self.phase_floor:g}"
            )
        if not self.mel_matrix().any():
            raise RecipeError(
                f"expected a bin of a {self.window}-point transform between low_hz and high_hz, "
                f"received {self.low_hz:g} and {self.high_hz:g}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.bands, 3)

    @property
    def padding(self) -> tuple[int, int]:
        return centring(self.centre, self.window, self.window)

    def taps(self) -> np.ndarray:
        """[window] float64."""
        return taper("hann", self.window)

    def cycles(self) -> np.ndarray:
        """[bands] cycles a window: from `low_hz` up by one ratio, the last a step below `high_hz`."""
        steps = np.arange(self.bands) / self.bands
        return self.low_hz * (self.high_hz / self.low_hz) ** steps * self.window / self.sample_rate

    def mel_matrix(self) -> np.ndarray:
        """[bins, bands] float64, as librosa draws them; a band may be narrower than a bin and stay empty."""
        limits = (self.low_hz, self.high_hz)
        return mel_matrix(self.bands, self.window, self.sample_rate, *limits, "slaney", "hz", "slaney")

    def samples(self, frames: int) -> int:
        return least_samples(frames, self.window, self.hop, self.padding, self.centre)
