"""Labelled sounds as files, made without Keras: for trials, and to hear what `--data synth` trains on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from kerascola.data import arrays, synth, voices
from kerascola.data.draws import collate, generator

PROTOTYPES, SOUNDS, NOISE = 0, 1, 2  # what is drawn for
AT_A_TIME = 16
FULL = 0.99  # of full scale


def write_sounds(
    folder: Path, count: int, classes: int, seconds: float, rate: int, delta: float, seed: int
) -> Iterator[Path]:
    """FOLDER/CLASS/NUMBER.wav, the classes in turn. A class is a sound, and others within `delta` of it.

    Sound number n depends on its class, the seed and n only.
    """
    prototypes = [voices.draw(generator(seed, PROTOTYPES, n)) for n in range(classes)]
    digits = len(str(count - 1)), len(str(classes - 1))
    for begin in range(0, count, AT_A_TIME):
        numbers = range(begin, min(begin + AT_A_TIME, count))
        alike = [voices.alike(prototypes[n % classes], delta, generator(seed, SOUNDS, n)) for n in numbers]
        noises = [generator(seed, NOISE, n) for n in numbers]

        def normal(shape: tuple[int, ...], noises: list[np.random.Generator] = noises) -> np.ndarray:
            return np.stack([noise.standard_normal(shape[1:], np.float32) for noise in noises])

        made = synth.render(collate(alike), round(seconds * rate), rate, normal, arrays)
        for n, sound in zip(numbers, made, strict=True):
            path = folder / f"{n % classes:0{digits[1]}d}" / f"{n:0{digits[0]}d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
                file.write(sound * min(1.0, FULL / np.abs(sound).max()))
            yield path
