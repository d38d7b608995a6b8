"""ResNet-18, -34 and -50 for spectrograms (He et al. 2016), with torchvision's strides: in a bottleneck's middle."""

import keras
from keras import layers

from kerascola.encoders.blocks import POOLS, check_least, check_one_of, convolution, normalise, spectrogram

REPEATS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
MIN_FRAMES = 16


def resnet(
    bands: int = 64,
    channels: int = 1,
    depth: int = 18,
    width: int = 64,
    stem: str = "uclser20",
    pool: str = "mean",
    zero_residual: bool = False,
) -> keras.Model:
    """Spectrogram [batch, frames >= 16, bands] -> embedding [batch, 512 at width 64; 2048 at depth 50].

    The stem of `uclser20` is torchvision's and CLAR's too: a 7 x 7 convolution of stride 2 and a 3 x 3 max pooling of
    stride 2. The `plain` one is a 3 x 3 convolution that keeps the resolution, as for small images. With
    `zero_residual` each branch starts as nothing (Goyal et al. 2017), as in audax.
    """
    check_one_of("depth", depth, REPEATS)
    check_one_of("stem", stem, ("uclser20", "plain"))
    check_one_of("pool", pool, POOLS)
    check_least("width", width, 1)
    block = bottleneck if depth == 50 else basic
    last_gamma = "zeros" if zero_residual else "ones"

    inputs, x = spectrogram(bands, channels)
    x = convolution(x, width, 3) if stem == "plain" else convolution(x, width, 7, stride=2)
    x = normalise(x, "relu")
    if stem == "uclser20":
        x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))  # after a ReLU zeros are never the largest alone
    for stage, repeats in enumerate(REPEATS[depth]):
        for repeat in range(repeats):
            x = block(x, width * 2**stage, 2 if stage > 0 and repeat == 0 else 1, last_gamma)
    return keras.Model(inputs, POOLS[pool](x, axis=(1, 2)), name="encoder")


def basic(x, filters: int, stride: int, last_gamma: str):
    y = normalise(convolution(x, filters, 3, stride), "relu")
    y = normalise(convolution(y, filters, 3), gamma=last_gamma)
    return layers.Activation("relu")(layers.Add()([shortcut(x, filters, stride), y]))


def bottleneck(x, filters: int, stride: int, last_gamma: str):
    y = normalise(convolution(x, filters, 1), "relu")
    y = normalise(convolution(y, filters, 3, stride), "relu")
    y = normalise(convolution(y, 4 * filters, 1), gamma=last_gamma)
    return layers.Activation("relu")(layers.Add()([shortcut(x, 4 * filters, stride), y]))


def shortcut(x, filters: int, stride: int):
    if stride == 1 and x.shape[-1] == filters:
        return x
    return normalise(convolution(x, filters, 1, stride))
