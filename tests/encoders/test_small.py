import contracts
import keras
import numpy as np
import pytest

from kerascola.encoders.small import MIN_FRAMES, small
from kerascola.errors import RecipeError


def test_the_contract_holds_for_a_narrow_one(tmp_path):
    contracts.check_encoder(lambda: small(40, filters=4, dimension=24), (40,), 24, MIN_FRAMES, tmp_path)


@contracts.counted_once
def test_parameters_are_byol_as():
    # Niizumi et al. 2021, table 1 and section 4.1: 0.6 M at 512 dimensions, 5.3 M at 2048, on 64 mel bands.
    convolutions = [(1, 64), (64, 64), (64, 64)]
    shared = sum(9 * before * after + after + 2 * after for before, after in convolutions)
    for dimension, millions in ((512, 0.6), (2048, 5.3)):
        with contracts.unfilled():
            count = contracts.trainable(small(dimension=dimension))
        assert count == shared + 512 * dimension + dimension + dimension * dimension + dimension
        assert round(count / 1e6, 1) == millions


def test_the_pool_is_the_mean_plus_the_maximum_over_time():
    encoder = small(40, filters=4, dimension=24)
    x = np.random.default_rng(0).normal(size=(2, 61, 40)).astype(np.float32)
    last = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Dense)][-1]
    frames = keras.Model(encoder.input, last.output).predict_on_batch(x)
    assert frames.shape == (2, 7, 24)
    np.testing.assert_allclose(encoder.predict_on_batch(x), frames.max(axis=1) + frames.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"bands": 7}, "expected bands of small of at least 8, received 7"),
        ({"filters": 0}, "expected filters of at least 1, received 0"),
        ({"dropout": 1}, "expected 0 <= dropout < 1, received 1"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        small(**options)
    assert message in str(error.value)
