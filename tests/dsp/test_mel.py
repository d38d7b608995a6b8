import numpy as np
import pytest
import references

from kerascola.dsp.log_mel import LogMel
from kerascola.dsp.mel import htk_mel_matrix
from kerascola.dsp.windows import periodic_hann
from kerascola.errors import RecipeError


@pytest.mark.parametrize(
    ("bands", "fft", "rate", "low", "high"), [(64, 1024, 16000, 60, 7800), (40, 512, 8000, 0, 4000)]
)
def test_the_matrix_is_the_references(bands, fft, rate, low, high):
    expected = references.mel_triangles(bands, fft, rate, low, high)
    np.testing.assert_allclose(htk_mel_matrix(bands, fft, rate, low, high), expected, atol=1e-9)


def test_the_window_is_periodic_and_symmetric_about_its_middle():
    window = periodic_hann(400)
    assert window[0] == 0 and window[200] == 1
    np.testing.assert_allclose(window[1:], window[1:][::-1], atol=1e-15)
    np.testing.assert_allclose(window + np.roll(window, 200), 1, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 500}, "hop <= window"),
        ({"window": 2000}, "window <= fft"),
        ({"high_hz": 9000.0}, "sample_rate / 2 = 8000"),
        ({"mels": 0}, "from 1, received 0"),
        ({"floor": 0.0}, "0 < floor < ceiling"),
        ({"mels": 300}, "fewer mels or a larger fft"),
    ],
)
def test_parameters_that_make_no_spectrogram_are_refused(change, message):
    with pytest.raises(RecipeError, match=message):
        LogMel(**change)


def test_the_least_samples_give_that_many_frames():
    spec = LogMel()
    for frames in (1, 2, 16):
        wave = np.random.default_rng(0).normal(size=spec.samples(frames))
        assert len(references.log_mel(wave)) == frames
        assert len(references.log_mel(wave[:-1])) == frames - 1
