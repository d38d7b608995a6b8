"""Where librosa 0.11 has the same thing, it is the same thing."""

import contracts
import numpy as np
import pytest

from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.dsp.mel import mel_matrix
from kerascola.frontends.frontend import features, frontend

librosa = pytest.importorskip("librosa", reason="librosa is in the extra `dev`")

SMALL = {"sample_rate": 8000, "window": 200, "hop": 80, "fft": 256, "mels": 20, "low_hz": 100.0, "high_hz": 3500.0}
LIKE_LIBROSA = SMALL | {"centre": "zeros", "power": 2, "scale": "slaney", "triangles": "hz", "norm": "slaney"}


def noises(samples: int) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(2, samples)) * [[0.1], [0.003]]).astype(np.float32)


@pytest.mark.parametrize("norm", ["none", "slaney"])
@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(
    "size", [(64, 2048, 16000, 0.0, 8000.0), (96, 2048, 22050, 50.0, 10500.0), (20, 255, 8000, 100.0, 3500.0)]
)
def test_the_mel_matrix(size, scale, norm):
    bands, fft, rate, low, high = size
    expected = librosa.filters.mel(
        sr=rate,
        n_fft=fft,
        n_mels=bands,
        fmin=low,
        fmax=high,
        htk=scale == "htk",
        norm=None if norm == "none" else norm,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_matrix(*size, scale, "hz", norm), expected.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "librosas"),
    [
        ({}, {}),
        ({"centre": "reflect"}, {"pad_mode": "reflect"}),
        ({"centre": "none", "window": 256}, {"center": False}),
        ({"power": 1}, {"power": 1.0}),
        ({"scale": "htk"}, {"htk": True}),
        ({"norm": "none"}, {"norm": None}),
        ({"scale": "htk", "norm": "none"}, {"htk": True, "norm": None}),
        ({"window": 256}, {}),
        ({"window": 201, "centre": "reflect"}, {"pad_mode": "reflect"}),
        ({"window": 155, "hop": 51}, {}),
        ({"taper": "rectangular"}, {"window": "boxcar"}),
        ({"taper": "hamming"}, {"window": "hamming"}),
        ({"taper": "blackman"}, {"window": "blackman"}),
        ({"taper": "nuttall"}, {"window": "nuttall"}),
        ({"taper": "blackmanharris", "window": 256}, {"window": "blackmanharris"}),
    ],
    ids=str,
)
def test_the_mel_spectrogram(change, librosas):
    spec = LogMel(**LIKE_LIBROSA | change)
    waves = noises(1000)
    options = {"pad_mode": "constant", "norm": "slaney", "window": "hann", "power": 2.0}
    expected = librosa.feature.melspectrogram(
        y=waves.astype(np.float64),
        sr=8000,
        n_fft=256,
        win_length=spec.window,
        hop_length=spec.hop,
        n_mels=20,
        fmin=100.0,
        fmax=3500.0,
        **options | librosas,
    )
    received = contracts.numbers(features(spec)(waves))
    expected = np.log(np.maximum(expected, spec.floor)).transpose(0, 2, 1)
    assert (expected > np.log(spec.floor)).mean() > 0.4
    np.testing.assert_allclose(received, expected, rtol=2e-6, atol=5e-6)


@pytest.mark.parametrize("range_db", [None, 20.0])
def test_decibels_under_the_largest(range_db):
    """Of each clip alone."""
    spec = LogMel(**LIKE_LIBROSA | {"log": "db", "reference": "max", "range_db": range_db, "floor": 1e-10})
    waves = noises(1000)
    waves[:, :500] *= 0.01
    received = contracts.numbers(features(spec)(waves))
    for row, wave in zip(received, waves.astype(np.float64), strict=True):
        mels = librosa.feature.melspectrogram(
            y=wave, sr=8000, n_fft=256, win_length=200, hop_length=80, n_mels=20, fmin=100.0, fmax=3500.0
        )
        expected = librosa.power_to_db(mels, ref=np.max, top_db=range_db).T
        np.testing.assert_allclose(row, expected, rtol=2e-6, atol=2e-5)


def test_cola_fma_is_cola_pytorchs():
    """Its librosa 0.8 mirrored the ends; since 0.10 that must be asked for."""
    waves = np.stack([*noises(5399), np.zeros(5399, np.float32)])
    for row, wave in zip(frontend(PRESETS["cola-fma"]).predict_on_batch(waves), waves, strict=True):
        mels = librosa.feature.melspectrogram(y=wave.astype(np.float64), sr=16000, n_mels=64, pad_mode="reflect")
        expected = ((librosa.power_to_db(mels, ref=np.max) + 40) / 40).T
        np.testing.assert_allclose(row, expected, atol=2e-6)


def test_uclser20_is_uclser20s():
    """`get_normalized_audio` and `get_mel_spectrogram` of its `wav2spec_utils.py`."""
    signal = pytest.importorskip("scipy.signal", reason="SciPy comes with librosa")
    waves = noises(5399) + np.float32(0.05)
    for row, wave in zip(frontend(PRESETS["uclser20"]).predict_on_batch(waves), waves, strict=True):
        y = wave.astype(np.float64)
        y -= np.mean(y)
        y = y / (max(abs(y)) + 0.005)
        lines = librosa.stft(
            y + 1.1e-8,
            n_fft=2048,
            win_length=660,
            hop_length=220,
            center=True,
            window=signal.windows.hamming(660, sym=False),
            pad_mode="reflect",
        )
        basis = librosa.filters.mel(
            sr=22050, n_fft=2048, n_mels=96, fmin=50, fmax=10500, htk=False, norm=None, dtype=np.float64
        )
        np.testing.assert_allclose(row, np.log10(basis @ np.abs(lines) ** 2 + 1.1e-8).T, atol=5e-6)
