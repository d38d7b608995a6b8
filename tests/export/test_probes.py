import dataclasses

import numpy as np
import pytest

from kerascola.export import probes
from kerascola.runtime.metadata import Metadata

pytestmark = pytest.mark.once("NumPy, whatever Keras runs on")

METADATA = Metadata(sample_rate=8000, window_samples=4000, hop_samples=2000, min_samples=900, dimension=8)


@pytest.fixture(scope="module")
def ordinary():
    return probes.ordinary(METADATA)


def is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, number))


def test_batches_and_lengths(ordinary):
    shapes = [wave.shape for wave in ordinary.values()]
    assert {batch for batch, _ in shapes} == {1, 3, 17}
    lengths = {samples for _, samples in shapes}
    assert min(lengths) == 900 and max(lengths) == 80000 and 4000 in lengths
    assert any(is_prime(samples) for samples in lengths)
    assert all(wave.dtype == np.float32 and np.abs(wave).max() <= 1.01 for wave in ordinary.values())
    assert sum(not wave.any() for wave in ordinary.values()) == 1


def test_every_sound_has_a_floor_of_noise():
    """Nowhere in time or spectrum is there less than about -80 dB's share, at the rate and window of use."""
    used = Metadata(sample_rate=16000, window_samples=8000, hop_samples=4000, min_samples=2800, dimension=8)
    for name, waves in probes.ordinary(used).items():
        for wave in waves.astype(np.float64) if waves.any() else ():
            for part in np.array_split(wave, len(wave) // 2000):
                power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
                density = power[1:] / (0.375 * len(part))  # of white noise: its variance, in each bin
                floors = [band.mean() for band in np.array_split(density, len(part) // 25)]
                assert min(floors) > 0.4 * 1e-8, name  # a mean of a dozen bins may fall so low


def test_sounds_differ_in_level_and_content():
    waves = probes.sounds(17, 4000, 8000)
    levels = 20 * np.log10(np.abs(waves).max(axis=1))
    assert np.ptp(levels) > 20
    normal = waves / np.linalg.norm(waves, axis=1, keepdims=True)
    assert np.abs(normal @ normal.T - np.eye(17)).max() < 0.5


def test_extreme_sounds():
    waves = probes.extreme(METADATA)
    assert waves.shape == (17, 4000) and waves.dtype == np.float32
    tones, squares, constant = waves[:8], waves[8:16], waves[16]
    spectra = np.abs(np.fft.rfft(tones * np.hanning(4000), axis=1)) ** 2
    for spectrum in spectra:
        peak = spectrum.argmax()
        assert spectrum[max(0, peak - 4) : peak + 5].sum() > 0.999 * spectrum.sum()
    assert len(set(spectra.argmax(axis=1))) == 8
    assert set(np.unique(squares)) == {-1, 1} and np.all(constant == 0.5)


def test_the_same_at_each_call(ordinary):
    again = probes.ordinary(dataclasses.replace(METADATA))
    assert again.keys() == ordinary.keys()
    assert all(np.array_equal(again[name], ordinary[name]) for name in ordinary)


@pytest.mark.parametrize("number, prime", [(-3, 2), (2, 2), (4, 5), (14, 17), (25, 29), (7919, 7919), (10800, 10831)])
def test_prime_from(number, prime):
    assert probes.prime_from(number) == prime


def test_hiss_is_140_db_below_each_sound():
    waves = probes.extreme(METADATA)
    hiss = probes.hissing(waves) - waves.astype(np.float64)
    levels = 10 * np.log10(np.mean(hiss**2, axis=1) / np.mean(waves.astype(np.float64) ** 2, axis=1))
    np.testing.assert_allclose(levels, -140, atol=0.3)
