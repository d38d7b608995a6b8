"""A small encoder for phones and browsers: BYOL-A's audio network (Niizumi et al. 2021) of 0.6 M weights."""

import keras
from keras import layers, ops

from kerascola.encoders.blocks import check_least, check_rate, convolution, normalise, spectrogram

MIN_FRAMES = MIN_BANDS = 8


def small(
    bands: int = 64, channels: int = 1, filters: int = 64, dimension: int = 512, dropout: float = 0.3
) -> keras.Model:
    """Spectrogram [batch, frames >= 8, bands >= 8] -> embedding [batch, dimension].

    Three convolutions, each halving frames and bands, two dense layers on every frame, mean plus maximum over time.
    """
    check_least("bands of small", bands, MIN_BANDS)
    check_least("filters", filters, 1)
    check_least("dimension", dimension, 1)
    check_rate("dropout", dropout)
    inputs, x = spectrogram(bands, channels)
    for _ in range(3):
        x = normalise(convolution(x, filters, 3, bias=True), "relu")
        x = layers.MaxPooling2D(2)(x)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dense(dimension, activation="relu")(x)
    if dropout:
        x = layers.Dropout(dropout, noise_shape=(None, None, dimension))(x)
    x = layers.Dense(dimension, activation="relu")(x)
    return keras.Model(inputs, layers.Add()([ops.max(x, axis=1), ops.mean(x, axis=1)]), name="encoder")
