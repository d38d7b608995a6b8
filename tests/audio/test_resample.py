import numpy as np
import pytest

from kerascola.audio.resample import check_rate, resample
from kerascola.errors import AudioError


def tone(hz: float, rate: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("source, target", [(44100, 16000), (8000, 16000), (22050, 16000), (16000, 48000)])
def test_a_tone_stays_that_tone(source, target):
    out = np.concatenate(list(resample([tone(440, source, 2)], source, target)))
    assert abs(len(out) - 2 * target) <= 1
    inner = slice(target // 10, -target // 10)  # the ends ring
    np.testing.assert_allclose(out[inner], tone(440, target, 2)[: len(out)][inner], atol=1e-4)


def test_a_tone_above_the_new_band_is_gone():
    out = np.concatenate(list(resample([tone(10000, 44100, 1)], 44100, 16000)))
    assert np.abs(out[1600:-1600]).max() < 1e-4


def test_blocks_do_not_matter():
    sound = np.random.default_rng(0).standard_normal(30000).astype(np.float32)
    whole = np.concatenate(list(resample([sound], 44100, 16000)))
    pieces = np.concatenate(list(resample([sound[i : i + 777] for i in range(0, 30000, 777)], 44100, 16000)))
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


@pytest.mark.parametrize("rate", [0, -16000, True, "16000", None, float("nan"), 16000.5, 1, 10**12])
def test_rates_that_are_none(rate):
    with pytest.raises(AudioError, match="whole number of Hz"):
        check_rate(rate, "rate")


@pytest.mark.parametrize("rate", [16000, 16000.0, np.int32(16000), np.float32(16000)])
def test_rates_of_any_number_type(rate):
    assert check_rate(rate, "rate") == 16000 and type(check_rate(rate, "rate")) is int
