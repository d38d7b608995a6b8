"""ResNet-18 on the raw waveform (CLAR's first tower): one-dimensional, with kernels of 9."""

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
    x = ops.expand_dims(inputs, -1)
    x = normalise(convolution(x, width, 7, stride=2), "relu")
    x = layers.ZeroPadding1D(1)(x)  # after a ReLU zeros are never the largest alone
    x = pool_time(x, 9, 2)
    for stage, repeats in enumerate(REPEATS[depth]):
        for repeat in range(repeats):
            x = block(x, width * 2**stage, 2 if stage > 0 and repeat == 0 else 1)
    return keras.Model(inputs, POOLS[pool](x, axis=1), name="encoder")


def pool_time(x, size: int, stride: int):
    """Max pooling in two dimensions, of which the second is 1: torch exports no other with a dynamic length."""
    return ops.squeeze(layers.MaxPooling2D((size, 1), (stride, 1))(ops.expand_dims(x, 2)), 2)


def block(x, filters: int, stride: int):
    y = normalise(convolution(x, filters, 9, stride), "relu")
    y = normalise(convolution(y, filters, 9))
    if stride > 1:
        x = normalise(convolution(x, filters, 1, stride))
    return layers.Activation("relu")(layers.Add()([x, y]))


def convolution(x, filters: int, kernel: int, stride: int = 1):
    if kernel == 1 and stride > 1:  # as in blocks.py
        x, stride = pool_time(x, 1, stride), 1
    elif stride > 1:
        x = layers.ZeroPadding1D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.Conv1D(filters, kernel, stride, padding, use_bias=False, kernel_initializer=FAN_OUT)(x)
