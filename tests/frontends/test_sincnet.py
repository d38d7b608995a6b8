import contracts
import keras
import numpy as np
import pytest
import references

from kerascola.dsp.sincnet import SincNet
from kerascola.frontends.frontend import features, freeze, frontend

SMALL = SincNet(sample_rate=8000, window=101, hop=40, filters=6, least_low_hz=30.0, least_band_hz=60.0)
ONES, ZEROS = np.ones(6), np.zeros(6)

# Negative ones count by their size; two bands end beyond half the rate and one begins there.
OUTSIDE = np.array([[-0.2, 0.1], [0.0, 0.0], [10.0, 1.0], [3.0, 5.0], [1.0, -0.5], [-3.5, -1.0]])


def close(received: np.ndarray, expected: np.ndarray) -> None:
    """Normalised by a deviation that may be a fifth of the values."""
    np.testing.assert_allclose(received, expected, rtol=5e-6, atol=2e-5)


def learnt_with(bands: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> keras.Model:
    model = features(SMALL)
    model.get_layer("sinc").set_weights([bands])
    model.get_layer("normalisation").set_weights([gamma, beta])
    return model


def sounds() -> np.ndarray:
    """Noise that fades to silence, faint noise, a click."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(3, 1000)) * [[0.1], [0.001], [0.0]]
    waves[0] *= np.clip(np.linspace(1.5, -0.5, 1000), 0, 1)
    waves[2, 150] = 0.09  # all filters pass it alike: normalised, the rounding of the values is all there is to see
    return waves.astype(np.float32)


def test_the_contract_holds(tmp_path):
    bands = references.sincnet_bands(40, 16000)

    def oracle(wave: np.ndarray) -> np.ndarray:
        return references.sincnet(references.level(wave), bands, np.ones(40), np.zeros(40))

    assert SincNet().samples(1) == 1 and SincNet().shape == (40,)
    contracts.check_frontend(lambda: frontend(SincNet()), oracle, 1, tmp_path, close)


def test_the_initial_bands_are_even_over_mels():
    # HTK's constant is 2595 to the base ten and 1127 to the base e; it cancels but for rounding.
    np.testing.assert_allclose(SincNet().bands(), references.sincnet_bands(40, 16000), rtol=1e-6)
    np.testing.assert_allclose(SMALL.bands(), references.sincnet_bands(6, 8000, 30.0, 60.0), rtol=1e-6)
    bands = contracts.numbers(features(SMALL).get_layer("sinc").bands)
    np.testing.assert_allclose(1000 * bands, SMALL.bands(), rtol=1e-6)


@pytest.mark.parametrize("bands", [SMALL.bands() / 1000, OUTSIDE], ids=["initial", "outside"])
def test_the_layer_is_the_references_and_the_frozen_model_is_the_layer(bands):
    rng = np.random.default_rng(1)
    gamma, beta = rng.uniform(0.5, 1.5, 6), rng.normal(size=6)
    learnt = learnt_with(bands, gamma, beta)
    received = learnt.predict_on_batch(sounds())
    for row, wave in zip(received, sounds(), strict=True):
        close(row, references.sincnet(wave, 1000 * bands, gamma, beta, 8000, 101, 40, (30.0, 60.0)))
    frozen = freeze(SMALL, learnt)
    contracts.check_plain(frozen)
    assert not frozen.trainable_variables
    # Of order one, the normalised values, and small ones are differences of such.
    np.testing.assert_allclose(frozen.predict_on_batch(sounds()), received, rtol=1e-5, atol=1e-5)


def test_silence_and_its_end_are_the_offset():
    """Every filter gives the floor, whose normalisation is zero."""
    beta = np.arange(6.0)
    received = contracts.numbers(learnt_with(SMALL.bands() / 1000, ONES, beta)(np.zeros((1, 1000), np.float32)))
    np.testing.assert_allclose(received, np.broadcast_to(beta, received.shape), atol=1e-6)


def test_one_step_moves_every_weight():
    contracts.check_trains(features(SMALL), sounds())


@pytest.mark.parametrize("bands", [SMALL.bands() / 1000, OUTSIDE], ids=["initial", "outside"])
def test_gradients_are_finite_on_silence_and_beyond_the_limits(bands):
    waves = sounds()
    for inputs in (waves, 0 * waves):
        model = contracts.OneStep(learnt_with(bands, ONES, ZEROS))
        model.compile(optimizer=keras.optimizers.SGD(1e-2))
        model.train_on_batch(inputs)
        for weight in model.trainable_variables:
            assert np.isfinite(contracts.numbers(weight)).all(), weight.path
