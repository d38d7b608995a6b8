"""What the encoders are made of.

Strided convolutions and poolings are padded by a layer of their own, not by "same": that pads alike for odd and even
lengths, and it is the form that lowers to ONNX with a dynamic length from JAX and runs fast from torch. Global pooling
is `ops.max` or `ops.mean`, for the same reason. A strided 1 x 1 convolution is a pooling of 1 that skips, then one
without stride: in TensorFlow's and torch's oneDNN the gradient of the strided one writes past its memory where it reads
fewer than 16 channels (github.com/uxlfoundation/oneDNN/issues/6035).
"""

from collections.abc import Iterable

import keras
from keras import layers, ops

from kerascola.errors import RecipeError, nearest

FAN_OUT = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}
POOLS = {"max": ops.max, "mean": ops.mean}


def spectrogram(bands: int, channels: int = 1):
    """The input, [batch, frames, bands] or [batch, frames, bands, channels], and its four-dimensional form."""
    check_least("bands", bands, 1)
    check_least("channels", channels, 1)
    if channels == 1:
        inputs = keras.Input((None, bands), name="spectrogram")
        return inputs, ops.expand_dims(inputs, -1)
    inputs = keras.Input((None, bands, channels), name="spectrogram")
    return inputs, layers.Identity()(inputs)


def convolution(x, filters: int, kernel: int, stride: int = 1, bias: bool = False, initializer=FAN_OUT):
    if kernel == 1 and stride > 1:
        x, stride = layers.MaxPooling2D(1, stride)(x), 1
    elif stride > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.Conv2D(filters, kernel, stride, padding, use_bias=bias, kernel_initializer=initializer)(x)


def depthwise(x, kernel: int, stride: int = 1, bias: bool = False, initializer=FAN_OUT):
    if stride > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.DepthwiseConv2D(kernel, stride, padding, use_bias=bias, depthwise_initializer=initializer)(x)


def normalise(x, activation: str | None = None, gamma="ones", momentum: float = 0.9, epsilon: float = 1e-5):
    """Batch normalisation with torch's constants, those of the networks that were published in torch."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, gamma_initializer=gamma)(x)
    return layers.Activation(activation)(x) if activation else x


def drop_branch(x, rate: float):
    """Stochastic depth (Huang et al. 2016): the whole branch of a sample is dropped."""
    return layers.Dropout(rate, noise_shape=(None,) + (1,) * (len(x.shape) - 1))(x) if rate > 0 else x


def check_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise RecipeError(f"expected {name} of at least {least:g}, received {value:g}")


def check_rate(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise RecipeError(f"expected 0 <= {name} < 1, received {value:g}")


def check_one_of(name: str, value: object, known: Iterable) -> None:
    options = list(known)
    if value not in options:
        words = [str(option) for option in options]
        raise RecipeError(f"unknown {name} {value!r}{nearest(str(value), words)} Expected one of: {', '.join(words)}")
