"""LEAF (Zeghidour et al. 2021): a layer to train with, and the plain model that it is shipped as."""

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.leaf import Leaf
from kerascola.frontends.plain import FROZEN, as_image, fixed, per_channel

LEAST = 1e-5  # of what is pooled
FLOOR = 1e-12  # of the smoothed energy


class LeafLayer(keras.layers.Layer):
    """waveform [batch, samples] -> [batch, frames, filters], all of it learnt."""

    def __init__(self, spec: Leaf, **kwargs) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.spec = spec

    def build(self, input_shape) -> None:
        count, constant = (self.spec.filters,), keras.initializers.Constant
        self.gabor = self.add_weight((*count, 2), name="gabor", initializer=lambda s, dtype: self.spec.gabor())
        self.pooling = self.add_weight(count, constant(0.4), name="pooling")
        self.smooth = self.add_weight(count, constant(0.04), name="smooth")
        self.alpha = self.add_weight(count, constant(0.96), name="alpha")
        self.delta = self.add_weight(count, constant(2.0), name="delta")
        self.root = self.add_weight(count, constant(2.0), name="root")

    def compute_output_shape(self, input_shape):
        """Said here, since the torch backend would guess it from a waveform of one frame."""
        batch, samples = input_shape
        return batch, None if samples is None else (samples - 1) // self.spec.hop + 1, self.spec.filters

    def call(self, waveform):
        middle = self.spec.window // 2
        padded = ops.pad(as_image(waveform), [[0, 0], [0, 0], [middle, middle], [0, 0]])
        energy = squared_modulus(ops.conv(padded, self.filter_kernel(), padding="valid"))
        energy = ops.pad(energy, [[0, 0], [0, 0], [middle, middle], [0, 0]])
        pooled = ops.depthwise_conv(energy, self.pooling_kernel(), strides=self.spec.hop, padding="valid")
        pooled = ops.maximum(pooled, LEAST)
        smoothed = ops.depthwise_conv(with_past(pooled, self.spec.memory), self.smoothing_kernel(), padding="valid")
        alpha, delta, root = self.compression()
        pooled, smoothed = ops.squeeze(pooled, 1), ops.squeeze(smoothed, 1)
        gained = pooled * ops.exp(-alpha * ops.log(smoothed + FLOOR))
        return ops.exp(ops.log(gained + delta) / root) - ops.exp(ops.log(delta) / root)

    def filter_kernel(self):
        """[1, window, 1, 2 filters]: Gabor filters, real parts and then imaginary parts."""
        limit = float(np.sqrt(2 * np.log(2)) / np.pi)
        centre = ops.clip(self.gabor[:, 0], 0.0, float(np.pi))
        deviation = ops.clip(self.gabor[:, 1], 4 * limit, self.spec.window * limit)
        time = ops.expand_dims(ops.arange(self.spec.window, dtype="float32") - float(self.spec.window // 2), -1)
        envelope = ops.exp(-0.5 * (time / deviation) ** 2) / (float(np.sqrt(2 * np.pi)) * deviation)
        kernel = ops.concatenate([envelope * ops.cos(centre * time), envelope * ops.sin(centre * time)], axis=1)
        return ops.expand_dims(kernel, (0, 2))

    def pooling_kernel(self):
        """[1, window, filters, 1]: Gaussians, of which `pooling` is the deviation in half windows."""
        width = ops.clip(self.pooling, 2.0 / self.spec.window, 0.5) * float(self.spec.window // 2)
        time = ops.expand_dims(ops.arange(self.spec.window, dtype="float32") - float(self.spec.window // 2), -1)
        return ops.expand_dims(ops.exp(-0.5 * (time / width) ** 2), (0, 3))

    def smoothing_kernel(self):
        """[1, memory, filters, 1]: what the first-order smoother of PCEN gives each of the last frames.

        The recursion m[t] = (1 - s) m[t - 1] + s x[t] from m[-1] = x[0] weighs a frame k steps back by s (1 - s)^k.
        As a convolution it trains and lowers as fast as any other layer, where a loop over frames does neither.
        """
        smooth = ops.clip(self.smooth, 0.0, 1.0)
        back = ops.expand_dims(ops.arange(self.spec.memory - 1, -1, -1, dtype="float32"), -1)
        faded = ops.maximum(1.0 - smooth, 1e-7) ** back  # the gradient of 0 ** 0 would not be a number
        # What is left for the oldest, so that the weights sum to one; one minus their sum would be rounding.
        oldest, recent = faded[:1], smooth * faded[1:]
        return ops.expand_dims(ops.concatenate([oldest, recent], axis=0), (0, 3))

    def compression(self):
        """alpha, delta and root of PCEN, each [filters]."""
        return ops.minimum(self.alpha, 1.0), ops.maximum(self.delta, 1e-6), ops.maximum(self.root, 1.0)


def squared_modulus(x):
    real, imaginary = ops.split(x, 2, axis=-1)
    return real * real + imaginary * imaginary


def with_past(x, memory: int):
    """[batch, 1, frames, filters] behind memory - 1 copies of its first frame.

    Not by concatenation, of which jax2onnx mistakes the length where one part has a dynamic one.
    """
    before = [[0, 0], [0, 0], [memory - 1, 0], [0, 0]]
    there = ops.pad(ops.ones_like(x[..., :1]), before)
    return ops.pad(x, before) + x[:, :, :1] * (1.0 - there)


def leaf(spec: Leaf) -> keras.Model:
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    return keras.Model(waveform, LeafLayer(spec, name="leaf")(waveform), name="features")


def frozen_leaf(features: keras.Model) -> keras.Model:
    """What the model of `leaf` computes at its present weights, of Keras's own layers."""
    learnt = features.get_layer("leaf")
    spec, count, middle = learnt.spec, learnt.spec.filters, learnt.spec.window // 2
    alpha, delta, root = (ops.convert_to_numpy(w).astype("float64") for w in learnt.compression())
    kernels = learnt.filter_kernel(), learnt.pooling_kernel(), learnt.smoothing_kernel()
    gabor, pooling, smoothing = (ops.convert_to_numpy(kernel) for kernel in kernels)
    plain = {"padding": "valid", "use_bias": False, **FROZEN}

    waveform = keras.Input((None,), dtype="float32", name="waveform")
    x = layers.ZeroPadding2D((0, middle), dtype="float32")(as_image(waveform))
    x = squared_modulus(fixed(layers.Conv2D(2 * count, (1, spec.window), name="gabor", **plain), x, gabor))
    x = layers.ZeroPadding2D((0, middle), dtype="float32")(x)
    x = fixed(layers.DepthwiseConv2D((1, spec.window), spec.hop, name="pooling", **plain), x, pooling)
    pooled = ops.maximum(x, LEAST)
    smoother = layers.DepthwiseConv2D((1, spec.memory), name="smoother", **plain)
    smoothed = fixed(smoother, with_past(pooled, spec.memory), smoothing)
    pooled, smoothed = ops.squeeze(pooled, 1), ops.squeeze(smoothed, 1)
    gained = pooled * ops.exp(fixed(per_channel(count, "gain"), ops.log(smoothed + FLOOR), -alpha))
    raised = fixed(per_channel(count, "offset", bias=True), gained, np.ones(count), delta)
    rooted = ops.exp(fixed(per_channel(count, "root"), ops.log(raised), 1 / root))
    output = fixed(per_channel(count, "zero", bias=True), rooted, np.ones(count), -(delta ** (1 / root)))
    return keras.Model(waveform, output, name="features")
