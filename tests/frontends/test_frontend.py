"""Levels, and what all front ends have in common."""

import contracts
import keras
import numpy as np
import pytest
import references
from keras import ops

from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.frontends.frontend import clip_level, features, freeze, frontend

RATE = {"sample_rate": 8000}
SPECS = {
    "log_mel": LogMel(**RATE, window=200, hop=80, fft=256, mels=20, high_hz=3500.0),
    "spectra": Spectra(**RATE, window=256, hop=64, bands=24, low_hz=100.0, high_hz=4000.0),
    "leaf": Leaf(**RATE, window=101, hop=40, filters=6, high_hz=3800.0, memory=8),
    "sincnet": SincNet(**RATE, window=101, hop=40, filters=6),
    "waveform": Waveform(**RATE),
}


def noise() -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(2, 1000)) * [[0.1], [0.003]]).astype(np.float32)


@pytest.mark.parametrize("level", ["rms", "peak", "none"])
def test_the_contract_holds_for_the_waveform_at_every_level(level, tmp_path):
    spec = Waveform(level=level, level_samples=12000)
    assert spec.samples(7) == 7 and spec.shape == ()
    contracts.check_frontend(
        lambda: frontend(spec), lambda wave: references.level(wave, level, 12000), spec.samples(1), tmp_path
    )


@pytest.mark.parametrize("level", ["rms", "peak", "none"])
def test_levels_of_silence_dc_loud_and_faint_sounds(level):
    """Below -132 dB the RMS is no longer brought up to its level, so that silence stays silent."""
    wave = np.random.default_rng(0).normal(size=1000)
    waves = np.stack([0 * wave, 0 * wave + 0.5, 1e4 * wave, 1e-4 * wave, 1e-8 * wave, 0.1 * wave + 3]).astype(
        np.float32
    )
    received = frontend(Waveform(level=level)).predict_on_batch(waves)
    for row, one in zip(received, waves, strict=True):
        expected = references.level(one, level)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    if level == "rms":
        np.testing.assert_allclose(np.mean(received[1:4].astype(np.float64) ** 2, axis=1) * 16000, 1, rtol=1e-5)


def test_clips_are_levelled_as_a_whole_to_unit_norm_and_silence_stays():
    clips = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    clips[1] *= 1e-3
    clips[2] = 0
    kept = clips.copy()
    received = contracts.numbers(clip_level(ops.convert_to_tensor(clips), LogMel(level_samples=77)))
    np.testing.assert_allclose(np.linalg.norm(received, axis=1), [1, 1, 0], atol=1e-5)
    np.testing.assert_array_equal(clips, kept)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_mixed_precision_changes_nothing(spec):
    def build() -> keras.Model:
        return frontend(spec, features(spec))

    expected = build().predict_on_batch(noise())
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed, learnt = build(), features(spec)
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(mixed.output.dtype) == "float32"
    assert keras.backend.standardize_dtype(learnt.output.dtype) == "float32"
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in mixed.weights} <= {"float32"}
    np.testing.assert_allclose(mixed.predict_on_batch(noise()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_front_end_is_its_level_and_then_its_features(spec):
    learnt = features(spec)
    assert learnt.name == "features"
    levelled = np.stack([references.level(wave, spec.level) for wave in noise()]).astype(np.float32)
    whole = frontend(spec, learnt)
    assert whole.get_layer("features") is not learnt or freeze(spec, learnt) is learnt
    received, expected = whole.predict_on_batch(noise()), learnt.predict_on_batch(levelled)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=2e-4)


def test_what_is_shipped_is_what_was_learnt():
    """And stays it, when training goes on."""
    for name, weight in (("leaf", "alpha"), ("sincnet", "bands")):
        learnt = features(SPECS[name])
        variable = next(w for w in learnt.weights if w.name == weight)
        variable.assign(contracts.numbers(variable) * 0.5)
        shipped = frontend(SPECS[name], learnt)
        before = shipped.predict_on_batch(noise())
        assert not np.allclose(before, frontend(SPECS[name]).predict_on_batch(noise()), atol=1e-3), name
        variable.assign(contracts.numbers(variable) * 0.5)
        np.testing.assert_array_equal(shipped.predict_on_batch(noise()), before)
