import contracts
import keras
import numpy as np
import pytest

from kerascola.encoders.efficientnet import MIN_FRAMES, efficientnet, round_filters


def test_the_contract_holds_for_a_narrow_one(tmp_path):
    contracts.check_encoder(lambda: efficientnet(width=0.25, depth=0.3), 64, 320, MIN_FRAMES, tmp_path)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_the_pools_differ_and_average_or_take_the_largest(pool):
    encoder = efficientnet(width=0.25, depth=0.3, pool=pool, drop_connect=0.0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 61, 64)).astype(np.float32) * 30
    before_pool = keras.Model(encoder.input, encoder.layers[-1].output)
    features = before_pool.predict_on_batch(x)
    expected = features.max(axis=(1, 2)) if pool == "max" else features.mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.predict_on_batch(x), expected, atol=1e-5)


def test_parameters_are_b0s():
    # EfficientNet-B0 has 5,288,548 (torchvision's table): 1,281,000 of them are the classifier's, and one input
    # channel instead of three takes 2 x 9 x 32 from the stem. Batch norm's 42,016 moving averages are not counted.
    encoder = efficientnet()
    trainable = sum(contracts.numbers(weight).size for weight in encoder.trainable_variables)
    assert trainable == 5_288_548 - 1_281_000 - 2 * 9 * 32
    assert encoder.count_params() == trainable + 42_016
    assert encoder.output.shape == (None, 1280)


@pytest.mark.parametrize(("width", "expected"), [(1.0, 32), (1.1, 32), (1.2, 40), (1.4, 48), (0.25, 8), (0.01, 8)])
def test_filters_are_rounded_as_published(width, expected):
    assert round_filters(32, width) == expected
