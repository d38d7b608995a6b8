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
FINER = 4  # times the rate, between whose samples a cubic is drawn; a power of two
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
    step = ops.expand_dims(step, -1)
    parts = times * (step % 2**bits)
    return times * (step // 2**bits) + parts // 2**bits, ops.cast(parts % 2**bits, "float32") * float(2.0**-bits)


def frames(samples: int, window: int) -> int:
    """How many overlap to make so many samples."""
    return samples // (window // OVERLAP) + 3


def rows(x, index):
    """x [batch, n, ...], index [batch, m] -> [batch, m, ...]"""
    batch, n = ops.shape(x)[0], x.shape[1]
    flat = ops.reshape(x, (-1, *x.shape[2:]))
    start = n * ops.expand_dims(ops.arange(batch, dtype="int32"), -1)
    return ops.take(flat, ops.clip(index, 0, n - 1) + start, axis=0)


def resampled(x, step, count: int):
    """x read every `step` samples, [batch, count].

    What would fold back above half the new rate is filtered out; between the samples at `FINER` the rate runs a cubic.
    """
    bits, length = bits_for(count), fast_length(x.shape[1] + 2 * EDGE)
    real, imaginary = ops.rfft(ops.pad(x, [[0, 0], [EDGE, 0]]), fft_length=length)
    ratio = ops.cast(ops.expand_dims(step, -1), "float32") * float(2.0**-bits)
    gains = FINER * ops.clip((0.5 - frequencies(length) * ops.maximum(ratio, 1.0)) / RAMP, 0.0, 1.0)
    finer = ops.irfft((real * gains, imaginary * gains), fft_length=FINER * length)

    whole, t = whole_and_fraction(step, count, bits - FINER.bit_length() + 1)  # in finer samples
    near = ops.stack([finer[:, k : FINER * length - 3 + k] for k in range(4)], axis=-1)
    a, b, c, d = (value[..., 0] for value in ops.split(rows(near, whole + FINER * EDGE - 1), 4, axis=-1))
    return b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))


def stretched(x, rate, samples: int, window: int):
    """x [batch, n] played `rate` times as fast, its first `samples`."""
    hop = window // OVERLAP
    real, imaginary = transform(x, window, hop)
    magnitude = ops.sqrt(ops.maximum(real * real + imaginary * imaginary, 1e-20))
    heard = magnitude > SILENT * ops.max(magnitude, axis=(1, 2), keepdims=True)
    phase = ops.stop_gradient(ops.arctan2(ops.where(heard, imaginary, 0.0), ops.where(heard, real, 1.0)))

    count = frames(samples, window)
    frame, fraction = whole_and_fraction(rate, count, bits_for(count))
    fraction = ops.expand_dims(fraction, -1)
    last = real.shape[1] - 1  # a silent frame, which all that lie beyond the end are
    here, after = ops.minimum(frame, last), ops.minimum(frame + 1, last)
    louder = (1.0 - fraction) * rows(magnitude, here) + fraction * rows(magnitude, after)
    louder = ops.where(ops.expand_dims(frame, -1) < last, louder, 0.0)
    turns = rows(phase, after) - rows(phase, here)
    turns = turns - 2 * np.pi * ops.round(turns / (2 * np.pi))
    angle = phase[:, :1] + ops.cumsum(turns, axis=1) - turns
    return inverse(louder * ops.cos(angle), louder * ops.sin(angle), window, hop)[:, :samples]


def transform(x, window: int, hop: int):
    """[batch, n] -> real and imaginary parts [batch, frames, bins].

    Frame k is centred on sample k * hop; the last is silent.
    """
    padded = ops.pad(x, [[0, 0], [window // 2, 2 * window]])
    frames = ops.extract_sequences(padded, window, hop)
    frames = frames[:, : -(-(x.shape[1] + window // 2) // hop) + 1]
    return ops.rfft(frames * constant(taper("hann", window)), fft_length=window)


def inverse(real, imaginary, window: int, hop: int):
    """Overlapped and added, where `transform` puts its frames; the sum is divided by that of the squared windows."""
    taps = taper("hann", window)
    frames = ops.irfft((real, imaginary), fft_length=window) * constant(taps)
    count = frames.shape[1]
    parts = ops.reshape(frames, (-1, count, OVERLAP, hop))
    sound = 0.0
    weight = np.zeros((count + OVERLAP - 1, hop))
    for k in range(OVERLAP):
        sound = sound + ops.pad(parts[:, :, k], [[0, 0], [k, OVERLAP - 1 - k], [0, 0]])
        weight[k : k + count] += taps[k * hop :][:hop] ** 2
    sound = ops.reshape(sound * constant(1 / np.maximum(weight, 1e-3)), (-1, (count + OVERLAP - 1) * hop))
    return sound[:, window // 2 :]
