"""Batches of sounds that the device makes: what it makes them of is drawn here."""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from kerascola.augment.chain import merge_views
from kerascola.augment.views import Views
from kerascola.data import synth, voices
from kerascola.data.draws import collate, generator
from kerascola.data.pipeline import Batch, Stream
from kerascola.errors import DataError
from kerascola.recipes.schema import Synth

SYNTH = "synth"  # in the place of recordings
MADE_OF = "synth."  # before the names of what `render` takes
FEW = 64  # on torch: of more it takes new memory from the system with every step, which takes as long again
STREAM = 2**32  # of random numbers, which no augmentation has


class Synthesised(Stream):
    """{"synth.voices": [batch, views, ...], ...}: the numbers of each view's sound, or of one for all; and no clips.

    Sound number n of a pass follows from (seed, pass, n): none comes again.
    """

    def __init__(
        self,
        section: Synth,
        batch_size: int,
        clip_samples: int,
        views: Views,
        seed: int,
        labels: np.ndarray | None = None,
        workers: int = 0,
    ) -> None:
        if section.sounds < batch_size:
            raise DataError(f"expected data.synth.sounds from {batch_size}, a batch, received {section.sounds}")
        self.section, self.batch_size, self.seed = section, batch_size, seed
        self.clip_samples, self.views, self.labels, self.workers = clip_samples, views, labels, workers

    def __len__(self) -> int:
        return self.section.sounds

    def keys(self, step: int) -> list[tuple[int, int]]:
        epoch, within = divmod(step, self.steps_per_pass)
        return [(epoch, within * self.batch_size + n) for n in range(self.batch_size)]

    def example(self, epoch: int, clip: int, broken: list[str]) -> Batch:
        draw = generator(self.seed, epoch, clip)
        streams = functools.partial(generator, self.seed, epoch, clip)
        rng = streams(STREAM)
        sound, delta = voices.draw(rng), self.section.delta
        made = collate([voices.alike(sound, delta, rng) for _ in range(self.views.count)] if delta else [sound])
        heard = np.ones(self.clip_samples, bool)
        made = {MADE_OF + name: value for name, value in made.items()} | self.views.draw(heard, draw, streams)
        return made if self.labels is None else {**made, "labels": self.labels[clip]}

    def say(self, broken: list[str]) -> None:
        """Nothing is read, so nothing is broken."""


def rendered(batch: dict[str, Any], normal: synth.Normal, samples: int, rate: int) -> tuple[Any, bool]:
    """[n, samples], or [views * n, samples]; and whether each view has a sound of its own."""
    made_of = {name.removeprefix(MADE_OF): value for name, value in batch.items() if name.startswith(MADE_OF)}
    sounds = {name: merge_views(value) for name, value in made_of.items()}
    apart = made_of["scene"].shape[1] > 1
    if keras.backend.backend() != "torch":
        return synth.render(sounds, samples, rate, normal, ops), apart
    made = [
        synth.render({name: value[at : at + FEW] for name, value in sounds.items()}, samples, rate, normal, ops)
        for at in range(0, len(sounds["scene"]), FEW)
    ]
    return ops.concatenate(made), apart
