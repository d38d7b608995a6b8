"""The CRNN of Fonseca et al. 2021 (uclser20), after Cakir et al. 2017: convolutions, then a bidirectional GRU."""

import keras
from keras import layers, ops

from kerascola.encoders.blocks import check_least, convolution, normalise, spectrogram

POOLS = ((2, 5), (2, 4), (2, 2))  # over frames and bands, after each convolution
MIN_FRAMES, MIN_BANDS = 8, 40


def crnn(bands: int = 96, channels: int = 1, filters: int = 128, units: int = 64) -> keras.Model:
    """Spectrogram [batch, frames >= 8, bands >= 40] -> embedding [batch, units].

    The two directions are taken at the last step and multiplied, as in the original. At that step the backward
    direction has seen the last frame only, so it is run on nothing else.
    """
    check_least("bands of crnn", bands, MIN_BANDS)
    check_least("filters", filters, 1)
    check_least("units", units, 1)
    inputs, x = spectrogram(bands, channels)
    for pool in POOLS:
        x = normalise(convolution(x, filters, 5), "relu")
        x = layers.MaxPooling2D(pool)(x)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    forward = layers.GRU(units, name="forward")(x)
    backward = layers.GRU(units, name="backward")(ops.expand_dims(x[:, -1], 1))
    return keras.Model(inputs, layers.Multiply()([forward, backward]), name="encoder")
