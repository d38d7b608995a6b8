"""Small embedders with nothing left at its initial value, so that a lost, swapped or misfolded weight shows."""

import contextlib
import dataclasses
from collections.abc import Iterator
from unittest.mock import patch

import keras
import numpy as np
from keras import layers, ops

from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import FrontEnd, Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.encoders import efficientnet, resnet, resnet1d
from kerascola.encoders.build import build
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder
from kerascola.runtime.metadata import Metadata

# Every front end at a small size, and every encoder at its narrowest.
FRONT_ENDS: dict[str, FrontEnd] = {
    "log_mel": LogMel(mels=48),
    "uclser20": PRESETS["uclser20"],
    "cola-fma": PRESETS["cola-fma"],
    "spectra": Spectra(window=512, bands=48),
    "leaf": Leaf(filters=48, memory=8),
    "sincnet": SincNet(filters=48),
    "waveform": Waveform(),
}
NARROW: dict[str, dict] = {
    "efficientnet": {"width": 0.25, "depth": 1.0},
    "convnext": {"depths": (1, 1, 1, 1), "widths": (32, 8, 8, 8)},
    "resnet": {"width": 4},
    "vgg": {"width": 0.25, "dimension": 16},
    "crnn": {"filters": 4, "units": 6},
    "small": {"filters": 4, "dimension": 16},
    "resnet1d": {"width": 4},
}


@contextlib.contextmanager
def few_blocks() -> Iterator[None]:
    """The deepest networks with a block of each kind: further ones take time and show no more."""
    stages, repeats = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 5)), {18: (1, 1, 1, 1)}
    with (
        patch.object(efficientnet, "STAGES", stages),
        patch.dict(resnet.REPEATS, repeats),
        patch.dict(resnet1d.REPEATS, repeats),
    ):
        yield


def narrow_embedder(encoder: str, front: str, **options) -> tuple[keras.Model, Metadata]:
    spec = FRONT_ENDS[front]
    with few_blocks():
        made, frames = build(encoder, spec.shape, **NARROW[encoder] | options)
    model = embedder(frontend(spec), made)
    randomise(model)
    least, window = spec.samples(frames), max(spec.sample_rate // 2, spec.samples(frames))
    known = {"sample_rate": spec.sample_rate, "window_samples": window, "min_samples": least}
    return model, metadata_of(model, **known, frontend=dataclasses.asdict(spec))


def tiny_embedder(spec: LogMel | None = None) -> keras.Model:
    """The real thing at its narrowest, with its blocks of both kinds."""
    with few_blocks():
        model = embedder(frontend(spec or LogMel()), efficientnet.efficientnet(width=0.25))
    randomise(model)
    return model


def small_encoder(bands: int = 64) -> keras.Model:
    """One convolution and its normalisation: what takes little time to lower."""
    spectrogram = keras.Input((None, bands), name="spectrogram")
    x = layers.ZeroPadding2D(1)(ops.expand_dims(spectrogram, -1))
    x = layers.Conv2D(8, 3, 2, use_bias=False)(x)
    x = layers.Activation("swish")(layers.BatchNormalization()(x))
    return keras.Model(spectrogram, ops.max(x, axis=(1, 2)), name="encoder")


def small_embedder(spec: LogMel | None = None) -> keras.Model:
    model = embedder(frontend(spec or LogMel()), small_encoder())
    randomise(model)
    return model


def statistics_embedder() -> keras.Model:
    """What tests/onnx_models.py writes as ONNX: takes no time, and what it gives can be computed by hand."""
    waveform = keras.Input((None,), dtype="float32", name="waveform")
    x = [waveform, ops.abs(waveform), ops.square(waveform)]
    found = ops.stack([*(ops.mean(each, axis=1) for each in x), ops.max(waveform, axis=1)], axis=1)
    return keras.Model(waveform, layers.Identity(name="embedding")(found), name="embedder")


def metadata_of(model: keras.Model, **known) -> Metadata:
    least = LogMel().samples(efficientnet.MIN_FRAMES)
    fields = {"sample_rate": 16000, "window_samples": 8000, "hop_samples": 4000, "min_samples": least}
    return Metadata(**fields | {"dimension": int(model.output.shape[-1]), "recipe": "test"} | known)


def randomise(model: keras.Model, seed: int = 0) -> None:
    """Every weight but the frozen ones drawn by NumPy, the same on each backend.

    Convolutions keep the variance and normalisations stay near one, so embeddings are of order one, differ
    from sound to sound and do not magnify rounding.
    """
    rng = np.random.default_rng(seed)
    for layer in leaves(model):
        if layer.trainable:
            fan_out = 2 if isinstance(layer, layers.DepthwiseConv2D) else 1  # axes of a kernel that are not summed
            values = [drawn(rng, w.name, tuple(w.shape), fan_out) for w in layer.weights]
            layer.set_weights([value.astype("float32") for value in values])


def drawn(rng: np.random.Generator, name: str, shape: tuple[int, ...], fan_out: int) -> np.ndarray:
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.7, 1.6, shape)
    if name in ("beta", "moving_mean", "bias"):
        return rng.normal(0, 0.2, shape)
    return rng.normal(0, np.sqrt(1.6 / np.prod(shape[:-fan_out])), shape)


def leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer
