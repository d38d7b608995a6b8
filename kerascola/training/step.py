"""One training step, the same on every backend, and gradient caching round its parts (Gao et al. 2021).

With a `chunk`, a batch of any size trains within the memory of so many clips: embeddings are computed a chunk at a time
and kept without what gradients need, the loss is taken over all of them, and each chunk goes through the encoder once
more to receive its part of the gradient. It is the gradient of the whole batch, but that batch norm takes each chunk's
statistics and that mixing finds its partners within a chunk.
"""

import importlib
from typing import Any

import keras
import numpy as np
from keras import ops

from kerascola.models.pretrainer import Pretrainer

Batch = dict[str, np.ndarray]
Logs = dict[str, Any]  # scalars and "views", the embeddings, still on the device


class Step:
    """`step(batch)` trains the model; `sync()`, or leaving the context, brings its variables to where training is."""

    def __init__(self, model: Pretrainer, chunk: int | None = None) -> None:
        self.core = importlib.import_module(f"kerascola.training.step_{keras.backend.backend()}").Core(model)
        self.chunk = chunk

    def __call__(self, batch: Batch) -> Logs:
        return self.core.step(batch) if self.chunk is None else self.cached(batch, self.chunk)

    def cached(self, batch: Batch, size: int) -> Logs:
        core, pieces = self.core, split(batch, size)
        states, embeddings = [], []
        for piece in pieces:
            states.append(core.state())
            embeddings.append(core.embed(piece))
        views = ops.concatenate(embeddings, axis=1)
        labels = {name: values for name, values in batch.items() if name == "labels"}
        logs, slopes, gradients = core.judge(views, labels)
        after = core.state()
        for piece, state, slope in zip(pieces, states, ops.split(slopes, len(pieces), axis=1), strict=True):
            core.set_state(state)  # the same noise and dropped branches as the first time
            gradients = [added(*pair) for pair in zip(gradients, core.pull(piece, slope), strict=True)]
        core.set_state(after)
        core.apply(gradients)
        return {**logs, "views": views}

    def sync(self) -> None:
        self.core.sync()

    def __enter__(self) -> "Step":
        return self

    def __exit__(self, *exception) -> None:
        """Also where it is interrupted: the model has what was learnt."""
        self.sync()


def give_weights(model: Pretrainer, batch: Batch) -> None:
    """Every one to the model and to its optimiser, by a batch's shapes: JAX would compile each operation on values."""
    model({name: keras.KerasTensor(value.shape, value.dtype.name) for name, value in batch.items()})
    model.optimizer.build(model.trainable_variables)


def split(batch: Batch, size: int) -> list[Batch]:
    count = len(next(iter(batch.values())))
    if count % size:
        raise ValueError(f"expected a batch of a multiple of {size} clips, received {count}")
    return [{name: values[at : at + size] for name, values in batch.items()} for at in range(0, count, size)]


def added(a, b):
    """Of two gradients, None where a weight has no part in the outcome."""
    if a is None or b is None:
        return b if a is None else a
    return a + b


class InPlace:
    """What TensorFlow's and torch's steps share: the model's variables are the state."""

    def __init__(self, model: Pretrainer) -> None:
        self.model = model
        frozen = {id(variable) for variable in model.features.variables}
        self.moving = [v for v in model.non_trainable_variables if id(v) not in frozen]

    def state(self) -> list:
        return [ops.copy(variable) for variable in self.moving]

    def set_state(self, values: list) -> None:
        for variable, value in zip(self.moving, values, strict=True):
            variable.assign(value)

    def sync(self) -> None:
        """Nothing to do."""
