"""Log-mel spectrograms as plain Keras models: one parametric layer stack for every system's."""

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.log_mel import LogMel
from kerascola.frontends.plain import FROZEN, fixed, pad, transform


def log_mel(spec: LogMel) -> keras.Model:
    """waveform [batch, samples] -> [batch, frames, mels]; frames = (padded samples - window) // hop + 1."""
    bins = spec.used_bins()
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    padded = pad(waveform, *spec.padding, spec.centre)
    real, imaginary = transform(padded, spec.taps(), bins, spec.fft, spec.hop, "dft")
    spectrum = real * real + imaginary * imaginary
    if spec.power == 1:
        spectrum = ops.sqrt(spectrum)
    mels = fixed(layers.Dense(spec.mels, use_bias=False, name="mel", **FROZEN), spectrum, spec.mel_matrix()[bins])
    return keras.Model(waveform, normalised(logarithm(mels, spec), spec), name="features")


def logarithm(mels, spec: LogMel):
    if spec.floor_by == "add":
        logs = ops.log(mels + float(spec.floor))
    else:
        logs = ops.log(ops.clip(mels, spec.floor, spec.ceiling))
    return logs * float(spec.log_factor()) if spec.log != "ln" else logs


def normalised(x, spec: LogMel):
    if spec.reference == "max":
        x = x - ops.max(x, axis=(1, 2), keepdims=True)
    if spec.range_db is not None:
        x = ops.maximum(x, -float(spec.range_db))
    if (spec.mean, spec.deviation) != (0.0, 1.0):
        x = (x - float(spec.mean)) * float(np.float64(1) / spec.deviation)
    return x
