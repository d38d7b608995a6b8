import contracts
import keras
import numpy as np
import pytest

from kerascola.encoders.vgg import MIN_FRAMES, vgg
from kerascola.errors import RecipeError


def test_the_contract_holds_for_a_narrow_one(tmp_path):
    contracts.check_encoder(lambda: vgg(40, width=0.25, dimension=24), (40,), 24, MIN_FRAMES, tmp_path)


@contracts.counted_once
def test_parameters_are_those_of_uclser20():
    """Added up from its models/audio_models.py: convolutions without bias, batch normalisation, `dense1`."""
    convolutions = [(1, 32), (32, 32), (32, 32), (32, 64), (64, 64), (64, 128)]
    expected = sum(9 * before * after + 2 * after for before, after in convolutions)
    with contracts.unfilled():
        assert contracts.trainable(vgg()) == expected + 256 * 512 + 512
        gap, gmp = (contracts.trainable(vgg(pool=pool)) for pool in ("gap", "gmp"))
    assert gap == gmp == expected + 128 * 512 + 512


def test_the_pools():
    """gap, gmp and both, the maximum first as in the original."""
    x = np.random.default_rng(0).normal(size=(2, 40, 40)).astype(np.float32)
    for pool, parts in (("gap", ["mean"]), ("gmp", ["max"]), ("gap+gmp", ["max", "mean"])):
        encoder = vgg(40, width=0.25, pool=pool, dimension=24)
        last = [layer for layer in encoder.layers if isinstance(layer, keras.layers.MaxPooling2D)][-1]
        features = keras.Model(encoder.input, last.output).predict_on_batch(x)
        pooled = np.concatenate([getattr(features, part)(axis=(1, 2)) for part in parts], axis=1)
        kernel, bias = (contracts.numbers(w) for w in encoder.layers[-1].weights)
        np.testing.assert_allclose(
            encoder.predict_on_batch(x), np.maximum(pooled @ kernel + bias, 0), atol=1e-5, err_msg=pool
        )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pool": "gap+gm"}, "unknown pool 'gap+gm'; did you mean 'gap+gmp'?"),
        ({"bands": 7}, "expected bands of vgg of at least 8, received 7"),
        ({"width": 0.01}, "expected filters of the first block of at least 1, received 0"),
        ({"dimension": 0}, "expected dimension of at least 1, received 0"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        vgg(**options)
    assert message in str(error.value)
