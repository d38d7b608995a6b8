"""What is done to waveforms, [batch, samples], by their spectrum, each sound in its own way; by Keras or `ops`."""

import numpy as np

from kerascola.augment import tensors


def fast_length(least: int) -> int:
    """The first length from `least` without prime factors above 5, of which transforms are fast."""
    length = max(least, 1)
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def filtered(x, response):
    """x through a filter without delay: `response` gives gains [batch, bins] at [1, bins] cycles a sample."""
    samples = x.shape[1]
    length = fast_length(2 * samples)  # room for what rings beyond the ends
    real, imaginary = tensors.rfft(x, fft_length=length)
    gains = response(frequencies(length))
    return tensors.irfft((real * gains, imaginary * gains), fft_length=length)[:, :samples]


def frequencies(length: int, ops=tensors):
    """[1, length // 2 + 1] cycles a sample."""
    return constant(np.arange(length // 2 + 1)[None] / length, ops)


def constant(values: np.ndarray, ops=tensors):
    return ops.convert_to_tensor(values.astype(np.float32))


def convolved(x, taps, ops=tensors):
    """x [batch, samples] with each sound's own taps, as long as x."""
    length = fast_length(2 * x.shape[1])
    a, b = ops.rfft(x, fft_length=length)
    c, d = ops.rfft(taps, fft_length=length)
    return ops.irfft((a * c - b * d, a * d + b * c), fft_length=length)[:, : x.shape[1]]


def coloured(noise, slope, corner, ops=tensors):
    """White noise, its power made to fall as frequency ** -slope from `corner` cycles a sample on."""
    samples = noise.shape[1]
    length = fast_length(samples)
    real, imaginary = ops.rfft(noise, fft_length=length)
    heard = ops.log(ops.maximum(frequencies(length, ops), ops.expand_dims(corner, -1)))
    gains = ops.exp(-0.5 * ops.expand_dims(slope, -1) * heard)
    return ops.irfft((real * gains, imaginary * gains), fft_length=length)[:, :samples]
