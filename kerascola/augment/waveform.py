"""Augmentations of waveforms, [batch, samples]."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Augmentation, Drawn, Range, Sound, Tensors, column, uniform
from kerascola.augment.fourier import coloured, constant, convolved, filtered

SILENT = 1e-20  # of a power: what is quieter has none; a clip of unit norm is quiet, and squares more so
HEARD_HZ = 20.0  # below it coloured noise is flat: all its power would lie where nobody hears it
COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0}  # their power falls by so many powers of the frequency
Curve = Literal["linear", "quadratic", "logarithmic", "exponential", "quarter_sine", "half_sine"]
CURVES: tuple[Curve, ...] = get_args(Curve)
STEPS = 2**15  # of a fade's gain: their edges lie 80 dB below the sound
TINY_FREQUENCY = 1e-6  # cycles a sample, in the place of zero


@dataclass(frozen=True, kw_only=True)
class Gain(Augmentation):
    """Louder or quieter."""

    limits: ClassVar = {"db": (-100, 100)}
    name: Literal["gain"] = "gain"
    db: Range = (-6.0, 6.0)

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"factor": 10 ** (uniform(rng, self.db) / 20)}

    def apply(self, x, p: Tensors):
        return x * column(p["factor"], x)


@dataclass(frozen=True, kw_only=True)
class Polarity(Augmentation):
    """Upside down."""

    name: Literal["polarity"] = "polarity"
    probability: float = 0.5

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {}

    def apply(self, x, p: Tensors):
        return -x


@dataclass(frozen=True, kw_only=True)
class Noise(Augmentation):
    """White, pink or brown noise, `snr_db` below the sound's own power."""

    limits: ClassVar = {"snr_db": (-100, 200)}
    name: Literal["noise"] = "noise"
    snr_db: Range = (0.0, 20.0)
    colours: tuple[Literal["white", "pink", "brown"], ...] = ("white", "pink", "brown")

    @property
    def noisy(self) -> bool:
        return True

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        colour = self.colours[rng.integers(len(self.colours))]
        level = 10 ** (-uniform(rng, self.snr_db) / 20)
        return {"slope": COLOURS[colour], "level": level, "corner": HEARD_HZ / sound.sample_rate}

    def apply(self, x, p: Tensors):
        noise = p["noise"]
        if set(self.colours) != {"white"}:
            noise = coloured(noise, p["slope"], p["corner"])
        return x + column(p["level"], x) * rms(x) / rms(noise) * noise


@dataclass(frozen=True, kw_only=True)
class Mix(Augmentation):
    """Another sound of the batch, `snr_db` below this one's power."""

    mixes: ClassVar[bool] = True
    limits: ClassVar = {"snr_db": (-100, 200)}
    name: Literal["mix"] = "mix"
    snr_db: Range = (5.0, 20.0)

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"partner": rng.integers(2**31 - 1), "level": 10 ** (-uniform(rng, self.snr_db) / 20)}

    def apply(self, x, p: Tensors):
        return x + column(p["level"], x) * rms(x) / rms(p["other"]) * p["other"]


@dataclass(frozen=True, kw_only=True)
class Fade(Augmentation):
    """In and out, each over up to `longest` of the sound, along one of the `curves`."""

    limits: ClassVar = {"longest": (0, 0.5)}  # so that the two do not meet
    name: Literal["fade"] = "fade"
    longest: float = 0.5
    curves: tuple[Curve, ...] = CURVES

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        most = int(self.longest * sound.shape[0])
        rise, fall = rng.integers(0, most, size=2, endpoint=True)
        return {"rise": rise, "fall": fall, "curve": rng.integers(len(self.curves))}

    def apply(self, x, p: Tensors):
        time = ops.expand_dims(ops.arange(x.shape[1], dtype="float32"), 0)
        rise = progress(time, column(p["rise"], x))
        fall = progress(x.shape[1] - 1 - time, column(p["fall"], x))
        step = ops.cast(STEPS * ops.minimum(ops.minimum(rise, fall), 1.0) + 0.5, "int32")
        table = constant(np.concatenate([curve(name, np.linspace(0, 1, STEPS + 1)) for name in self.curves]))
        return x * ops.take(table, step + (STEPS + 1) * column(p["curve"], x), axis=0)


@dataclass(frozen=True, kw_only=True)
class TimeMask(Augmentation):
    """A stretch of `share` of the sound gives way to silence, or to faint noise."""

    limits: ClassVar = {"share": (0, 1), "noise": (0, 1)}
    name: Literal["time_mask"] = "time_mask"
    share: Range = (0.0, 0.125)
    noise: float = 0.1  # its level, times the sound's

    @property
    def noisy(self) -> bool:
        return self.noise > 0

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        length = int(uniform(rng, self.share) * sound.shape[0])
        return {"start": rng.integers(0, sound.shape[0] - length, endpoint=True), "length": length}

    def apply(self, x, p: Tensors):
        filling = self.noise * rms(x) * p["noise"] if self.noisy else 0.0
        return ops.where(stretch(x.shape[1], p["start"], p["length"]), filling, x)


@dataclass(frozen=True, kw_only=True)
class TimeShift(Augmentation):
    """Earlier or later by up to `most` of the sound; what leaves at one end enters at the other, or silence does."""

    limits: ClassVar = {"most": (0, 1)}
    name: Literal["time_shift"] = "time_shift"
    most: float = 0.5
    circular: bool = True

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        most = int(self.most * sound.shape[0])
        return {"shift": rng.integers(-most, most, endpoint=True)}

    def apply(self, x, p: Tensors):
        samples = x.shape[1]
        source = ops.arange(samples, dtype="int32") - column(p["shift"], x)
        shifted = ops.take_along_axis(x, source % samples, axis=1)
        if self.circular:
            return shifted
        within = ops.logical_and(source >= 0, source < samples)
        return ops.where(within, shifted, 0.0)


