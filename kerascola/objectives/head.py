"""The projection head between the encoder and an objective: thrown away when the encoder is shipped."""

from collections.abc import Sequence

import keras
from keras import layers, ops

from kerascola.objectives.objective import Objective


def head(hidden: Sequence[int], dimension: int, batch_norm: bool, name: str = "head") -> keras.Sequential:
    """For each hidden size Dense, [BatchNormalization], ReLU; then Dense(dimension)."""
    stack: list[layers.Layer] = []
    for number, units in enumerate(hidden):
        stack.append(layers.Dense(units, use_bias=not batch_norm, name=f"hidden_{number}"))
        if batch_norm:
            stack.append(normalisation())
        stack.append(layers.ReLU())
    return keras.Sequential([*stack, layers.Dense(dimension, name="projection")], name=name)


def normalisation() -> layers.BatchNormalization:
    """With torch's constants, those of the papers' own code."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


class Projected(Objective):
    """An objective on what a head makes of the embeddings."""

    def __init__(self, hidden: Sequence[int], dimension: int, batch_norm: bool, **kwargs) -> None:
        super().__init__(**kwargs)
        self.hidden, self.dimension, self.batch_norm = tuple(hidden), dimension, batch_norm
        self.head = head(hidden, dimension, batch_norm)

    def build(self, views_shape) -> None:
        self.head.build((None, views_shape[-1]))

    def project(self, views, training: bool):
        return projected(self.head, views, training)


def projected(head: keras.Sequential, views, training: bool):
    """[k, n, d] -> float32 [k, n, dimension]; all views at once, so that they share the batch's statistics."""
    rows = head(ops.reshape(views, (-1, views.shape[-1])), training=training)
    return ops.cast(ops.reshape(rows, (views.shape[0], -1, rows.shape[-1])), "float32")


def flat(views):
    """[k, n, d] -> [k * n, d]: the first views of all clips first."""
    return ops.reshape(views, (-1, views.shape[-1]))
