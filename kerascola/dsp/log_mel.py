"""What a log-mel spectrogram is computed from; the Keras model and the ONNX graph are both built from this."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from kerascola.dsp.mel import mel_matrix
from kerascola.dsp.spec import FrontEnd, check_band, check_frames
from kerascola.dsp.windows import taper
from kerascola.errors import RecipeError

MOST_MELS = 1 << 12
Centre = Literal["none", "reflect", "zeros"]


@dataclass(frozen=True, kw_only=True)
class LogMel(FrontEnd):
    """A log-mel spectrogram's parameters; the defaults are COLA's (Saeed et al. 2021, section 3)."""

    name: Literal["log_mel"] = "log_mel"
    window: int = 400
    hop: int = 160
    fft: int = 1024
    taper: Literal["rectangular", "hann", "hamming", "blackman", "nuttall", "blackmanharris"] = "hann"
    periodic: bool = True
    centre: Centre = "none"  # or frame t has its middle on sample t * hop, with the ends mirrored or zero beyond
    power: Literal[1, 2] = 1  # of the magnitude
    mels: int = 64
    low_hz: float = 60.0
    high_hz: float = 7800.0
    scale: Literal["htk", "slaney"] = "htk"
    triangles: Literal["mel", "hz"] = "mel"  # over which their sides are straight
    norm: Literal["none", "slaney"] = "none"
    log: Literal["ln", "log10", "db"] = "ln"  # db: 10 log10 of a power, 20 log10 of a magnitude
    floor: float = 1e-5
    floor_by: Literal["clip", "add"] = "clip"
    ceiling: float = 1e8  # of `clip`
    reference: Literal["none", "max"] = "none"  # max: relative to the largest value of the whole spectrogram
    range_db: float | None = None  # below that largest value nothing is kept
    mean: float = 0.0  # the features are (x - mean) / deviation
    deviation: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_frames(self.hop, self.window, self.fft)
        check_band(self.low_hz, self.high_hz, self.sample_rate)
        if not 1 <= self.mels <= MOST_MELS:
            raise RecipeError(f"expected mels from 1 to {MOST_MELS}, received {self.mels}")
        if not 0 < self.floor < self.ceiling:
            raise RecipeError(f"expected 0 < floor < ceiling, received floor {self.floor}, ceiling {self.ceiling}")
        if self.deviation <= 0:
            raise RecipeError(f"expected deviation > 0, received {self.deviation:g}")
        if self.range_db is not None and (self.reference != "max" or self.log != "db" or self.range_db <= 0):
            raise RecipeError(
                f"expected range_db > 0 with `log: db` and `reference: max`, received range_db {self.range_db:g}, "
                f"log {self.log}, reference {self.reference}"
            )
        if not self.mel_matrix().any(axis=0).all():
            raise RecipeError(
                f"{self.mels} mels leave bands without a single bin of a {self.fft}-point transform: "
                "fewer mels or a larger fft"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.mels,)

    @property
    def padding(self) -> tuple[int, int]:
        """Samples before and after the waveform; a window shorter than the transform sits in its middle."""
        return centring(self.centre, self.window, self.fft)

    def taps(self) -> np.ndarray:
        """[window] float64."""
        return taper(self.taper, self.window, self.periodic)

    def mel_matrix(self) -> np.ndarray:
        """[bins, mels] float64."""
        limits = (self.low_hz, self.high_hz)
        return mel_matrix(self.mels, self.fft, self.sample_rate, *limits, self.scale, self.triangles, self.norm)

    def used_bins(self) -> np.ndarray:
        """The consecutive bins that any mel band gives weight to."""
        weighted = np.flatnonzero(self.mel_matrix().any(axis=1))
        return np.arange(weighted[0], weighted[-1] + 1)

    def log_factor(self) -> float:
        """Natural logarithms times this are the unit of `log`."""
        return {"ln": 1.0, "log10": 1 / np.log(10), "db": 20 / self.power / np.log(10)}[self.log]

    def standardised(self, mean: float, deviation: float) -> "LogMel":
        """The same, but of features whose mean and deviation were these at mean 0 and deviation 1."""
        return replace(self, mean=self.mean + self.deviation * mean, deviation=self.deviation * deviation)

    @property
    def fold(self) -> float:
        return float(self.log_factor()) * self.power / 2 / self.deviation

    def samples(self, frames: int) -> int:
        return least_samples(frames, self.window, self.hop, self.padding, self.centre)


def centring(centre: Centre, window: int, fft: int) -> tuple[int, int]:
    if centre == "none":
        return 0, 0
    before = fft // 2 - (fft - window) // 2
    return before, window - before


def least_samples(frames: int, window: int, hop: int, padding: tuple[int, int], centre: Centre) -> int:
    """A mirrored end must be longer than what is mirrored."""
    least = window + (frames - 1) * hop - sum(padding)
    return max(least, max(padding) + 1 if centre == "reflect" else 1)


PRESETS = {
    # Google's COLA.
    "cola": LogMel(),
    # audax: power, centred, torchaudio's triangles.
    "audax": LogMel(
        level_samples=15360, periodic=False, centre="reflect", power=2, triangles="hz", floor=1e-8, level="rms"
    ),
    # COLA_pytorch on FMA: librosa's power mel spectrogram in dB under the clip's loudest, (x + 40) / 40.
    "cola-fma": LogMel(
        level="none",
        window=2048,
        hop=512,
        fft=2048,
        centre="reflect",
        power=2,
        low_hz=0.0,
        high_hz=8000.0,
        scale="slaney",
        triangles="hz",
        norm="slaney",
        log="db",
        floor=1e-10,
        reference="max",
        range_db=80.0,
        mean=-40.0,
        deviation=40.0,
    ),
    # Fonseca et al. 2021 (uclser20): FSDnoisy18k at 22.05 kHz.
    "uclser20": LogMel(
        sample_rate=22050,
        level="peak",
        window=660,
        hop=220,
        fft=2048,
        taper="hamming",
        centre="reflect",
        power=2,
        mels=96,
        low_hz=50.0,
        high_hz=10500.0,
        scale="slaney",
        triangles="hz",
        log="log10",
        floor=1.1e-8,
        floor_by="add",
    ),
}
