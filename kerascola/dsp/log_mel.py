"""What a log-mel spectrogram is computed from; the Keras model and the ONNX graph are both built from this."""

from dataclasses import dataclass

import numpy as np

from kerascola.dsp.mel import htk_mel_matrix
from kerascola.errors import RecipeError


@dataclass(frozen=True)
class LogMel:
    """A log-mel spectrogram's parameters; the defaults are COLA's (Saeed et al. 2021, section 3)."""

    __pydantic_config__ = {"extra": "forbid"}

    sample_rate: int = 16000
    window: int = 400
    hop: int = 160
    fft: int = 1024
    mels: int = 64
    low_hz: float = 60.0
    high_hz: float = 7800.0
    floor: float = 1e-5
    ceiling: float = 1e8
    level_samples: int = 16000  # a waveform is scaled to RMS 1/sqrt(level_samples): a unit-norm clip of that length

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.fft:
            raise RecipeError(
                f"expected 0 < hop <= window <= fft, received hop {self.hop}, window {self.window}, fft {self.fft}"
            )
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise RecipeError(
                f"expected 0 <= low_hz < high_hz <= sample_rate / 2 = {self.sample_rate / 2:g}, "
                f"received low_hz {self.low_hz:g}, high_hz {self.high_hz:g}"
            )
        if self.mels < 1 or self.level_samples < 1:
            raise RecipeError(f"expected mels and level_samples from 1, received {self.mels} and {self.level_samples}")
        if not 0 < self.floor < self.ceiling:
            raise RecipeError(f"expected 0 < floor < ceiling, received floor {self.floor}, ceiling {self.ceiling}")
        if not self.mel_matrix().any(axis=0).all():
            raise RecipeError(
                f"{self.mels} mels leave bands without a single bin of a {self.fft}-point transform: "
                "fewer mels or a larger fft"
            )

    def mel_matrix(self) -> np.ndarray:
        """[bins, mels] float64."""
        return htk_mel_matrix(self.mels, self.fft, self.sample_rate, self.low_hz, self.high_hz)

    def used_bins(self) -> np.ndarray:
        """The consecutive bins that any mel band gives weight to."""
        weighted = np.flatnonzero(self.mel_matrix().any(axis=1))
        return np.arange(weighted[0], weighted[-1] + 1)

    def samples(self, frames: int) -> int:
        """The shortest waveform that gives so many frames."""
        return self.window + (frames - 1) * self.hop


PRESETS = {"cola": LogMel()}
