"""CLAR's three channels: magnitude in dB, phase and mel spectrogram in dB, as a plain Keras model."""

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.spectra import Spectra
from kerascola.frontends.plain import FROZEN, fixed, pad, transform

TEN = 10 / np.log(10)  # natural logarithms to dB of a power
CUT = 0.1


def spectra(spec: Spectra) -> keras.Model:
    """waveform [batch, samples] -> [batch, frames, bands, 3].

    As in CLAR the reference levels are 20 dB (magnitude) and 10 dB (mel power): those are subtracted.
    """
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    padded = pad(waveform, *spec.padding, spec.centre)
    real, imaginary = transform(padded, spec.taps(), spec.cycles(), spec.window, spec.hop, "log_dft")
    power = real * real + imaginary * imaginary
    decibels = float(TEN) * ops.log(ops.maximum(power, spec.floor**2)) - 20.0

    bins = np.flatnonzero(spec.mel_matrix().any(axis=1))
    mel_real, mel_imaginary = transform(padded, spec.taps(), bins, spec.window, spec.hop, "dft")
    mel = layers.Dense(spec.bands, use_bias=False, name="mel", **FROZEN)
    mels = fixed(mel, mel_real * mel_real + mel_imaginary * mel_imaginary, spec.mel_matrix()[bins])
    mel_decibels = float(TEN) * ops.log(ops.maximum(mels, spec.floor)) - 10.0

    magnitude = ops.sqrt(power)
    loudness = magnitude / ops.maximum(ops.max(magnitude, axis=(1, 2), keepdims=True), float(spec.floor))
    heard = ops.clip(loudness / float(spec.phase_floor) - 1.0, 0.0, 1.0)
    channels = ops.stack([decibels, heard * angle(real, imaginary), mel_decibels], axis=-1)
    return keras.Model(waveform, channels, name="features")


def angle(x, y):
    """The angle of (x, y), of operations that every format has: ONNX knows no arctan2.

    Over the last `CUT` radians before pi and -pi it goes back to zero. There the angle itself would jump from one to
    the other for a difference in the last bit, and two backends would not give the same numbers.
    """
    upright = ops.where(y < 0.0, -float(np.pi / 2), float(np.pi / 2))
    vertical = ops.equal(x, 0.0)  # `==` would compare Keras's symbolic tensors, not their values
    acute = ops.arctan(y / ops.where(vertical, 1.0, x))
    whole = ops.where(vertical, upright, ops.where(x > 0.0, acute, acute + 2.0 * upright))
    return whole * ops.clip((float(np.pi) - ops.abs(whole)) * float(1 / CUT), 0.0, 1.0)
