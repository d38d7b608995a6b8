"""The last layer of an encoder whose embeddings are laid out along principal axes, those of sounds that it was shown.

What sets sounds apart may be small beside what they have in common: less its mean, and with directions that differ in
strength in numbers of their own, a probe and a cosine find it.
"""

import keras
import numpy as np
from keras import layers

NAME = "axes"


def with_axes(encoder: keras.Model) -> keras.Model:
    """The same encoder with a layer behind it that changes nothing until `lay_out`, and is never trained."""
    axes = layers.Dense(encoder.output.shape[-1], kernel_initializer="identity", trainable=False, name=NAME)
    return keras.Model(encoder.input, axes(encoder.output), name=encoder.name)


def lay_out(encoder: keras.Model, embeddings: np.ndarray) -> None:
    """By `embeddings` [n > d, d] that it gives now: these would have mean 0, and their strongest directions first."""
    exact = embeddings.astype(np.float64)
    mean = exact.mean(axis=0)
    _, turn = np.linalg.eigh(np.cov(exact, rowvar=False))
    turn = turn[:, ::-1]
    layer = encoder.get_layer(NAME)
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel.astype(np.float64) @ turn, (bias.astype(np.float64) - mean) @ turn])
