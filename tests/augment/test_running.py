import contracts
import keras
import numpy as np
import pytest

from kerascola.augment.running import Standardise, statistics


def batches(count: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(count, 4, 9, 5)) * np.arange(1, count + 1)[:, None, None, None] - 7).astype(np.float32)


def test_the_mean_and_the_deviation_are_those_of_all_that_was_seen():
    layer = Standardise()
    for number, batch in enumerate(batches(), 1):
        y = contracts.numbers(layer(batch, training=True))
        seen = batches()[:number].astype(np.float64)
        assert statistics(layer) == pytest.approx((seen.mean(), seen.std()), rel=1e-4)
        np.testing.assert_allclose(y, (batch - seen.mean()) / seen.std(), atol=1e-3)


def test_outside_training_nothing_is_learnt_and_at_first_nothing_changes():
    layer = Standardise()
    np.testing.assert_array_equal(contracts.numbers(layer(batches()[0])), batches()[0])
    layer(batches()[1], training=True)
    before = statistics(layer)
    layer(batches()[2])
    assert statistics(layer) == before


def test_a_constant_is_not_divided_by_nothing():
    layer = Standardise()
    assert np.isfinite(contracts.numbers(layer(np.full((2, 9, 5), -11.5, np.float32), training=True))).all()


def test_its_statistics_are_weights_that_are_saved_and_not_trained():
    layer = Standardise()
    layer(batches()[0], training=True)
    assert len(layer.non_trainable_weights) == 3 and not layer.trainable_weights
    again = Standardise.from_config(layer.get_config())
    again.build((None, 9, 5))
    again.set_weights(layer.get_weights())
    assert statistics(again) == statistics(layer)
    assert keras.backend.standardize_dtype(again(keras.ops.cast(batches()[0], "bfloat16")).dtype) == "float32"
