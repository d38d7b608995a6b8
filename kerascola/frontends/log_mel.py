"""Log-mel spectrograms as plain Keras models.

The short-time Fourier transform is a strided convolution with windowed cosines and sines: unlike an FFT it
lowers to every format from every backend. Its kernels are ordinary (frozen) weights, so a saved model needs
neither this package nor SciPy to be loaded.
"""

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.windows import periodic_hann


def log_mel(spec: LogMel, name: str = "log_mel") -> keras.Model:
    """waveform [batch, samples] -> [batch, frames, mels]; frames = (samples - window) // hop + 1."""
    bins = spec.used_bins()
    angle = 2 * np.pi * np.outer(np.arange(spec.window), bins) / spec.fft
    taps = periodic_hann(spec.window)[:, None]
    kernel = np.concatenate([taps * np.cos(angle), taps * np.sin(angle)], axis=1)[:, None, :]  # [window, 1, 2 bins]

    # Float32 whatever the policy: magnitudes span ten decades.
    frozen = {"use_bias": False, "trainable": False, "dtype": "float32"}
    transform = layers.Conv1D(2 * len(bins), spec.window, spec.hop, padding="valid", name="dft", **frozen)
    mels = layers.Dense(spec.mels, name="mel", **frozen)

    waveform = keras.Input((None,), dtype="float32", name="waveform")
    real, imaginary = ops.split(transform(ops.expand_dims(waveform, -1)), 2, axis=-1)
    magnitude = ops.sqrt(real * real + imaginary * imaginary)
    spectrogram = ops.log(ops.clip(mels(magnitude), spec.floor, spec.ceiling))

    model = keras.Model(waveform, spectrogram, name=name)
    transform.set_weights([kernel.astype("float32")])
    mels.set_weights([spec.mel_matrix()[bins].astype("float32")])
    return model


def frontend(spec: LogMel) -> keras.Model:
    """What an embedder starts with: the waveform brought to one level, then its log-mel spectrogram.

    Its `log_mel` sub-model alone is what pre-training uses, on crops of clips that were levelled as a whole.
    """
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    energy = float(spec.level_samples) * ops.mean(waveform * waveform, axis=-1, keepdims=True)
    level = waveform * ops.rsqrt(ops.maximum(energy, 1e-9))
    return keras.Model(waveform, log_mel(spec)(level), name="frontend")
