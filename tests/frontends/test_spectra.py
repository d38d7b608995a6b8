import contracts
import numpy as np
import pytest
import references

from kerascola.dsp.spectra import Spectra
from kerascola.frontends.frontend import features, frontend

SMALL = {"sample_rate": 8000, "window": 256, "hop": 64, "bands": 24, "low_hz": 100.0, "high_hz": 4000.0}


def agree(received: np.ndarray, expected: np.ndarray, relative: np.ndarray) -> None:
    """`relative` is each magnitude over the spectrogram's largest.

    Magnitudes are compared as such, since in dB an empty line is rounding alone, and in dB where they are heard. A
    phase is as sure as its magnitude is large: what is compared are unit vectors times that.
    """
    magnitude, phase, mel = np.moveaxis(received.astype(np.float64), -1, 0)
    expected_magnitude, expected_phase, expected_mel = np.moveaxis(expected, -1, 0)
    for one, other, decade in ((magnitude, expected_magnitude, 20), (mel, expected_mel, 10)):
        largest = other.max()
        linear, expected_linear = (10 ** ((x - largest) / decade) for x in (one, other))
        np.testing.assert_allclose(linear, expected_linear, atol=1e-5)  # a float32 of 100 dB ends there
    heard = relative > 0.03
    np.testing.assert_allclose(magnitude[heard], expected_magnitude[heard], atol=1e-3)
    off = relative * np.abs(np.exp(1j * phase) - np.exp(1j * expected_phase))
    assert off.max() < 3e-5  # of the largest; the last tenth of a radian, on its way back to zero, is 30 times as steep


def check(received: np.ndarray, wave: np.ndarray, **parameters) -> np.ndarray:
    """Returns the magnitudes over their largest."""
    expected, relative = references.spectra(wave, **parameters)
    assert received.shape == expected.shape
    agree(received, expected, relative)
    unheard = relative < 0.99 * parameters.get("phase_floor", 1e-3)
    assert not received[..., 1][unheard].any(), "a phase under the floor"
    return relative


def test_the_contract_holds(tmp_path):
    """Without the exact zeros, which `test_phase_is_zero_under_the_floor` sees to."""
    spec = Spectra()
    assert spec.samples(1) == 1025 and spec.shape == (128, 3)

    class Oracle(np.ndarray):
        relative: np.ndarray

    def oracle(wave: np.ndarray) -> np.ndarray:
        expected, relative = references.spectra(wave)
        expected = expected.view(Oracle)
        expected.relative = relative
        return expected

    def rows_agree(received, expected) -> None:
        agree(received, np.asarray(expected), expected.relative)

    contracts.check_frontend(lambda: frontend(spec), oracle, 1025, tmp_path, rows_agree)


def sounds(samples: int = 2000, rate: int = 8000) -> np.ndarray:
    """A tone over faint noise, a click, two tones and DC, and noise."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / rate
    tone = 0.3 * np.sin(2 * np.pi * 440 * time) + 1e-5 * rng.normal(size=samples)
    click = np.where(np.arange(samples) == samples // 2, 0.9, 0.0)
    tones = 0.1 * np.cos(2 * np.pi * 1000 * time) + 0.01 * np.sin(2 * np.pi * 2500 * time) + 0.2
    return np.stack([tone, click, tones, 0.1 * rng.normal(size=samples)]).astype(np.float32)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"phase_floor": 0.05},
        {"floor": 1e-2},
        {"centre": "zeros"},
        {"centre": "none"},
        {"window": 255, "hop": 85},
    ],
    ids=str,
)
def test_phase_is_zero_under_the_floor_and_all_else_is_the_references(change):
    parameters = SMALL | change
    received = contracts.numbers(features(Spectra(**parameters))(sounds()))
    relative = np.stack([check(row, wave, **parameters) for row, wave in zip(received, sounds(), strict=True)])
    floor = parameters.get("phase_floor", 1e-3)
    assert (
        (relative < floor).any()
        and (relative > 2 * floor).any()
        and ((relative > floor) & (relative < 2 * floor)).any()
    )


def test_the_phase_of_a_tone_is_that_of_the_frames_first_sample():
    """Of a cosine at a band's own frequency, by hand: 2 pi f times the sample that the frame begins with."""
    spec = Spectra(**SMALL | {"centre": "none"})
    band = 12
    hz = spec.cycles()[band] * spec.sample_rate / spec.window
    wave = np.cos(2 * np.pi * hz * np.arange(1000) / spec.sample_rate).astype(np.float32)
    phases = contracts.numbers(features(spec)(wave[None]))[0, :, band, 1]
    starts = np.arange(len(phases)) * spec.hop
    turns = np.angle(np.exp(2j * np.pi * hz * starts / spec.sample_rate))
    inside = np.abs(turns) < np.pi - 0.15
    np.testing.assert_allclose(phases[inside], turns[inside], atol=2e-3)  # the negative frequency leaks that much
    assert inside.sum() > 5


def test_a_phase_at_the_cut_goes_to_zero_from_both_sides():
    """Cosines that begin just before and just after half a turn: float32 may take either sign of pi."""
    spec = Spectra(**SMALL | {"centre": "none", "window": 256, "bands": 5, "low_hz": 500.0, "high_hz": 1000.0})
    hz = spec.cycles()[2] * spec.sample_rate / spec.window
    offsets = np.pi + np.array([-0.2, -0.05, -0.01, 0.0, 0.01, 0.05, 0.2])
    waves = np.stack([np.cos(2 * np.pi * hz * np.arange(256) / 8000 + o) for o in offsets]).astype(np.float32)
    phases = contracts.numbers(features(spec)(waves))[:, 0, 2, 1]
    expected = [(np.pi - 0.2), (np.pi - 0.05) * 0.5, (np.pi - 0.01) * 0.1, 0.0]
    expected += [-x for x in expected[2::-1]]
    np.testing.assert_allclose(phases, expected, atol=0.05)


def test_silence_has_no_phase_and_the_floors():
    received = contracts.numbers(features(Spectra(**SMALL))(np.zeros((1, 2000), np.float32)))
    np.testing.assert_allclose(received[..., 0], -120, atol=1e-4)
    assert not received[..., 1].any()
    np.testing.assert_allclose(received[..., 2], -60, atol=1e-4)


def test_the_phase_does_not_depend_on_level():
    model = features(Spectra(**SMALL))
    loud = contracts.numbers(model(sounds()))[..., 1]
    quiet = contracts.numbers(model(sounds() * np.float32(2**-6)))[..., 1]
    np.testing.assert_allclose(quiet, loud, atol=1e-6)
