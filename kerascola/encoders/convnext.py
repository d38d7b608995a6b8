"""ConvNeXt for spectrograms (Liu et al. 2022), tiny to large, without the classifier's normalisation as in audax."""

import keras
import numpy as np
from keras import layers

from kerascola.encoders.blocks import (
    POOLS,
    check_least,
    check_one_of,
    check_rate,
    depthwise,
    drop_branch,
    spectrogram,
)
from kerascola.errors import RecipeError

# Blocks and widths of the four stages, and the rate of stochastic depth that the paper trained with.
VARIANTS = {
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768), 0.1),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768), 0.4),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024), 0.5),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536), 0.5),
}
MIN_FRAMES = MIN_BANDS = 32  # the stem takes 4 x 4 to one, then three times 2 x 2
INITIALIZER = {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}}
EPSILON = 1e-6
SCALE = 1e-6  # a branch's first weight


def convnext(
    bands: int = 64,
    channels: int = 1,
    variant: str = "tiny",
    depths: tuple[int, ...] | None = None,
    widths: tuple[int, ...] | None = None,
    drop_path: float | None = None,
    pool: str = "mean",
) -> keras.Model:
    """Spectrogram [batch, frames >= 32, bands >= 32] -> embedding [batch, the last width].

    `depths`, `widths` and `drop_path` take the place of the variant's own.
    """
    check_one_of("variant", variant, VARIANTS)
    check_one_of("pool", pool, POOLS)
    check_least("bands of convnext", bands, MIN_BANDS)
    own_depths, own_widths, own_drop = VARIANTS[variant]
    depths = tuple(depths) if depths else own_depths
    widths = tuple(widths) if widths else own_widths
    drop_path = own_drop if drop_path is None else drop_path
    check_rate("drop_path", drop_path)
    if len(depths) != 4 or len(widths) != 4 or min(*depths, *widths) < 1:
        raise RecipeError(f"expected four depths and four widths from 1, received {list(depths)} and {list(widths)}")
    rates = iter(np.linspace(0, drop_path, sum(depths)).tolist())

    inputs, x = spectrogram(bands, channels)
    x = layers.Conv2D(widths[0], 4, 4, kernel_initializer=INITIALIZER)(x)
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if stage > 0:
            x = layers.LayerNormalization(epsilon=EPSILON)(x)
            x = layers.Conv2D(width, 2, 2, kernel_initializer=INITIALIZER)(x)
        for _ in range(depth):
            x = layers.Add()([x, drop_branch(branch(x, width), next(rates))])
    return keras.Model(inputs, POOLS[pool](x, axis=(1, 2)), name="encoder")


def branch(x, width: int):
    x = depthwise(x, 7, bias=True, initializer=INITIALIZER)
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    x = layers.Dense(4 * width, activation="gelu", kernel_initializer=INITIALIZER)(x)
    x = layers.Dense(width, kernel_initializer=INITIALIZER)(x)
    scale = keras.initializers.Constant(SCALE)
    return layers.EinsumDense("bhwc,c->bhwc", (None, None, width), kernel_initializer=scale)(x)
