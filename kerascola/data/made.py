"""Labelled sounds as files, made without Keras: for trials, and to hear what `--data synth` trains on."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import kerascola
from kerascola.data import arrays, synth, voices
from kerascola.data.draws import collate, generator
from kerascola.data.files import partial, write_whole
from kerascola.errors import DataError

PROTOTYPES, SOUNDS, NOISE = 0, 1, 2  # what is drawn for
AT_A_TIME = 16
FULL = 0.99  # of full scale
ASKED = "synth.json"  # what is being made


def write_sounds(
    folder: Path, count: int, classes: int, seconds: float, rate: int, delta: float, seed: int
) -> Iterator[Path]:
    """FOLDER/CLASS/NUMBER.wav, the classes in turn. A class is a sound, and others within `delta` of it.

    Sound number n depends on its class, the seed and n only. What an earlier call with the same arguments left there
    stays, so that it goes on where that was stopped.
    """
    asked = dict(n=count, classes=classes, seconds=seconds, rate=rate, delta=delta, seed=seed)
    begin_or_go_on(folder, {**asked, "kerascola": kerascola.__version__})
    prototypes = [voices.draw(generator(seed, PROTOTYPES, n)) for n in range(classes)]
    digits = len(str(count - 1)), len(str(classes - 1))
    for begin in range(0, count, AT_A_TIME):
        numbers = range(begin, min(begin + AT_A_TIME, count))
        paths = [folder / f"{n % classes:0{digits[1]}d}" / f"{n:0{digits[0]}d}.wav" for n in numbers]
        if all(path.is_file() for path in paths):
            yield from paths
            continue
        alike = [voices.alike(prototypes[n % classes], delta, generator(seed, SOUNDS, n)) for n in numbers]
        noises = [generator(seed, NOISE, n) for n in numbers]

        def normal(shape: tuple[int, ...], noises: list[np.random.Generator] = noises) -> np.ndarray:
            return np.stack([noise.standard_normal(shape[1:], np.float32) for noise in noises])

        made = synth.render(collate(alike), round(seconds * rate), rate, normal, arrays)
        for path, sound in zip(paths, made, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            with io.BytesIO() as content:
                loud = sound * min(1.0, FULL / np.abs(sound).max())
                soundfile.write(content, loud, rate, "PCM_16", format="WAV")
                write_whole(path, content.getvalue())
            yield path


def begin_or_go_on(folder: Path, asked: dict[str, Any]) -> None:
    """The folder is new or empty, or an earlier call began the same there."""
    told = folder / ASKED
    if told.is_file():
        try:
            before = dict(json.loads(told.read_text()))
        except (TypeError, ValueError) as error:
            raise DataError(f"{told}: expected what `kerascola synth` wrote, received it damaged. Remove it") from error
        if before.get("kerascola") != asked["kerascola"]:
            raise DataError(
                f"{folder} was begun by kerascola {before.get('kerascola')}, and this is {asked['kerascola']}, whose "
                "sounds may be others: name another folder"
            )
        if before != asked:
            other = [f"--{name} {before.get(name)}" for name in asked if before.get(name) != asked[name]]
            raise DataError(f"{folder} was begun with {', '.join(other)}: say that again, or name another folder")
        return
    if folder.exists() and (not folder.is_dir() or any(path.name != partial(told).name for path in folder.iterdir())):
        raise DataError(f"{folder}: expected a folder that is new or empty, received one that is not. Name another")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(told, json.dumps(asked).encode())
