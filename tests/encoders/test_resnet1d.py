import contracts
import pytest

from kerascola.encoders.resnet1d import MIN_FRAMES, REPEATS, resnet1d
from kerascola.errors import RecipeError


def test_the_contract_holds_for_a_narrow_one(tmp_path, monkeypatch):
    monkeypatch.setitem(REPEATS, 18, (2, 1, 1, 1))  # a block of each kind: further ones take time and show no more
    contracts.check_encoder(lambda: resnet1d(width=4), (), 32, MIN_FRAMES, tmp_path, ordinary=2001)


@contracts.counted_once
def test_parameters_are_those_of_clar():
    """Added up from CLAR's models.py: kernels of 9 throughout, a batch normalisation after each convolution."""
    expected = 7 * 64 + 2 * 64
    previous = 64
    for filters in (64, 128, 256, 512):
        convolutions = [(previous, 9), (filters, 9), (filters, 9), (filters, 9)]
        if filters != previous:
            convolutions.append((previous, 1))
        expected += sum(kernel * channels * filters + 2 * filters for channels, kernel in convolutions)
        previous = filters
    with contracts.unfilled():
        encoder = resnet1d()
    assert contracts.trainable(encoder) == expected
    assert encoder.output.shape == (None, 512)


@pytest.mark.parametrize(
    "options, message",
    [({"depth": 50}, "unknown depth 50. Expected one of: 18, 34"), ({"width": 0}, "expected width of at least 1")],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(RecipeError) as error:
        resnet1d(**options)
    assert message in str(error.value)
