"""Sounds that an export is judged by, made here so that verification needs no data.

`ordinary` ones are what a model meets: sounds over a noise floor of -80 dB, and digital silence. `extreme` ones
(pure tones, DC, full-scale squares) leave most of the spectrum empty, where float32 itself is 1e-3 off: they are
judged by how far the truth, computed in float64, is from either. Keras's float32 may be lucky on them: a transform that
sums in another order is off by a last digit of the loudest bin, as a `hissing` sound is.
"""

import numpy as np

from kerascola.runtime.metadata import Metadata

DITHER = 1e-4  # -80 dB
HISS = 1e-7  # -140 dB, below the last bit of a recording of 24 bits
LONGEST_SECONDS = 10


def ordinary(metadata: Metadata) -> dict[str, np.ndarray]:
    """Name -> waveforms [batch, samples]: from the shortest to 10 s, a prime number of samples among them."""
    rate, least, window = metadata.sample_rate, metadata.min_samples, metadata.window_samples
    prime = prime_from(least + window)
    # Few shapes, as JAX compiles for each: silence takes one that is there.
    shapes = [(17, least), (3, prime), (17, window), (1, max(LONGEST_SECONDS * rate, least))]
    waves = {f"sounds {batch} x {samples}": sounds(batch, samples, rate) for batch, samples in shapes}
    return waves | {f"silence 3 x {prime}": np.zeros((3, prime), np.float32)}


def heard(metadata: Metadata) -> dict[str, np.ndarray]:
    """Without silence: for a head an embedding of zeros is as near to one neighbour as to another."""
    return {name: waves for name, waves in ordinary(metadata).items() if waves.any()}


def extreme(metadata: Metadata) -> np.ndarray:
    """[17, window]: eight pure tones, eight full-scale squares and DC."""
    time = np.arange(metadata.window_samples) / metadata.sample_rate
    pitches = np.geomspace(50, 0.45 * metadata.sample_rate, 8)[:, None]
    tones = np.sin(2 * np.pi * pitches * time)
    squares = np.where(tones >= 0, 1.0, -1.0)
    return np.concatenate([0.5 * tones, squares, np.full((1, len(time)), 0.5)]).astype(np.float32)


def hissing(waves: np.ndarray) -> np.ndarray:
    """The same sounds in float64, with noise that nobody hears."""
    noise = np.random.default_rng(0).standard_normal(waves.shape)
    return waves + HISS * np.sqrt(np.mean(waves.astype("float64") ** 2, axis=1, keepdims=True)) * noise


def sounds(batch: int, samples: int, rate: int) -> np.ndarray:
    """Gliding harmonics in bursts, bands of noise and clicks, at levels from -40 to 0 dB, all over dither."""
    rng = np.random.default_rng([batch, samples])
    time = np.arange(samples) / rate
    waves = np.empty((batch, samples), np.float32)
    for row in waves:
        pitch = rng.uniform(80, 1200) * 2 ** (rng.uniform(-0.5, 0.5) * time)
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        tone = sum(np.sin(n * phase) / n for n in range(1, 1 + rng.integers(1, 12)))
        gate = np.clip(np.sin(2 * np.pi * rng.uniform(1, 8) * time + rng.uniform(0, 6)), 0, 1)
        hiss = np.convolve(rng.standard_normal(samples), rng.standard_normal(32) / 8, mode="same")
        click = (rng.random(samples) < 20 / rate) * rng.standard_normal(samples)
        mixture = rng.random() * tone * gate + 0.3 * rng.random() * hiss + click
        row[:] = 10 ** rng.uniform(-2, 0) * mixture / np.abs(mixture).max()
    return waves + DITHER * rng.standard_normal(waves.shape).astype(np.float32)


def prime_from(number: int) -> int:
    """The first prime at or above `number`."""
    while number < 2 or any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number += 1
    return number
