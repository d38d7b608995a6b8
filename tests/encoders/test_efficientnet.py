import contracts
import keras
import numpy as np
import pytest
from keras import layers

from kerascola.encoders.efficientnet import MIN_FRAMES, efficientnet, round_filters
from kerascola.errors import RecipeError


@pytest.mark.parametrize("variant, channels, depth", [("b0", 1, 0.3), ("lite0", 3, 0.1)])
def test_the_contract_holds_for_a_narrow_one(variant, channels, depth, tmp_path):
    shape = (64,) if channels == 1 else (64, channels)
    contracts.check_encoder(
        lambda: efficientnet(64, channels, variant, width=0.25, depth=depth), shape, 320, MIN_FRAMES, tmp_path
    )


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_the_pools_differ_and_average_or_take_the_largest(pool):
    encoder = efficientnet(width=0.25, depth=0.3, pool=pool, drop_connect=0.0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 61, 64)).astype(np.float32) * 30
    before_pool = keras.Model(encoder.input, encoder.layers[-1].output)
    features = before_pool.predict_on_batch(x)
    expected = features.max(axis=(1, 2)) if pool == "max" else features.mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.predict_on_batch(x), expected, atol=1e-5)


@contracts.counted_once
@pytest.mark.parametrize(
    "variant, published, dimension, stem",
    [
        # torchvision 0.20's table of models. The classifier's weights are taken off, and two of the stem's three
        # input channels.
        ("b0", 5_288_548, 1280, 32),
        ("b1", 7_794_184, 1280, 32),
        ("b2", 9_109_994, 1408, 32),
        ("b3", 12_233_232, 1536, 40),
        ("lite0", 4_652_008, 1280, 32),  # timm's results tables, tf_efficientnet_lite0: 4.65 M
    ],
)
def test_parameters_are_the_published_ones(variant, published, dimension, stem):
    with contracts.unfilled():
        encoder = efficientnet(variant=variant)
    assert encoder.output.shape == (None, dimension)
    classifier = dimension * 1000 + 1000
    assert contracts.trainable(encoder) == published - classifier - 2 * 9 * stem


def test_lite_is_made_of_what_int8_survives():
    def kinds(variant: str) -> set[str]:
        made = efficientnet(variant=variant, width=0.25, depth=0.3).layers
        return {layer.get_config()["activation"] for layer in made if isinstance(layer, layers.Activation)} | {
            type(layer).__name__ for layer in made
        }

    assert "relu6" in kinds("lite0") and kinds("lite0").isdisjoint({"silu", "Multiply"})
    assert {"silu", "Multiply"} <= kinds("b0")


@pytest.mark.parametrize(("width", "expected"), [(1.0, 32), (1.1, 32), (1.2, 40), (1.4, 48), (0.25, 8), (0.01, 8)])
def test_filters_are_rounded_as_published(width, expected):
    assert round_filters(32, width) == expected


@pytest.mark.parametrize(
    "options, message",
    [
        ({"variant": "b00"}, "unknown variant 'b00'; did you mean 'b0'? Expected one of: b0, b1, b2, b3, lite0"),
        ({"pool": "median"}, "unknown pool 'median'"),
        ({"width": 0.01}, "received depth 1, width 0.01"),
        ({"width": -1}, "received depth 1, width -1"),
        ({"depth": 0}, "received depth 0, width 1"),
        ({"drop_connect": 1.0}, "expected 0 <= drop_connect < 1, received 1"),
        ({"bands": 0}, "expected bands of at least 1, received 0"),
        ({"channels": 0}, "expected channels of at least 1, received 0"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        efficientnet(**options)
    assert message in str(error.value)


def test_without_batch_norm_it_is_what_fresh_normalisations_let_through_divided_by_its_length():
    plain, normed = efficientnet(width=0.25, depth=0.3, batch_norm=False), efficientnet(width=0.25, depth=0.3)
    norms = [layer for layer in normed.layers if isinstance(layer, layers.BatchNormalization)]
    assert norms and not any(isinstance(layer, layers.BatchNormalization) for layer in plain.layers)
    for norm in norms:
        norm.epsilon = 0.0
    for weight, other in zip(plain.weights, [w for w in normed.weights if "normalization" not in w.path], strict=True):
        weight.assign(other)
    spectrograms = np.random.default_rng(0).standard_normal((2, 32, 64)).astype(np.float32)
    received, expected = (keras.ops.convert_to_numpy(model(spectrograms)) for model in (plain, normed))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


def test_without_batch_norm_it_begins_near_linear():
    """Of half of a quiet spectrogram comes half, however deep the network."""
    keras.utils.set_random_seed(0)
    encoder = efficientnet(batch_norm=False, drop_connect=0.0)
    before = keras.Model(encoder.input, encoder.layers[-2].output)  # its length is not yet taken away
    quiet = 0.003 * np.random.default_rng(0).standard_normal((4, 32, 64)).astype(np.float32)
    whole, half = before.predict_on_batch(quiet), before.predict_on_batch(quiet / 2)
    assert np.corrcoef(whole.ravel(), half.ravel())[0, 1] > 0.999
    assert np.std(half) == pytest.approx(np.std(whole) / 2, rel=0.03)
    assert np.std(whole) > 1e-4 * np.std(quiet)