@dataclass(frozen=True, kw_only=True)
class Cut(Augmentation):
    """A Butterworth's gains about a frequency in a range: -3 dB there, `order` times 6 dB an octave beyond."""

    limits: ClassVar = {"order": (1, 32)}
    hz: Range = (20.0, 2400.0)
    order: int = 4

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"hz": heard(sound)}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"cut": log_uniform(rng, self.hz) / sound.sample_rate}


@dataclass(frozen=True, kw_only=True)
class LowPass(Cut):
    """Without what is above a frequency: -3 dB there, `order` times 6 dB an octave beyond, no delay."""

    name: Literal["low_pass"] = "low_pass"
    hz: Range = (150.0, 3500.0)

    def apply(self, x, p: Tensors):
        return filtered(x, lambda f: butterworth(f / column(p["cut"], x), self.order))


@dataclass(frozen=True, kw_only=True)
class HighPass(Cut):
    """Without what is below a frequency: -3 dB there, `order` times 6 dB an octave beyond, no delay."""

    name: Literal["high_pass"] = "high_pass"

    def apply(self, x, p: Tensors):
        return filtered(x, lambda f: butterworth(column(p["cut"], x) / ops.maximum(f, TINY_FREQUENCY), self.order))


@dataclass(frozen=True, kw_only=True)
class BandEq(Augmentation):
    """A bell round a frequency, raised or lowered; half the decibels are left `octaves` / 2 away."""

    limits: ClassVar = {"db": (-60, 60), "octaves": (0.05, 10)}
    name: Literal["band_eq"] = "band_eq"
    hz: Range = (100.0, 4000.0)
    db: Range = (-12.0, 12.0)
    octaves: Range = (0.5, 2.0)

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"hz": heard(sound)}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        centre = log_uniform(rng, self.hz) / sound.sample_rate
        return {"centre": centre, "db": uniform(rng, self.db), "octaves": uniform(rng, self.octaves)}

    def apply(self, x, p: Tensors):
        centre, db, octaves = (column(p[key], x) for key in ("centre", "db", "octaves"))

        def response(f):
            away = (ops.log(ops.maximum(f, TINY_FREQUENCY)) - ops.log(centre)) / (math.log(2) * 0.5 * octaves)
            return ops.exp(math.log(10) / 20 * db * ops.exp(-math.log(2) * away * away))

        return filtered(x, response)


@dataclass(frozen=True, kw_only=True)
class Reverb(Augmentation):
    """A room: the sound, and behind it noise that decays by 60 dB over `seconds`, `wet_db` of its power."""

    limits: ClassVar = {"seconds": (0.001, 30), "wet_db": (-100, 40)}
    name: Literal["reverb"] = "reverb"
    seconds: Range = (0.1, 0.8)
    wet_db: Range = (-20.0, 0.0)

    @property
    def noisy(self) -> bool:
        return True

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        samples = uniform(rng, self.seconds) * sound.sample_rate
        return {"decay": math.log(1000) / samples, "wet": 10 ** (uniform(rng, self.wet_db) / 20)}

    def apply(self, x, p: Tensors):
        """The tail's taps have as much energy as `wet` says; the direct sound stays where it is."""
        time = ops.expand_dims(ops.arange(x.shape[1], dtype="float32"), 0)
        tail = p["noise"] * ops.exp(-column(p["decay"], x) * time) * ops.cast(time > 0, "float32")
        energy = ops.sum(tail * tail, axis=1, keepdims=True)
        return x + column(p["wet"], x) * convolved(x, tail * ops.rsqrt(ops.maximum(energy, SILENT)))


def heard(sound: Sound) -> Range:
    """The frequencies that a sound can have."""
    return 1.0, sound.sample_rate / 2


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """As pitch is heard."""
    return math.exp(uniform(rng, (math.log(bounds[0]), math.log(bounds[1]))))


def rms(x):
    return ops.sqrt(ops.maximum(ops.mean(x * x, axis=1, keepdims=True), SILENT))


def stretch(length: int, start, count):
    """[batch, length]: True from `start` for `count`."""
    place = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    start, count = ops.expand_dims(start, -1), ops.expand_dims(count, -1)
    return ops.logical_and(place >= start, place < start + count)


def progress(time, length):
    """From 0 at the start to 1 at the last sample of a fade over `length` samples, and on beyond 1."""
    length = ops.cast(length, "float32")
    return time / ops.maximum(length - 1.0, 1.0) + ops.cast(length < 1.0, "float32")


def curve(name: Curve, t: np.ndarray) -> np.ndarray:
    """The gain of a fade that is `t` of its way up, 1 at 1."""
    if name == "linear":
        return t
    if name == "quadratic":
        return t * t
    if name == "logarithmic":
        return np.clip(np.log10(0.1 + t) + 1.0, 0.0, 1.0)
    if name == "exponential":
        return np.exp2(t - 1.0) * t
    if name == "quarter_sine":
        return np.sin(0.5 * np.pi * t)
    return 0.5 - 0.5 * np.cos(np.pi * t)


def butterworth(ratio, order: int):
    """The gain at so many times the cut-off frequency."""
    return ops.rsqrt(1.0 + whole_power(ratio * ratio, order))


def whole_power(x, exponent: int):
    """By squaring: a power of any exponent takes ten times as long."""
    power = None
    while exponent:
        if exponent % 2:
            power = x if power is None else power * x
        exponent //= 2
        x = x * x if exponent else x
    return power
