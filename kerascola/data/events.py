"""Short labelled sounds made of nothing, for the demo and for trials.

A sound is one source heard for a while: it repeats an event (a call, a strike, a hiss) whose character stays
and whose moment, pitch and loudness vary, in a room with noise of its own. Recognising a sound from another
stretch of it takes its character, as sounds share classes, levels and noise.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from kerascola.data.draws import generator

RATE = 16000
CLASSES = ("call", "horn", "bell", "chirp", "hiss", "rattle")


def write_sounds(folder: str | Path, count: int, seconds: float, seed: int) -> list[Path]:
    """`count` wav files named CLASS-NUMBER.wav, the classes in turn. Sound `n` depends on (seed, n) only."""
    return [write(Path(folder) / name, samples) for name, samples in sounds(count, seconds, seed)]


def write_halves(folder: str | Path, count: int, seconds: float, seed: int) -> list[Path]:
    """The same, each cut into first/NAME.wav and second/NAME.wav; returns the first ones, in order of name."""
    firsts = []
    for name, samples in sounds(count, seconds, seed):
        middle = len(samples) // 2
        firsts.append(write(Path(folder) / "first" / name, samples[:middle]))
        write(Path(folder) / "second" / name, samples[middle:])
    return sorted(firsts)


def sounds(count: int, seconds: float, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    for number in range(count):
        kind = CLASSES[number % len(CLASSES)]
        yield f"{kind}-{number:04d}.wav", sound(kind, seconds, generator(seed, 0, number))


def write(path: Path, samples: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_16")
    return path


def sound(kind: str, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """[samples] float32, at the same RMS whatever the kind, low enough for the clicks of a rattle."""
    event = EVENTS[kind](rng)
    total = round(seconds * RATE)
    track = np.zeros(total + RATE)
    now = rng.uniform(-0.2, 0.2)
    gap = rng.uniform(0.25, 0.4)
    while now < seconds:
        burst = event() * 10 ** rng.uniform(-0.5, 0)  # up to 10 dB down
        begin = max(0, round(now * RATE))
        track[begin : begin + len(burst)] += burst[: len(track) - begin]
        now += gap * rng.uniform(0.5, 1.5)
    track = track[:total]
    track /= np.sqrt(np.mean(track**2)) + 1e-9
    track += noise(total, rng.uniform(-1.0, 0.5), rng) * 10 ** rng.uniform(-1.0, -0.25)
    return (0.03 * track / np.sqrt(np.mean(track**2))).astype(np.float32)


def noise(samples: int, tilt: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of RMS 1 whose amplitude falls as frequency ** tilt."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** tilt
    track = np.fft.irfft(spectrum, samples)
    return track / np.sqrt(np.mean(track**2))


def envelope(samples: int, attack: float, decay: float) -> np.ndarray:
    time = np.arange(samples) / RATE
    return np.minimum(time / attack, 1.0) * np.exp(-np.maximum(time - attack, 0.0) / decay)


# Each of these draws a character once and returns a function that renders one event of it.


def call(rng: np.random.Generator):
    """Harmonics under two formants, like a voice."""
    pitch, first, second = rng.uniform(110, 330), rng.uniform(300, 900), rng.uniform(1000, 3000)
    length, sweep = rng.uniform(0.12, 0.3), rng.uniform(-0.3, 0.3)

    def event() -> np.ndarray:
        time = np.arange(round(length * RATE)) / RATE
        phase = 2 * np.pi * np.cumsum(pitch * rng.uniform(0.94, 1.06) * (1 + sweep * time / length)) / RATE
        harmonics = np.arange(1, 24)
        centre = harmonics * pitch
        gains = np.exp(-(((centre - first) / 150) ** 2)) + 0.5 * np.exp(-(((centre - second) / 250) ** 2)) + 0.02
        return gains @ np.sin(np.outer(harmonics, phase)) * np.sin(np.pi * time / length)

    return event


def horn(rng: np.random.Generator):
    """Frequency modulation with an index that decays."""
    pitch, ratio, index = (
        rng.uniform(150, 900),
        rng.choice([0.5, 1.0, 1.41, 2.0, 2.76, 3.5]),
        rng.uniform(1, 6),
    )
    length, decay = rng.uniform(0.15, 0.4), rng.uniform(0.05, 0.3)

    def event() -> np.ndarray:
        time = np.arange(round(length * RATE)) / RATE
        tone = 2 * np.pi * pitch * rng.uniform(0.97, 1.03) * time
        return np.sin(tone + index * np.exp(-time / decay) * np.sin(ratio * tone)) * envelope(len(time), 0.01, decay)

    return event


def bell(rng: np.random.Generator):
    """A few inharmonic modes that ring out."""
    modes = rng.uniform(300, 1200) * np.cumprod(rng.uniform(1.15, 1.7, size=6))
    modes = modes[modes < 7500]
    gains, decays = rng.uniform(0.2, 1, len(modes)), rng.uniform(0.03, 0.25, len(modes))

    def event() -> np.ndarray:
        time = np.arange(round(0.5 * RATE)) / RATE
        struck = gains * rng.uniform(0.5, 1.0, len(modes))
        return struck @ (np.sin(2 * np.pi * np.outer(modes, time)) * np.exp(-time / decays[:, None]))

    return event


def chirp(rng: np.random.Generator):
    """A whistle that glides, like a bird's."""
    begin, end = rng.uniform(1500, 5500, size=2)
    length, trill, depth = rng.uniform(0.06, 0.2), rng.uniform(15, 60), rng.uniform(0, 0.1)

    def event() -> np.ndarray:
        time = np.arange(round(length * RATE)) / RATE
        glide = begin * (end / begin) ** (time / length) * rng.uniform(0.96, 1.04)
        return np.sin(2 * np.pi * np.cumsum(glide * (1 + depth * np.sin(2 * np.pi * trill * time))) / RATE) * np.sin(
            np.pi * time / length
        )

    return event


def hiss(rng: np.random.Generator):
    """Bursts of noise in one band."""
    low = rng.uniform(200, 3500)
    high = low * rng.uniform(1.2, 2.0)
    attack, decay = rng.uniform(0.005, 0.08), rng.uniform(0.03, 0.2)

    def event() -> np.ndarray:
        samples = round(0.4 * RATE)
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        frequency = np.fft.rfftfreq(samples, 1 / RATE)
        spectrum[(frequency < low) | (frequency > high)] = 0
        return np.fft.irfft(spectrum, samples) * envelope(samples, attack, decay)

    return event


def rattle(rng: np.random.Generator):
    """A train of clicks through one resonance."""
    resonance, decay = rng.uniform(400, 4000), rng.uniform(0.001, 0.008)
    clicks, spacing = int(rng.integers(3, 9)), rng.uniform(0.012, 0.04)

    def event() -> np.ndarray:
        time = np.arange(round(0.03 * RATE)) / RATE
        click = np.sin(2 * np.pi * resonance * time) * np.exp(-time / decay)
        track = np.zeros(round(clicks * spacing * 1.2 * RATE) + len(click))
        for n in range(clicks):
            begin = round(n * spacing * rng.uniform(0.9, 1.1) * RATE)
            track[begin : begin + len(click)] += click[: len(track) - begin] * rng.uniform(0.5, 1)
        return track

    return event


EVENTS = dict(zip(CLASSES, (call, horn, bell, chirp, hiss, rattle), strict=True))
