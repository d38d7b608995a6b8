import contracts
import numpy as np
import pytest
from keras import layers

from kerascola.encoders.resnet import MIN_FRAMES, REPEATS, resnet
from kerascola.errors import RecipeError


def test_the_contract_holds_for_a_narrow_one(tmp_path, monkeypatch):
    monkeypatch.setitem(REPEATS, 18, (2, 1, 1, 1))  # a block of each kind: further ones take time and show no more
    contracts.check_encoder(lambda: resnet(32, 3, width=4), (32, 3), 32, MIN_FRAMES, tmp_path)


def test_the_contract_holds_for_bottlenecks(tmp_path, monkeypatch):
    monkeypatch.setitem(REPEATS, 50, (1, 1, 1, 1))
    contracts.check_encoder(lambda: resnet(32, depth=50, width=4), (32,), 128, MIN_FRAMES, tmp_path)


@contracts.counted_once
@pytest.mark.parametrize(
    "depth, published, dimension",
    [(18, 11_689_512, 512), (34, 21_797_672, 512), (50, 25_557_032, 2048)],  # torchvision 0.20's table of models
)
def test_parameters_are_the_published_ones(depth, published, dimension):
    classifier = dimension * 1000 + 1000
    with contracts.unfilled():
        assert contracts.trainable(resnet(depth=depth, channels=3)) == published - classifier
        assert contracts.trainable(resnet(depth=depth)) == published - classifier - 2 * 49 * 64
        assert resnet(depth=depth, width=8).output.shape == (None, dimension // 8)


def test_the_stems():
    """Frames and bands before the first block: a quarter of each, or all."""
    for stem, expected in (("uclser20", (16, 16)), ("plain", (64, 64))):
        encoder = resnet(64, width=4, stem=stem)
        first = next(layer for layer in encoder.layers if isinstance(layer, layers.Add))
        assert first.output.shape[2] == expected[1]


def test_zero_residual_makes_every_branch_start_as_nothing():
    plain, zero = resnet(width=4), resnet(width=4, zero_residual=True)
    x = np.random.default_rng(0).normal(size=(2, 40, 64)).astype(np.float32)

    def gammas(encoder) -> list[float]:
        made = [layer for layer in encoder.layers if isinstance(layer, layers.BatchNormalization)]
        return [float(contracts.numbers(layer.gamma).mean()) for layer in made]

    assert gammas(plain).count(0.0) == 0 and gammas(zero).count(0.0) == 8
    assert not np.allclose(plain.predict_on_batch(x), zero.predict_on_batch(x))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"depth": 101}, "unknown depth 101. Expected one of: 18, 34, 50"),
        ({"stem": "uclser"}, "unknown stem 'uclser'; did you mean 'uclser20'?"),
        ({"width": 0}, "expected width of at least 1, received 0"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        resnet(**options)
    assert message in str(error.value)
