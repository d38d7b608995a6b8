import contracts
import keras
import numpy as np
import pytest
import references

from kerascola.dsp.leaf import Leaf
from kerascola.frontends.frontend import features, freeze, frontend

SMALL = Leaf(sample_rate=8000, window=101, hop=40, filters=6, high_hz=3800.0, memory=8)
INITIAL = {"pooling": 0.4, "smooth": 0.04, "alpha": 0.96, "delta": 2.0, "root": 2.0}

# Each limit is passed by one value and met by another.
OUTSIDE = {
    "gabor": [[-0.1, 5.0], [0.0, 0.1], [3.5, 1000.0], [np.pi, 8.0], [1.0, 1.4], [2.0, 40.0]],
    "pooling": [-0.2, 0.001, 0.9, 0.5, 0.02, 0.3],
    "smooth": [1.2, 1.0, -0.1, 0.0, 0.9, 0.3],
    "alpha": [1.3, 1.0, -0.5, 0.5, 0.0, 0.9],
    "delta": [-1.0, 0.0, 1e-6, 0.5, 8.0, 1.0],
    "root": [0.5, 1.0, -2.0, 1.5, 8.0, 3.0],
}


def initial(spec: Leaf) -> dict[str, np.ndarray]:
    return {"gabor": spec.gabor(), **{name: np.full(spec.filters, value) for name, value in INITIAL.items()}}


def learnt_with(weights: dict) -> keras.Model:
    model = features(SMALL)
    layer = model.get_layer("leaf")
    layer.set_weights([np.asarray(weights[weight.name], np.float32) for weight in layer.weights])
    return model


def sounds() -> np.ndarray:
    """Noise that fades to silence, faint noise, a click: 25 frames, three times what is remembered."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(3, 1000)) * [[0.1], [0.001], [0.0]]
    waves[0] *= np.clip(np.linspace(1.5, -0.5, 1000), 0, 1)
    waves[2, 150] = 0.9
    return waves.astype(np.float32)


def test_the_contract_holds(tmp_path):
    spec = Leaf()
    assert spec.samples(1) == 1 and spec.shape == (40,)
    contracts.check_frontend(
        lambda: frontend(spec), lambda wave: references.leaf(references.level(wave), initial(spec)), 1, tmp_path
    )


def test_the_initial_filters_are_like_mel_bands():
    for spec in (Leaf(), SMALL):
        expected = references.leaf_gabor(spec.filters, spec.sample_rate, spec.low_hz, spec.high_hz)
        np.testing.assert_allclose(spec.gabor(), expected, rtol=1e-3)  # the reference counts bins
    assert (spec.gabor()[:, 0] > 0).all() and (spec.gabor()[:, 0] < np.pi).all()


def test_the_layer_starts_from_the_papers_values():
    for weight in features(SMALL).trainable_variables:
        np.testing.assert_allclose(contracts.numbers(weight), initial(SMALL)[weight.name], rtol=1e-6)
    assert len(features(SMALL).trainable_variables) == 6


@pytest.mark.parametrize("weights", [initial(SMALL), OUTSIDE], ids=["initial", "outside every limit"])
def test_the_layer_is_the_references_and_the_frozen_model_is_the_layer(weights):
    learnt = learnt_with(weights)
    received = learnt.predict_on_batch(sounds())
    weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    expected = [
        references.leaf(wave, weights, SMALL.window, SMALL.hop, SMALL.memory).astype(np.float32) for wave in sounds()
    ]
    # Rounding of order 1e-6 in the pooled energy is magnified by gains of up to 1e5, whence the scale.
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    frozen = freeze(SMALL, learnt)
    contracts.check_plain(frozen)
    assert not frozen.trainable_variables
    np.testing.assert_allclose(frozen.predict_on_batch(sounds()), received, rtol=1e-5, atol=1e-6)


def test_what_is_older_than_the_memory_weighs_nothing_at_first():
    """So that the smoother is the recursion itself: at the initial weights what it cannot see has one part in 1e9."""
    layer = features(Leaf()).get_layer("leaf")
    kernel = contracts.numbers(layer.smoothing_kernel())[0, :, 0, 0].astype(np.float64)
    expected = [0.96**511] + [0.04 * 0.96**k for k in range(510, -1, -1)]
    np.testing.assert_allclose(kernel, expected, rtol=1e-4)


def test_a_bang_is_forgotten():
    """Silence long after a bang is silence; a weight that is rounding would bring the bang back."""
    spec = Leaf(sample_rate=8000, window=101, hop=40, filters=6, high_hz=3800.0)
    wave = np.zeros((1, 40 * 600), np.float32)
    wave[0, 400] = 100.0
    received = contracts.numbers(features(spec)(wave))[0]
    expected = references.leaf(wave[0], initial(spec), 101, 40)
    np.testing.assert_allclose(received[511:], expected[511:], rtol=1e-4)


def test_one_step_moves_every_weight():
    contracts.check_trains(features(SMALL), sounds())


@pytest.mark.parametrize("weights", [initial(SMALL), OUTSIDE], ids=["initial", "outside every limit"])
def test_gradients_are_finite_on_silence_and_beyond_the_limits(weights):
    waves = sounds()
    for inputs in (waves, 0 * waves):
        model = contracts.OneStep(learnt_with(weights))
        model.compile(optimizer=keras.optimizers.SGD(1e-2))
        model.train_on_batch(inputs)
        for weight in model.trainable_variables:
            assert np.isfinite(contracts.numbers(weight)).all(), weight.path
