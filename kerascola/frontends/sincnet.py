"""SincNet (Ravanelli & Bengio 2018) as audax has it: a layer to train with, and the plain model that it is shipped as.

The original's leaky ReLU stood between the filters and a pooling that is cut off at 1e-5: it changed nothing there.
"""

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.windows import taper
from kerascola.frontends.plain import FROZEN, as_image, fixed

LEAST = 1e-5  # of what is pooled
EPSILON = 1e-6  # of the layer normalisation


class SincFilters(keras.layers.Layer):
    """waveform [batch, samples] -> [batch, samples, filters]: band-pass filters of two learnt numbers each."""

    def __init__(self, spec: SincNet, **kwargs) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.spec = spec

    def build(self, input_shape) -> None:
        # In kHz, so that steps of an optimiser's usual size mean something.
        self.bands = self.add_weight(
            (self.spec.filters, 2), name="bands", initializer=lambda s, dtype: self.spec.bands() / 1000
        )

    def call(self, waveform):
        middle = self.spec.window // 2
        padded = ops.pad(as_image(waveform), [[0, 0], [0, 0], [middle, middle], [0, 0]])
        return ops.conv(padded, self.kernel(), padding="valid")

    def kernel(self):
        """[1, window, 1, filters]: the difference of two low passes, 1 in the middle, under a Hamming window."""
        spec = self.spec
        low = spec.least_low_hz + 1000 * ops.abs(self.bands[:, 0])
        high = ops.clip(low + spec.least_band_hz + 1000 * ops.abs(self.bands[:, 1]), 0.0, spec.sample_rate / 2)
        low = ops.minimum(low, high - 1.0)  # a filter that was pushed past the end keeps a width
        time = (np.arange(spec.window) - spec.window // 2)[:, None] / spec.sample_rate
        past = ops.convert_to_tensor(np.where(time == 0, 1.0, time).astype("float32"))  # at 0 the limit is taken
        # sin a - sin b as a product: of a narrow band the difference would be rounding.
        turns, half = np.pi * (high + low) * past, np.pi * (high - low) * past
        band_pass = ops.where(ops.convert_to_tensor(time == 0), 1.0, ops.cos(turns) * ops.sin(half) / half)
        window = ops.convert_to_tensor(taper("hamming", spec.window, periodic=False)[:, None].astype("float32"))
        return ops.expand_dims(band_pass * window, (0, 2))


def largest_of_each_hop(x, spec: SincNet):
    """Zeros beyond the ends are under the floor, so they are never the largest."""
    x = layers.ZeroPadding2D((0, spec.window // 2), dtype="float32")(x)
    x = layers.MaxPooling2D((1, spec.window), (1, spec.hop), "valid", dtype="float32")(x)
    return ops.maximum(ops.squeeze(x, 1), LEAST)


def sincnet(spec: SincNet) -> keras.Model:
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    x = largest_of_each_hop(SincFilters(spec, name="sinc")(waveform), spec)
    x = layers.LayerNormalization(epsilon=EPSILON, dtype="float32", name="normalisation")(x)
    return keras.Model(waveform, x, name="features")


def frozen_sincnet(features: keras.Model) -> keras.Model:
    """What the model of `sincnet` computes at its present weights, of Keras's own layers."""
    learnt = features.get_layer("sinc")
    spec = learnt.spec
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    x = layers.ZeroPadding2D((0, spec.window // 2), dtype="float32")(as_image(waveform))
    filters = layers.Conv2D(spec.filters, (1, spec.window), padding="valid", use_bias=False, name="sinc", **FROZEN)
    x = largest_of_each_hop(fixed(filters, x, ops.convert_to_numpy(learnt.kernel())), spec)
    normalisation = layers.LayerNormalization(epsilon=EPSILON, name="normalisation", **FROZEN)
    x = fixed(normalisation, x, *features.get_layer("normalisation").get_weights())
    return keras.Model(waveform, x, name="features")
