import contracts
import numpy as np
import references

from kerascola.dsp.log_mel import LogMel
from kerascola.frontends.log_mel import frontend, log_mel


def test_the_contract_holds_for_cola(tmp_path):
    contracts.check_frontend(
        lambda: frontend(LogMel()), lambda wave: references.log_mel(references.level(wave)), 400, tmp_path
    )


def test_other_parameters_reach_the_spectrogram():
    spec = LogMel(sample_rate=8000, window=200, hop=80, fft=256, mels=20, low_hz=100.0, high_hz=3500.0, floor=0.2)
    wave = np.random.default_rng(1).normal(size=1000).astype(np.float32) * 0.01
    expected = references.log_mel(wave, 8000, 200, 80, 256, 20, 100.0, 3500.0, 0.2)
    assert (expected == np.log(0.2)).any(), "the floor is not exercised"
    np.testing.assert_allclose(contracts.numbers(log_mel(spec)(wave[None]))[0], expected, atol=2e-5)


def test_silence_is_the_floor_and_level_does_not_matter():
    model = frontend(LogMel())
    silence = contracts.numbers(model(np.zeros((1, 4000), np.float32)))
    np.testing.assert_allclose(silence, np.log(1e-5), atol=1e-5)
    wave = np.random.default_rng(2).normal(size=(1, 4000)).astype(np.float32)
    np.testing.assert_allclose(contracts.numbers(model(wave)), contracts.numbers(model(wave * 1e-3)), atol=1e-4)


def test_it_stays_in_float32_under_mixed_precision():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = log_mel(LogMel())
    finally:
        keras.config.set_dtype_policy("float32")
    wave = np.random.default_rng(3).normal(size=(1, 4000)).astype(np.float32)
    output = model(wave)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    np.testing.assert_allclose(contracts.numbers(output)[0], references.log_mel(wave[0]), atol=2e-5)
