"""ResNet-18 on the raw waveform (CLAR's first tower): one-dimensional, with kernels of 9.

Its sequences are images a pixel high: these are exported alike from every backend, and run on faster kernels.
"""

import keras
from keras import layers, ops

from kerascola.encoders.blocks import FAN_OUT, POOLS, check_least, check_one_of, normalise

REPEATS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
MIN_FRAMES = 512  # samples


def resnet1d(depth: int = 18, width: int = 64, pool: str = "mean") -> keras.Model:
    """Waveform [batch, samples >= 512] -> embedding [batch, 512 at width 64]."""
    check_one_of("depth", depth, REPEATS)
    check_one_of("pool", pool, POOLS)
    check_least("width", width, 1)
    inputs = keras.Input((None,), name="waveform")
    x = ops.expand_dims(inputs, (1, 3))
    x = normalise(convolution(x, width, 7, stride=2), "relu")
    x = layers.ZeroPadding2D((0, 1))(x)  # after a ReLU zeros are never the largest alone
    x = layers.MaxPooling2D((1, 9), (1, 2))(x)
    for stage, repeats in enumerate(REPEATS[depth]):
        for repeat in range(repeats):
            x = block(x, width * 2**stage, 2 if stage > 0 and repeat == 0 else 1)
    return keras.Model(inputs, POOLS[pool](x, axis=(1, 2)), name="encoder")


def block(x, filters: int, stride: int):
    y = normalise(convolution(x, filters, 9, stride), "relu")
    y = normalise(convolution(y, filters, 9))
    if stride > 1:
        x = normalise(convolution(x, filters, 1, stride))
    return layers.Activation("relu")(layers.Add()([x, y]))


def convolution(x, filters: int, kernel: int, stride: int = 1):
    if kernel == 1 and stride > 1:  # as in blocks.py
        x, stride = layers.MaxPooling2D(1, (1, stride))(x), 1
    elif stride > 1:
        x = layers.ZeroPadding2D((0, kernel // 2))(x)
    padding = "valid" if stride > 1 else "same"
    size, steps = (1, kernel), (1, stride)
    return layers.Conv2D(filters, size, steps, padding, use_bias=False, kernel_initializer=FAN_OUT)(x)
