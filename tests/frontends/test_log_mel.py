"""Every preset is held to the source that it is named after, and every choice to the reference."""

import contracts
import keras
import numpy as np
import pytest
import references

from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.frontends.frontend import features, frontend

# As their sources have them: Saeed et al. 2021, section 3; audax's `log_mel` features; `librosa.feature.melspectrogram`
# and `power_to_db` with librosa 0.8's defaults; uclser20's `params_unsupervised_cl.yaml`.
SOURCES = {
    "cola": (("rms", 16000), {}),
    "audax": (
        ("rms", 15360),
        {"periodic": False, "centre": "reflect", "power": 2, "triangles": "hz", "floor": 1e-8},
    ),
    "cola-fma": (
        ("none", 0),
        {"window": 2048, "hop": 512, "fft": 2048, "centre": "reflect", "power": 2, "low_hz": 0.0, "high_hz": 8000.0}
        | {"scale": "slaney", "triangles": "hz", "norm": "slaney", "log": "db", "floor": 1e-10}
        | {"reference": "max", "range_db": 80.0, "mean": -40.0, "deviation": 40.0},
    ),
    "uclser20": (
        ("peak", 0),
        {"sample_rate": 22050, "window": 660, "hop": 220, "fft": 2048, "taper": "hamming", "centre": "reflect"}
        | {"power": 2, "mels": 96, "low_hz": 50.0, "high_hz": 10500.0, "scale": "slaney", "triangles": "hz"}
        | {"log": "log10", "floor": 1.1e-8, "floor_by": "add"},
    ),
}
LEAST = {"cola": 400, "audax": 201, "cola-fma": 1025, "uclser20": 331}


@pytest.mark.parametrize("name", PRESETS)
def test_the_contract_holds_for_every_preset(name, tmp_path):
    level, parameters = SOURCES[name]

    def oracle(wave: np.ndarray) -> np.ndarray:
        return references.log_mel(references.level(wave, *level), **parameters)

    assert PRESETS[name].samples(1) == LEAST[name]
    contracts.check_frontend(lambda: frontend(PRESETS[name]), oracle, LEAST[name], tmp_path)


SMALL = {"sample_rate": 8000, "window": 200, "hop": 80, "fft": 256, "mels": 20, "low_hz": 100.0, "high_hz": 3500.0}
IN_DB = {"log": "db", "reference": "max"}
CHANGES = [
    {"taper": "rectangular"},
    {"taper": "hann", "periodic": False},
    {"taper": "hamming"},
    {"taper": "blackman"},
    {"taper": "nuttall"},
    {"taper": "blackmanharris", "periodic": False},
    {"centre": "reflect"},
    {"centre": "zeros"},
    {"centre": "reflect", "window": 256},
    {"centre": "zeros", "window": 201},
    {"centre": "reflect", "window": 155, "hop": 51},
    {"window": 201},
    {"window": 256},
    {"hop": 200},
    {"power": 2},
    {"scale": "slaney"},
    {"scale": "slaney", "norm": "slaney"},
    {"triangles": "hz"},
    {"triangles": "hz", "scale": "slaney"},
    {"triangles": "hz", "norm": "slaney"},
    {"log": "log10"},
    {"log": "db"},
    {"log": "db", "power": 2},
    {"floor": 0.2},
    {"floor": 0.2, "floor_by": "add"},
    {"ceiling": 0.2},
    {"reference": "max"},
    IN_DB,
    {**IN_DB, "power": 2, "range_db": 20.0},
    {"mean": 3.0, "deviation": 0.5},
]


@pytest.mark.parametrize("change", CHANGES, ids=[",".join(f"{k}={v}" for k, v in c.items()) for c in CHANGES])
def test_every_choice_is_the_references(change):
    """On a noise that fades to silence, so that floors, ceilings and ranges are reached, and on a quiet one."""
    rng = np.random.default_rng(1)
    waves = rng.normal(size=(2, 1000)) * [[0.1], [0.002]]
    waves[0] *= np.clip(np.linspace(1.5, -0.5, 1000), 0, 1) ** 2
    waves = waves.astype(np.float32)
    received = contracts.numbers(features(LogMel(**SMALL | change))(waves))
    for row, wave in zip(received, waves, strict=True):
        expected = references.log_mel(wave, **SMALL | change)
        assert row.shape == expected.shape
        np.testing.assert_allclose(row, expected, rtol=2e-6, atol=2e-5)  # dB: 8.7 times a logarithm's rounding


def test_the_shortest_waveform_that_is_padded_with_zeros_is_one_sample():
    change = {"centre": "zeros"}
    assert LogMel(**SMALL | change).samples(1) == 1
    wave = np.full((1, 1), 0.5, np.float32)
    received = contracts.numbers(features(LogMel(**SMALL | change))(wave))
    np.testing.assert_allclose(received[0], references.log_mel(wave[0], **SMALL | change), atol=2e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_silence_is_finite_and_what_the_reference_says(name):
    level, parameters = SOURCES[name]
    silence = np.zeros(5399, np.float32)
    received = frontend(PRESETS[name]).predict_on_batch(silence[None])[0]
    np.testing.assert_allclose(received, references.log_mel(references.level(silence, *level), **parameters), atol=5e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_tones_and_dc_are_right_against_the_loudest_band(name):
    """Far from them bands hold rounding alone: there the logarithm of a float32 is no more than a floor's."""
    (level, parameters), spec = SOURCES[name], PRESETS[name]
    time = np.arange(5399) / spec.sample_rate
    tone = 0.3 * np.sin(2 * np.pi * 437 * time)
    waves = np.stack([tone + 0.2, np.full(5399, 0.5), 1e-4 * tone]).astype(np.float32)
    for row, wave in zip(frontend(spec).predict_on_batch(waves), waves, strict=True):
        expected = references.log_mel(references.level(wave, *level), **parameters)
        assert np.isfinite(row).all()
        np.testing.assert_allclose(
            magnitude(row, spec),
            magnitude(expected, spec),
            rtol=2e-5,
            atol=2e-6 * magnitude(expected, spec).max() + 1e-9,
        )


def magnitude(x: np.ndarray, spec: LogMel) -> np.ndarray:
    logs = (x.astype(np.float64) * spec.deviation + spec.mean) / spec.log_factor()
    return np.exp(logs / spec.power)


def test_level_does_not_matter_where_it_is_taken_out():
    wave = np.random.default_rng(2).normal(size=5399)
    for name, quieter in (("cola", 1e-3), ("audax", 1e-3), ("cola-fma", 1e-2)):
        both = np.stack([wave, quieter * wave]).astype(np.float32)
        loud, quiet = frontend(PRESETS[name]).predict_on_batch(both)
        np.testing.assert_allclose(quiet, loud, atol=1e-5, err_msg=name)


def test_it_computes_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = frontend(PRESETS["cola"])
    finally:
        keras.config.set_dtype_policy("float32")
    wave = np.random.default_rng(3).normal(size=(1, 5399)).astype(np.float32)
    np.testing.assert_allclose(
        model.predict_on_batch(wave)[0], references.log_mel(references.level(wave[0])), atol=5e-6
    )
