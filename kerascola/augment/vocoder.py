"""Pitch without tempo and tempo without pitch: a phase vocoder (Flanagan and Golden 1966; Dolson 1986) on a batch.

Each sound has a rate of its own, so nothing may depend on how long its result is: time is read at whole multiples of a
step in fixed point, the same on every backend, and what lies beyond a sound's end is silence.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Augmentation, Drawn, Range, Sound, Tensors, uniform
from kerascola.augment.fourier import constant, fast_length, frequencies
from kerascola.dsp.windows import taper

Window = Literal[256, 512, 1024, 2048, 4096]
OVERLAP = 4  # windows over each sample
SILENT = 1e-6  # of a sound's largest magnitude: there a phase is rounding noise and is taken to be zero
TINY = 1e-20  # a power is never zero
FINER = 2  # times the rate, through whose samples a cubic spline runs; a power of two
RAMP = 0.03  # cycles a sample, over which the filter before a resampling falls
EDGE = 64  # zeros before a sound that is interpolated, so that its two ends do not ring into each other


@dataclass(frozen=True, kw_only=True)
class TimeStretch(Augmentation):
    """Faster (rate above 1) or slower at the same pitch; cut, or ended by silence, at the length that it had."""

    limits: ClassVar = {"rate": (0.1, 10)}
    name: Literal["time_stretch"] = "time_stretch"
    rate: Range = (0.5, 1.5)
    window: Window = 2048

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        return {"rate": fixed_point(uniform(rng, self.rate), bits_for(frames(sound.shape[0], self.window)))}

    def apply(self, x, p: Tensors):
        return stretched(x, p["rate"], x.shape[1], self.window)


@dataclass(frozen=True, kw_only=True)
class PitchShift(Augmentation):
    """Higher or lower by whole `semitones` at the same tempo."""

    limits: ClassVar = {"semitones": (-24, 24)}
    name: Literal["pitch_shift"] = "pitch_shift"
    semitones: tuple[int, int] = (-15, 15)
    window: Window = 2048

    def sample(self, rng: np.random.Generator, sound: Sound) -> Drawn:
        factor = 2 ** (rng.integers(*self.semitones, endpoint=True) / 12)
        step = fixed_point(factor, bits_for(sound.shape[0]))
        exactly = step / 2 ** bits_for(sound.shape[0])
        return {
            "rate": fixed_point(1 / exactly, bits_for(frames(self.longest(sound.shape[0]), self.window))),
            "step": step,
        }

    def apply(self, x, p: Tensors):
        """Slower, as many times as it is then read faster."""
        longest = self.longest(x.shape[1])
        slower = stretched(x, p["rate"], longest, self.window)
        return resampled(slower, p["step"], x.shape[1])

    def longest(self, samples: int) -> int:
        return int(samples * 2 ** (self.semitones[1] / 12)) + 1


def fixed_point(value: float, bits: int) -> int:
    return round(value * 2**bits)


def bits_for(count: int) -> int:
    """How fine a step may be, `count` of whose fractions fit 31 bits."""
    return min(16, 31 - count.bit_length())


def whole_and_fraction(step, count: int, bits: int):
    """step [batch] in fixed point -> its multiples from 0 on, [batch, count], int32 and float32."""
    times = ops.expand_dims(ops.arange(count, dtype="int32"), 0)
    step, below = ops.expand_dims(step, -1), 2**bits - 1
    parts = times * ops.bitwise_and(step, below)
    whole = times * ops.right_shift(step, bits) + ops.right_shift(parts, bits)
    return whole, ops.cast(ops.bitwise_and(parts, below), "float32") * float(2.0**-bits)


def frames(samples: int, window: int) -> int:
    """How many overlap to make so many samples."""
    return samples // (window // OVERLAP) + 3


def rows(x, index):
    """x [n, batch, ...], index [m, batch] -> [m, batch, ...]"""
    n, batch = x.shape[0], ops.shape(x)[1]
    flat = ops.reshape(x, (-1, *x.shape[2:]))
    return ops.take(flat, ops.clip(index, 0, n - 1) * batch + ops.arange(batch, dtype="int32"), axis=0)


def resampled(x, step, count: int):
    """x read every `step` samples, [batch, count], along a cubic spline through `FINER` times as many samples.

    What would fold back above half the new rate is filtered out, and what the spline's bells take from high
    frequencies is given back beforehand.
    """
    bits, length = bits_for(count), fast_length(x.shape[1] + 2 * EDGE)
    real, imaginary = ops.rfft(ops.pad(x, [[0, 0], [EDGE, 0]]), fft_length=length)
    ratio = ops.cast(ops.expand_dims(step, -1), "float32") * float(2.0**-bits)
    heard = ops.clip((0.5 - frequencies(length) * ops.maximum(ratio, 1.0)) / RAMP, 0.0, 1.0)
    bells = constant((2 + np.cos(2 * np.pi / FINER * np.arange(length // 2 + 1) / length)) / 3)
    gains = FINER * heard / bells
    finer = ops.irfft((real * gains, imaginary * gains), fft_length=FINER * length)

    whole, t = whole_and_fraction(step, count, bits - FINER.bit_length() + 1)  # in finer samples
    first = whole + FINER * EDGE - 1
    a, b, c, d = (ops.take_along_axis(finer, first + k, axis=1) for k in range(4))
    u = 1.0 - t
    outer = u * u * u * a + t * t * t * d
    inner = (2 / 3 - t * t * (1.0 - 0.5 * t)) * b + (2 / 3 - u * u * (1.0 - 0.5 * u)) * c
    return outer / 6 + inner


def stretched(x, rate, samples: int, window: int):
    """x [batch, n] played `rate` times as fast, its first `samples`.

    Phases are kept as directions, which turn from frame to frame as the sound's own do: sums of angles would need
    sines and arcs of all of them.
    """
    hop = window // OVERLAP
    real, imaginary = transform(x, window, hop)
    power = ops.maximum(real * real + imaginary * imaginary, TINY)
    inverted = ops.rsqrt(power)
    heard = power > SILENT**2 * ops.max(power, axis=(0, 2), keepdims=True)
    cos = ops.stop_gradient(ops.where(heard, real * inverted, 1.0))
    sin = ops.stop_gradient(ops.where(heard, imaginary * inverted, 0.0))
    turns = (cos[1:] * cos[:-1] + sin[1:] * sin[:-1], sin[1:] * cos[:-1] - cos[1:] * sin[:-1])

    count = frames(samples, window)
    frame, fraction = (ops.transpose(value) for value in whole_and_fraction(rate, count, bits_for(count)))
    fraction = ops.expand_dims(fraction, -1)
    magnitude = power * inverted
    louder = (1.0 - fraction) * rows(magnitude, frame) + fraction * rows(magnitude, frame + 1)
    _, (cos, sin) = ops.scan(turned, (cos[0], sin[0]), tuple(rows(turn, frame) for turn in turns))
    return inverse(louder * cos, louder * sin, window, hop)[:, :samples]


def turned(direction, turn):
    """(the direction after the turn, the one before it), each as cosine and sine"""
    (cos, sin), (by_cos, by_sin) = direction, turn
    return (cos * by_cos - sin * by_sin, sin * by_cos + cos * by_sin), direction


def transform(x, window: int, hop: int):
    """[batch, n] -> real and imaginary parts [frames, batch, bins].

    Frame k is centred on sample k * hop; the last is silent.
    """
    count = -(-(x.shape[1] + window // 2) // hop) + 1
    behind = (count + OVERLAP - 1) * hop - window // 2 - x.shape[1]
    padded = ops.pad(x, [[0, 0], [window // 2, behind]])
    blocks = ops.transpose(ops.reshape(padded, (-1, count + OVERLAP - 1, hop)), (1, 0, 2))
    frames = ops.concatenate([blocks[k : k + count] for k in range(OVERLAP)], axis=-1)
    return ops.rfft(frames * constant(taper("hann", window)), fft_length=window)


def inverse(real, imaginary, window: int, hop: int):
    """Overlapped and added, where `transform` puts its frames; the sum is divided by that of the squared windows."""
    taps = taper("hann", window)
    frames = ops.irfft((real, imaginary), fft_length=window) * constant(taps)
    count, early = frames.shape[0], OVERLAP // 2  # blocks of one hop: the sound begins behind so many
    sound, weight = None, np.zeros((count - early, 1, hop))
    for k in range(OVERLAP):  # part k of frame i lies in block i + k
        part = frames[max(early - k, 0) : count - k, :, k * hop : (k + 1) * hop]
        before = max(k - early, 0)
        part = ops.pad(part, [[before, 0], [0, 0], [0, 0]]) if before else part
        sound = part if sound is None else sound + part
        weight[before:] += taps[k * hop :][:hop] ** 2
    sound = sound * constant(1 / np.maximum(weight, 1e-3))
    return ops.reshape(ops.transpose(sound, (1, 0, 2)), (-1, (count - early) * hop))
