"""Layers with weights that are known beforehand: what every front end is shipped as."""

import keras
import numpy as np
from keras import layers, ops

# Float32 whatever the policy: magnitudes span ten decades.
FROZEN = {"trainable": False, "dtype": "float32"}


def fixed(layer: keras.layers.Layer, x, *weights: np.ndarray):
    """The layer on `x`, with these weights."""
    y = layer(x)
    layer.set_weights([np.asarray(w, "float32") for w in weights])
    return y


def transform(waveform, taps: np.ndarray, cycles: np.ndarray, length: int, hop: int, name: str):
    """waveform [batch, samples] -> real and imaginary parts [batch, frames, len(cycles)] at `cycles` per `length`.

    The Fourier transform is a strided convolution with windowed cosines and sines: unlike an FFT it lowers to every
    format from every backend. Its kernels are ordinary frozen weights, so that a saved model needs neither this
    package nor SciPy to be loaded. Time zero is the frame's first sample.
    """
    angle = 2 * np.pi * np.outer(np.arange(len(taps)), cycles) / length
    kernel = np.concatenate([taps[:, None] * np.cos(angle), -taps[:, None] * np.sin(angle)], axis=1)[:, None, :]
    convolution = layers.Conv1D(2 * len(cycles), len(taps), hop, padding="valid", use_bias=False, name=name, **FROZEN)
    return ops.split(fixed(convolution, ops.expand_dims(waveform, -1), kernel), 2, axis=-1)


def as_image(waveform):
    """[batch, 1, samples, 1]: in two dimensions convolutions and poolings are exported alike, and run faster."""
    return ops.expand_dims(waveform, (1, 3))


def pad(waveform, before: int, after: int, centre: str):
    """[batch, samples] with its ends mirrored, or zero beyond them."""
    if before == after == 0:
        return waveform
    mode = {"reflect": "reflect", "zeros": "constant"}[centre]
    return ops.pad(waveform, [[0, 0], [before, after]], mode=mode)


def per_channel(units: int, name: str, bias: bool = False) -> keras.layers.Layer:
    """x [batch, frames, units] times one number a channel, plus another."""
    return layers.EinsumDense("btc,c->btc", (None, units), bias_axes="c" if bias else None, name=name, **FROZEN)
