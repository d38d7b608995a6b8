"""The VGG-like network of Fonseca et al. 2021 (uclser20): 3-2-1 convolutions and a dense layer."""

import keras
from keras import layers, ops

from kerascola.encoders.blocks import check_least, check_one_of, convolution, normalise, spectrogram

BLOCKS = ((32, 3), (64, 2), (128, 1))  # filters, convolutions; each block ends in a 2 x 2 max pooling
MIN_FRAMES = MIN_BANDS = 8
POOLS = {"gap": (ops.mean,), "gmp": (ops.max,), "gap+gmp": (ops.max, ops.mean)}


def vgg(
    bands: int = 96, channels: int = 1, width: float = 1.0, pool: str = "gap+gmp", dimension: int = 512
) -> keras.Model:
    """Spectrogram [batch, frames >= 8, bands >= 8] -> embedding [batch, dimension], after a ReLU."""
    check_one_of("pool", pool, POOLS)
    check_least("bands of vgg", bands, MIN_BANDS)
    check_least("dimension", dimension, 1)
    check_least("filters of the first block", int(BLOCKS[0][0] * width), 1)
    inputs, x = spectrogram(bands, channels)
    for filters, repeats in BLOCKS:
        for _ in range(repeats):
            x = normalise(convolution(x, int(filters * width), 3), "relu")
        x = layers.MaxPooling2D(2)(x)
    pooled = [pool_of(x, axis=(1, 2)) for pool_of in POOLS[pool]]
    x = layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
    return keras.Model(inputs, layers.Dense(dimension, activation="relu")(x), name="encoder")
