"""From a specification to the model that pre-training uses and to the one that is shipped."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import FrontEnd, Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.frontends.leaf import frozen_leaf, leaf
from kerascola.frontends.log_mel import log_mel
from kerascola.frontends.sincnet import frozen_sincnet, sincnet
from kerascola.frontends.spectra import spectra


def waveform(spec: Waveform) -> keras.Model:
    sound = keras.Input((None,), dtype="float32", name="waveform")
    return keras.Model(sound, layers.Identity(dtype="float32")(sound), name="features")


BUILDERS: dict[type, Callable[[Any], keras.Model]] = {
    LogMel: log_mel,
    Spectra: spectra,
    Waveform: waveform,
    Leaf: leaf,
    SincNet: sincnet,
}
FREEZERS: dict[type, Callable[[keras.Model], keras.Model]] = {Leaf: frozen_leaf, SincNet: frozen_sincnet}


def features(spec: FrontEnd) -> keras.Model:
    """waveform that is at its level -> features, as training wants them: LEAF and SincNet with learnt filters."""
    return BUILDERS[type(spec)](spec)


def freeze(spec: FrontEnd, learnt: keras.Model) -> keras.Model:
    """`learnt` made of Keras's own layers only."""
    return FREEZERS[type(spec)](learnt) if type(spec) in FREEZERS else learnt


def frontend(spec: FrontEnd, learnt: keras.Model | None = None) -> keras.Model:
    """What an embedder starts with: the waveform brought to its level, then its features, of plain Keras layers.

    Its sub-model `features` alone is what pre-training uses, on crops of clips that were levelled as a whole.
    """
    sound = keras.Input((None,), dtype="float32", name="waveform")
    plain = freeze(spec, learnt or features(spec))
    return keras.Model(sound, plain(level(sound, spec)), name="frontend")


def clip_level(clips, spec: FrontEnd):
    """[batch, samples] of whole clips at the level that training takes crops from: for `rms` at unit norm."""
    return level(clips, dataclasses.replace(spec, level_samples=clips.shape[1]))


def level(sound, spec: FrontEnd):
    if spec.level == "rms":
        energy = float(spec.level_samples) * ops.mean(sound * sound, axis=-1, keepdims=True)
        return sound * ops.rsqrt(ops.maximum(energy, 1e-9))
    if spec.level == "peak":
        swing = sound - ops.mean(sound, axis=-1, keepdims=True)
        return swing / (ops.max(ops.abs(swing), axis=-1, keepdims=True) + 0.005)
    return sound
