import contracts
import numpy as np
import pytest
from keras import layers

from kerascola.encoders.convnext import MIN_FRAMES, convnext
from kerascola.errors import RecipeError

NARROW = {"depths": (1, 1, 2, 1), "widths": (4, 8, 12, 16)}


def test_the_contract_holds_for_a_narrow_one(tmp_path, monkeypatch):
    # A branch that counts for a millionth at first would hide in the checks: here it counts in full.
    monkeypatch.setattr("kerascola.encoders.convnext.SCALE", 1.0)
    contracts.check_encoder(lambda: convnext(64, **NARROW), (64,), 16, MIN_FRAMES, tmp_path)


@contracts.counted_once
@pytest.mark.parametrize(
    "variant, published, dimension, first",
    [
        # torchvision 0.20's table of models. The classifier with its normalisation is taken off, and two of the
        # stem's three input channels.
        ("tiny", 28_589_128, 768, 96),
        ("small", 50_223_688, 768, 96),
        ("base", 88_591_464, 1024, 128),
        ("large", 197_767_336, 1536, 192),
    ],
)
def test_parameters_are_the_published_ones(variant, published, dimension, first):
    with contracts.unfilled():
        encoder = convnext(variant=variant)
    classifier = 2 * dimension + dimension * 1000 + 1000
    assert contracts.trainable(encoder) == published - classifier - 2 * 16 * first
    assert encoder.output.shape == (None, dimension)


def test_a_branch_starts_as_almost_nothing_and_is_dropped_the_more_the_deeper():
    encoder = convnext(64, **NARROW, drop_path=0.4)
    scales = [layer for layer in encoder.layers if isinstance(layer, layers.EinsumDense)]
    assert len(scales) == 5 and all((contracts.numbers(scale.kernel) == np.float32(1e-6)).all() for scale in scales)
    dropped = [layer for layer in encoder.layers if isinstance(layer, layers.Dropout)]
    assert [layer.rate for layer in dropped] == pytest.approx([0.1, 0.2, 0.3, 0.4])  # the first never is
    assert all(layer.noise_shape == (None, 1, 1, 1) for layer in dropped)


def test_the_activation_is_the_exact_gelu():
    dense = next(x for x in convnext(64, **NARROW).layers if isinstance(x, layers.Dense))
    dense.set_weights([np.eye(4, 16, dtype=np.float32), np.zeros(16, np.float32)])
    # x times the normal distribution's integral up to x, from a table; the usual approximation gives 0.841192.
    received = contracts.numbers(dense(np.full((1, 1, 1, 4), 1.0, np.float32)))[0, 0, 0, 0]
    assert received == pytest.approx(0.841345, abs=2e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"variant": "tny"}, "unknown variant 'tny'; did you mean 'tiny'?"),
        ({"bands": 31}, "expected bands of convnext of at least 32, received 31"),
        ({"depths": (1, 2)}, "expected four depths and four widths from 1, received [1, 2]"),
        ({"widths": (4, 0, 8, 8)}, "received [3, 3, 9, 3] and [4, 0, 8, 8]"),
        ({"drop_path": -0.1}, "expected 0 <= drop_path < 1, received -0.1"),
        ({"pool": "sum"}, "unknown pool 'sum'"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        convnext(**options)
    assert message in str(error.value)
