"""EfficientNet for spectrograms (Tan & Le 2019, table 1), B0 to B3 and Lite0, or of any width and depth."""

import math
from dataclasses import dataclass

import keras
from keras import layers, ops

from kerascola.encoders.blocks import (
    FAN_OUT,
    POOLS,
    check_one_of,
    check_rate,
    convolution,
    depthwise,
    drop_branch,
    normalise,
    spectrogram,
)
from kerascola.errors import RecipeError

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
BRANCH = 0.2  # of what is added to, a residual branch begins with, where nothing is normalised
UNEVEN = 0.3  # the deviation of a depthwise kernel's weights there, relative to a random one of the same power


@dataclass(frozen=True)
class Variant:
    width: float
    depth: float
    lite: bool = False  # for int8: ReLU6 in place of swish, no squeeze-and-excite

    @property
    def activation(self) -> str:
        return "relu6" if self.lite else "swish"


VARIANTS = {
    "b0": Variant(1.0, 1.0),
    "b1": Variant(1.0, 1.1),
    "b2": Variant(1.1, 1.2),
    "b3": Variant(1.2, 1.4),
    "lite0": Variant(1.0, 1.0, lite=True),
}


def efficientnet(
    bands: int = 64,
    channels: int = 1,
    variant: str = "b0",
    width: float | None = None,
    depth: float | None = None,
    pool: str = "max",
    drop_connect: float = 0.2,
    three_channels: bool = False,
    batch_norm: bool = True,
) -> keras.Model:
    """Spectrogram [batch, frames >= 16, bands] -> embedding [batch, 1280 at width 1].

    `width` and `depth` scale B0's filters and repeats in place of the variant's own. With `three_channels` a 3 x 3
    convolution makes three images of the spectrogram first, as many as the published network takes. Without
    `batch_norm` the convolutions have neither it nor biases, and begin as `begun` says: near a linear network, which
    keeps what it hears, and so has less to learn again in a short training. Embeddings then are of length 1.
    """
    check_one_of("variant", variant, VARIANTS)
    check_one_of("pool", pool, POOLS)
    check_rate("drop_connect", drop_connect)
    kind = VARIANTS[variant]
    width = kind.width if width is None else width
    depth = kind.depth if depth is None else depth
    if not 0 < depth <= 10 or not 0 < width <= 10 or 16 * width < 1:
        raise RecipeError(
            "expected 0 < depth <= 10 and 0.0625 <= width <= 10, below which a stage of 16 filters rounds to none; "
            f"received depth {depth:g}, width {width:g}"
        )
    stages = [(e, round_filters(f, width), math.ceil(r * depth), s, k) for e, f, r, s, k in STAGES]
    total = sum(repeats for _, _, repeats, _, _ in stages)

    inputs, x = spectrogram(bands, channels)
    if three_channels:
        x = convolution(x, 3, 3, bias=True)
    x = convolution(x, round_filters(32, width), 3, stride=2, initializer=begun(batch_norm))
    x = ended(x, batch_norm, kind.activation)
    block = 0
    for expansion, filters, repeats, stride, kernel in stages:
        for repeat in range(repeats):
            drop = drop_connect * block / total
            steps = stride if repeat == 0 else 1
            x = inverted_bottleneck(x, filters, kernel, steps, expansion, drop, kind, batch_norm)
            block += 1
    x = convolution(x, round_filters(1280, width), 1, initializer=begun(batch_norm))
    x = ended(x, batch_norm, kind.activation)
    x = POOLS[pool](x, axis=(1, 2))
    return keras.Model(inputs, x if batch_norm else layers.UnitNormalization()(x), name="encoder")


def inverted_bottleneck(
    x, filters: int, kernel: int, stride: int, expansion: int, drop: float, kind: Variant, batch_norm: bool
):
    inputs, width = x, x.shape[-1] * expansion
    adds = stride == 1 and inputs.shape[-1] == filters
    if expansion > 1:
        x = ended(convolution(x, width, 1, initializer=begun(batch_norm)), batch_norm, kind.activation)
    x = ended(depthwise(x, kernel, stride, initializer=averaging(batch_norm, kernel)), batch_norm, kind.activation)
    if not kind.lite:
        x = squeeze_excite(x, max(1, inputs.shape[-1] // 4), FAN_OUT if batch_norm else "zeros")
    halved, gain = (1 if kind.lite else 2), (BRANCH if adds else 1.0)
    x = ended(convolution(x, filters, 1, initializer=begun(batch_norm, halved, gain)), batch_norm)
    return layers.Add()([inputs, drop_branch(x, drop)]) if adds else x


def ended(x, batch_norm: bool, activation: str | None = None):
    """What follows a convolution; momentum and epsilon as published, in TensorFlow."""
    if batch_norm:
        return normalise(x, activation, momentum=0.99, epsilon=1e-3)
    return layers.Activation(activation)(x) if activation else x


def begun(batch_norm: bool, halved: int = 0, gain: float = 1.0):
    """The weights that a convolution begins with.

    Without batch normalisation it passes on `gain` of what it gets, made up for having been halved on the way: of what
    is small a swish passes half, and so does a gate that has learnt nothing.
    """
    if batch_norm:
        return FAN_OUT
    return {"class_name": "VarianceScaling", "config": {"scale": (gain * 2.0**halved) ** 2, "mode": "fan_in"}}


def averaging(batch_norm: bool, kernel: int):
    """The same for a depthwise one, always behind an activation: a mean of its neighbours, and a little of its own."""
    if batch_norm:
        return FAN_OUT
    return {"class_name": "RandomNormal", "config": {"mean": 2 / kernel**2, "stddev": 2 * UNEVEN / kernel}}


def squeeze_excite(x, reduced: int, opening):
    gate = ops.mean(x, axis=(1, 2), keepdims=True)
    gate = layers.Conv2D(reduced, 1, activation="swish", kernel_initializer=FAN_OUT)(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", kernel_initializer=opening)(gate)
    return layers.Multiply()([x, gate])


def round_filters(filters: int, width: float) -> int:
    """Scaled to the nearest multiple of 8, never more than 10 % below the exact width."""
    exact = filters * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded
