"""Augmentations of spectrograms, [batch, frames, bands] or [batch, frames, bands, channels]."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Augmentation, Drawn, Range, Sound, Tensors, column, uniform
from kerascola.augment.waveform import stretch
from kerascola.errors import RecipeError

Fill = Literal["zero", "min", "mean", "max", "noise"]
BOTH = (1, 2)  # the axes of time and of frequency


@dataclass(frozen=True, kw_only=True)
class SpecAugment(Augmentation):
    """Bars over time and over frequency (Park et al. 2019), each narrower than so many frames or bands."""

    limits: ClassVar = {"time_masks": (0, 100), "frequency_masks": (0, 100)}
    name: Literal["spec_augment"] = "spec_augment"
    time_masks: int = 2
    frames: int = 10
    frequency_masks: int = 2
    bands: int = 10
    fill: Fill = "zero"

    @property
    def noisy(self) -> bool:
        return self.fill == "noise"

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"frames": (0, sound.shape[0]), "bands": (0, sound.shape[1])}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        frames, bands = sound.shape
        drawn = {
            "in_time": [bar(rng, self.frames, frames) for _ in range(self.time_masks)],
            "in_frequency": [bar(rng, self.bands, bands) for _ in range(self.frequency_masks)],
        }
        return {name: bars for name, bars in drawn.items() if bars}

    def apply(self, x, p: Tensors):
        """The masks of a kind are filled one after the other, all with what the whole held before."""
        value = filling(self.fill, x, p.get("noise"))
        for k in range(self.time_masks):
            hidden = stretch(x.shape[1], p["in_time"][:, k, 0], p["in_time"][:, k, 1])
            x = ops.where(along(hidden, x, 1), value, x)
        for k in range(self.frequency_masks):
            hidden = stretch(x.shape[2], p["in_frequency"][:, k, 0], p["in_frequency"][:, k, 1])
            x = ops.where(along(hidden, x, 2), value, x)
        return x


@dataclass(frozen=True, kw_only=True)
class FrameMask(Augmentation):
    """Frames give way to the mean: with probability `start`, and behind a hidden one once more with `again`."""

    limits: ClassVar = {"start": (0, 1), "again": (0, 1)}
    name: Literal["frame_mask"] = "frame_mask"
    start: float = 0.1
    again: float = 0.2

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        hidden = np.zeros(sound.shape[0], bool)
        for frame, (first, second) in enumerate(rng.random((len(hidden), 2))):
            hidden[frame] = first < self.start or (frame > 0 and hidden[frame - 1] and second < self.again)
        return {"hidden": hidden}

    def apply(self, x, p: Tensors):
        return ops.where(along(p["hidden"], x, 1), ops.mean(x, axis=BOTH, keepdims=True), x)


@dataclass(frozen=True, kw_only=True)
class Multiply(Augmentation):
    """All values times one number: a gain on a linear scale, compression or expansion of a logarithmic one."""

    limits: ClassVar = {"by": (0, 100)}
    name: Literal["multiply"] = "multiply"
    by: Range = (0.75, 1.0)

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"factor": uniform(rng, self.by)}

    def apply(self, x, p: Tensors):
        return x * column(p["factor"], x)


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Augmentation):
    """Normal noise on every value, of a standard deviation drawn from a range."""

    limits: ClassVar = {"deviation": (0, 1e6)}
    name: Literal["gaussian_noise"] = "gaussian_noise"
    deviation: Range = (0.0, 0.01)

    @property
    def noisy(self) -> bool:
        return True

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"deviation": uniform(rng, self.deviation)}

    def apply(self, x, p: Tensors):
        return x + column(p["deviation"], x) * p["noise"]


@dataclass(frozen=True, kw_only=True)
class MixBack(Augmentation):
    """Another sound of the batch in the background (Fonseca et al. 2021), `share` of the mixture's energy.

    Powers are mixed, not their logarithms: the energy of the background is first made that of the foreground.
    """

    mixes: ClassVar[bool] = True
    limits: ClassVar = {"share": (0, 1)}
    name: Literal["mix_back"] = "mix_back"
    share: Range = (0.0, 0.05)

    def check_for(self, sound: Sound) -> None:
        if sound.fold is None:
            raise RecipeError(
                "mix_back mixes powers: expected the front end log_mel, whose features are their logarithms"
            )

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"partner": rng.integers(2**31 - 1), "share": uniform(rng, self.share), "fold": sound.fold}

    def apply(self, x, p: Tensors):
        fold, share = column(p["fold"], x), column(p["share"], x)
        fore, back = x / fold, p["other"] / fold
        louder = ops.logsumexp(fore, axis=BOTH, keepdims=True) - ops.logsumexp(back, axis=BOTH, keepdims=True)
        return fold * ops.logaddexp(logarithm(1.0 - share) + fore, logarithm(share) + louder + back)


@dataclass(frozen=True, kw_only=True)
class ResizedCrop(Augmentation):
    """A part of `scale` of the area and of a shape changed by `ratio`, brought back to the whole's size."""

    limits: ClassVar = {"scale": (1e-3, 1), "ratio": (0.01, 100)}
    name: Literal["resized_crop"] = "resized_crop"
    scale: Range = (0.8, 1.0)
    ratio: Range = (3 / 4, 4 / 3)
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        """Ten attempts, then the largest part in the middle whose shape is in the range, as in torchvision."""
        frames, bands = sound.shape
        for _ in range(10):
            area = uniform(rng, self.scale) * frames * bands
            ratio = math.exp(uniform(rng, (math.log(self.ratio[0]), math.log(self.ratio[1]))))
            height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < height <= frames and 0 < width <= bands:
                top = rng.integers(0, frames - height, endpoint=True)
                return {"part": [top, height, rng.integers(0, bands - width, endpoint=True), width]}
        height = min(frames, max(1, round(bands / self.ratio[0])))
        width = min(bands, max(1, round(frames * self.ratio[1])))
        return {"part": [(frames - height) // 2, height, (bands - width) // 2, width]}

    def apply(self, x, p: Tensors):
        top, height, left, width = (p["part"][:, k] for k in range(4))
        rows = resizing(x.shape[1], top, height, self.interpolation)
        columns = resizing(x.shape[2], left, width, self.interpolation)
        return on_bands(columns, on_frames(rows, x))


@dataclass(frozen=True, kw_only=True)
class TimeWarp(Augmentation):
    """One frame moves by up to `frames`, and those between it and the ends are stretched along (Park et al. 2019)."""

    name: Literal["time_warp"] = "time_warp"
    frames: int = 5

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"frames": (0, max(0, (sound.shape[0] - 3) // 2))}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        frames = sound.shape[0]
        here = rng.integers(self.frames + 1, frames - self.frames - 1)
        return {"here": float(here), "to": float(here + rng.integers(-self.frames, self.frames, endpoint=True))}

    def apply(self, x, p: Tensors):
        last = x.shape[1] - 1
        time = ops.expand_dims(ops.arange(last + 1, dtype="float32"), 0)
        here, to = ops.expand_dims(p["here"], -1), ops.expand_dims(p["to"], -1)
        before = time * here / ops.maximum(to, 1.0)
        after = last - (last - time) * (last - here) / ops.maximum(last - to, 1.0)
        source = ops.expand_dims(ops.where(time < to, before, after), -1)
        places = ops.reshape(ops.arange(last + 1, dtype="float32"), (1, 1, -1))
        return on_frames(ops.maximum(1.0 - ops.abs(source - places), 0.0), x)


@dataclass(frozen=True, kw_only=True)
class Blur(Augmentation):
    """Gaussian blur with up to `reach` frames and bands on either side."""

    limits: ClassVar = {"deviation": (0.01, 1e6)}
    name: Literal["blur"] = "blur"
    reach: int = 2
    deviation: float = 20.0  # wide against the kernel, as in uclser20: nearly a plain mean

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"reach": (0, min(sound.shape) - 1)}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        reaches = rng.integers(0, self.reach, size=2, endpoint=True)
        return {"taps": [gaussian(int(reach), self.reach, self.deviation) for reach in reaches]}

    def apply(self, x, p: Tensors):
        for axis in BOTH:
            padding = [[0, 0] for _ in x.shape]
            padding[axis] = [self.reach, self.reach]
            padded = ops.pad(x, padding, mode="reflect")
            length, total = x.shape[axis], 0.0
            for k in range(2 * self.reach + 1):
                part = padded[:, k : k + length] if axis == 1 else padded[:, :, k : k + length]
                total = total + column(p["taps"][:, axis - 1, k], x) * part
            x = total
        return x


@dataclass(frozen=True, kw_only=True)
class TimeReversal(Augmentation):
    """Backwards."""

    name: Literal["time_reversal"] = "time_reversal"
    probability: float = 0.5

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {}

    def apply(self, x, p: Tensors):
        return ops.flip(x, axis=1)


@dataclass(frozen=True, kw_only=True)
class Roll(Augmentation):
    """Circular shifts, later by up to `frames` and higher by up to `bands`."""

    name: Literal["roll"] = "roll"
    frames: int = 30
    bands: int = 0

    def limits_for(self, sound: Sound) -> dict[str, Range]:
        return {"frames": (0, sound.shape[0]), "bands": (0, sound.shape[1])}

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"by": [rng.integers(0, most, endpoint=True) for most in (self.frames, self.bands)]}

    def apply(self, x, p: Tensors):
        for axis in BOTH:
            length = x.shape[axis]
            place = ops.expand_dims(ops.arange(length, dtype="int32"), 0)
            source = (place - p["by"][:, axis - 1 : axis]) % length
            x = ops.take_along_axis(x, along(source, x, axis), axis=axis)
        return x


def bar(rng: np.random.Generator, widest: int, length: int) -> tuple[int, int]:
    """(start, width) of a bar that lies within; the width is whole and below `widest`, as in uclser20."""
    width = min(int(rng.uniform(0, widest)), length)
    return int(rng.integers(0, length - width, endpoint=True)), width


def along(values, x, axis: int):
    """[batch, length] -> an array that lies along `axis` of x."""
    shape = [1] * len(x.shape)
    shape[0], shape[axis] = -1, values.shape[1]
    return ops.reshape(values, shape)


def filling(fill: Fill, x, noise):
    """What masks are filled with, one value a sound or, as noise, a field of the sound's mean and deviation."""
    if fill == "zero":
        return 0.0
    if fill == "min":
        return ops.min(x, axis=BOTH, keepdims=True)
    if fill == "max":
        return ops.max(x, axis=BOTH, keepdims=True)
    mean = ops.mean(x, axis=BOTH, keepdims=True)
    if fill == "mean":
        return mean
    return mean + ops.sqrt(ops.mean((x - mean) ** 2, axis=BOTH, keepdims=True)) * noise


def logarithm(share):
    """Finite also of nothing."""
    return ops.log(ops.maximum(share, 1e-30))


def resizing(size: int, start, length, interpolation: str):
    """[batch, size, size]: the weights that make `size` values of `length` ones from `start`.

    Each new value is at the middle of its share of the part; neighbours beyond the part do not count.
    """
    new = ops.expand_dims(ops.arange(size, dtype="float32"), 0) + 0.5
    start, length = (ops.expand_dims(ops.cast(v, "float32"), -1) for v in (start, length))
    centre = ops.expand_dims(start + new * length / size, -1)
    old = ops.reshape(ops.arange(size, dtype="float32") + 0.5, (1, 1, -1))
    away = ops.abs(old - centre)
    weights = ops.maximum(1.0 - away, 0.0) if interpolation == "bilinear" else cubic(away)
    start, length = ops.expand_dims(start, -1), ops.expand_dims(length, -1)
    within = ops.logical_and(old > start, old < start + length)
    weights = ops.where(within, weights, 0.0)
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def cubic(away):
    """Keys's kernel at a = -0.5."""
    near = (1.5 * away - 2.5) * away * away + 1.0
    far = ((-0.5 * away + 2.5) * away - 4.0) * away + 2.0
    return ops.where(away < 1.0, near, ops.where(away < 2.0, far, 0.0))


def on_frames(weights, x):
    """weights [batch, new, old] on x's axis of time."""
    flat = ops.reshape(x, (-1, x.shape[1], math.prod(x.shape[2:])))
    return ops.reshape(ops.matmul(weights, flat), (-1, *x.shape[1:]))


def on_bands(weights, x):
    """The same on its axis of frequency."""
    if len(x.shape) == 3:
        return ops.matmul(x, ops.swapaxes(weights, 1, 2))
    return ops.matmul(ops.expand_dims(weights, 1), x)


def gaussian(reach: int, room: int, deviation: float) -> np.ndarray:
    """[2 * room + 1]: taps up to `reach` from the middle, their sum 1."""
    place = np.arange(-room, room + 1)
    taps = np.where(np.abs(place) <= reach, np.exp(-0.5 * (place / deviation) ** 2), 0)
    return taps / taps.sum()
