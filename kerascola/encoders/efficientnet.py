"""EfficientNet for spectrograms (Tan & Le 2019, table 1), parametric in width and depth."""

import math

import keras
from keras import layers, ops

# (expansion, filters, repeats, stride, kernel) of B0's seven stages.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
MIN_FRAMES = 16
INITIALIZER = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}


def efficientnet(
    bands: int = 64, width: float = 1.0, depth: float = 1.0, pool: str = "max", drop_connect: float = 0.2
) -> keras.Model:
    """Spectrogram [batch, frames >= 16, bands] -> embedding [batch, 1280 at width 1]. Width and depth 1 are B0."""
    stages = [(e, round_filters(f, width), math.ceil(r * depth), s, k) for e, f, r, s, k in STAGES]
    total = sum(repeats for _, _, repeats, _, _ in stages)

    spectrogram = keras.Input((None, bands), name="spectrogram")
    x = ops.expand_dims(spectrogram, -1)
    x = normalise(convolution(x, round_filters(32, width), 3, stride=2), "swish")
    block = 0
    for expansion, filters, repeats, stride, kernel in stages:
        for repeat in range(repeats):
            drop = drop_connect * block / total
            x = inverted_bottleneck(x, filters, kernel, stride if repeat == 0 else 1, expansion, drop)
            block += 1
    x = normalise(convolution(x, round_filters(1280, width), 1), "swish")
    x = {"max": ops.max, "mean": ops.mean}[pool](x, axis=(1, 2))
    return keras.Model(spectrogram, x, name="encoder")


def inverted_bottleneck(x, filters: int, kernel: int, stride: int, expansion: int, drop: float):
    inputs, width = x, x.shape[-1] * expansion
    if expansion > 1:
        x = normalise(convolution(x, width, 1), "swish")
    x = normalise(depthwise(x, kernel, stride), "swish")
    x = squeeze_excite(x, max(1, inputs.shape[-1] // 4))
    x = normalise(convolution(x, filters, 1))
    if stride == 1 and inputs.shape[-1] == filters:
        if drop > 0:  # stochastic depth: the whole branch of a sample
            x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1))(x)
        x = layers.Add()([inputs, x])
    return x


def squeeze_excite(x, reduced: int):
    gate = ops.mean(x, axis=(1, 2), keepdims=True)
    gate = layers.Conv2D(reduced, 1, activation="swish", kernel_initializer=INITIALIZER)(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", kernel_initializer=INITIALIZER)(gate)
    return layers.Multiply()([x, gate])


# Strided convolutions are padded by a layer of their own, not by "same": that pads alike for odd and even
# lengths, and it is the form that lowers to ONNX with a dynamic length from JAX and runs fast from torch.
def convolution(x, filters: int, kernel: int, stride: int = 1):
    if stride > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.Conv2D(filters, kernel, stride, padding=padding, use_bias=False, kernel_initializer=INITIALIZER)(x)


def depthwise(x, kernel: int, stride: int):
    if stride > 1:
        x = layers.ZeroPadding2D(kernel // 2)(x)
    padding = "valid" if stride > 1 else "same"
    return layers.DepthwiseConv2D(kernel, stride, padding=padding, use_bias=False, depthwise_initializer=INITIALIZER)(x)


def normalise(x, activation: str | None = None):
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def round_filters(filters: int, width: float) -> int:
    """Scaled to the nearest multiple of 8, never more than 10 % below the exact width."""
    exact = filters * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded
