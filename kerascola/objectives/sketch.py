"""Beside an objective: whether an embedding tells what its own sound looked like, in coarse."""

import math

from keras import layers, ops

VARIANCE = 1e-6  # of sketches that are all alike


class Sketch(layers.Layer):
    """Spectrograms [rows, frames, bands, ...] and embeddings [rows, d] -> the share of sketches that is not told.

    A sketch is the spectrogram averaged over blocks of `frames` x `bands`; what is told of it is what a linear layer
    makes of the embedding. 1 is as well as the batch's mean does, 0 is all of it. Being told apart takes little of what
    is heard, and an encoder soon loses the rest; this asks for the rest.
    """

    def __init__(self, frames: int = 8, bands: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        self.frames, self.bands = frames, bands

    def build(self, spectrograms_shape, embeddings_shape) -> None:
        _, frames, bands, *channels = spectrograms_shape
        values = (frames // self.frames) * (bands // self.bands) * math.prod(channels)
        self.teller = layers.Dense(values, dtype="float32", name="teller")
        self.teller.build(embeddings_shape)

    def call(self, spectrograms, embeddings):
        wanted = ops.stop_gradient(sketched(spectrograms, self.frames, self.bands))
        told = self.teller(ops.cast(embeddings, "float32"))
        variance = ops.mean((wanted - ops.mean(wanted, axis=0)) ** 2)
        return ops.mean((told - wanted) ** 2) / (variance + VARIANCE)


def sketched(x, frames: int, bands: int):
    """[rows, frames, bands, ...] -> float32 [rows, values], each the mean of a block; what fills none is left out."""
    rows, columns, channels = x.shape[1] // frames, x.shape[2] // bands, x.shape[3:]
    x = ops.cast(x[:, : rows * frames, : columns * bands], "float32")
    means = ops.mean(ops.reshape(x, (-1, rows, frames, columns, bands, *channels)), axis=(2, 4))
    return ops.reshape(means, (-1, rows * columns * math.prod(channels)))
