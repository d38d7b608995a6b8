"""The hand-written front end against an FFT, frame by frame, in float64."""

import numpy as np
import onnxruntime
import pytest

from kerascola.dsp.log_mel import PRESETS, LogMel
from kerascola.export.log_mel_graph import folds_by_parity, folds_by_symmetry, log_mel_graph
from kerascola.frontends.frontend import frontend

HALF = LogMel(sample_rate=8000, window=200, hop=80, fft=512, mels=40, high_hz=3700.0, level_samples=8000)
WIDE = LogMel(mels=40, low_hz=0.0, high_hz=8000.0, floor=1e-3, ceiling=0.2)  # weight on every bin, both clips felt
SHORT_FFT = LogMel(fft=400, mels=24, low_hz=200.0)
NARROW = LogMel(mels=24, high_hz=3500.0)  # nothing in the upper half of the bins


def oracle(waves: np.ndarray, spec: LogMel) -> np.ndarray:
    frames = (waves.shape[1] - spec.window) // spec.hop + 1
    out = np.empty((len(waves), frames, spec.mels))
    hann = np.hanning(spec.window + 1)[:-1]
    mel = 2595 * np.log10(1 + np.fft.rfftfreq(spec.fft, 1 / spec.sample_rate) / 700)
    edges = np.linspace(*(2595 * np.log10(1 + np.array([spec.low_hz, spec.high_hz]) / 700)), spec.mels + 2)
    for i, wave in enumerate(waves.astype(np.float64)):
        wave = wave / np.sqrt(max(spec.level_samples * np.mean(wave**2), 1e-9))
        for t in range(frames):
            magnitude = np.abs(np.fft.rfft(wave[t * spec.hop :][: spec.window] * hann, spec.fft))
            magnitude[0] = 0  # DC has no weight
            for band in range(spec.mels):
                value = magnitude @ np.interp(mel, edges[band : band + 3], [0, 1, 0])
                out[i, t, band] = np.log(np.clip(value, spec.floor, spec.ceiling))
    return out


def noise(batch: int, samples: int) -> np.ndarray:
    rng = np.random.default_rng(samples)
    return (rng.uniform(0.01, 1, (batch, 1)) * rng.standard_normal((batch, samples))).astype(np.float32)


@pytest.fixture(scope="module")
def sessions():
    return {spec: session(spec) for spec in (LogMel(), HALF, WIDE, SHORT_FFT, NARROW)}


def session(spec: LogMel) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(log_mel_graph(spec).SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("samples", [400, 401, 479, 480, 559, 560, 719, 720, 1999, 4211])
def test_every_length_gives_the_frames_of_an_fft(sessions, samples):
    waves = noise(2, samples)
    (received,) = sessions[LogMel()].run(None, {"waveform": waves})
    np.testing.assert_allclose(received, oracle(waves, LogMel()), rtol=0, atol=2e-5)


@pytest.mark.parametrize("spec", [HALF, WIDE, SHORT_FFT, NARROW], ids=["half", "wide", "short-fft", "narrow"])
@pytest.mark.parametrize("samples", [400, 443, 2222])
def test_every_spec_that_it_supports(sessions, spec, samples):
    waves = noise(3, samples)
    expected = oracle(waves, spec)
    (received,) = sessions[spec].run(None, {"waveform": waves})
    np.testing.assert_allclose(received, expected, rtol=0, atol=2e-5)
    if spec is WIDE:
        assert expected.max() == np.log(spec.ceiling)


def test_a_tone_stands_in_its_band(sessions):
    """Bins f and fft / 2 - f come from one product: a tone tells them apart."""
    time = np.arange(1600) / 16000
    tones = np.stack([np.sin(2 * np.pi * hz * time) for hz in (250, 4000, 7750 - 250)]).astype(np.float32)
    (received,) = sessions[LogMel()].run(None, {"waveform": tones})
    assert (received.argmax(axis=2) == oracle(tones, LogMel()).argmax(axis=2)).all()


def test_silence_is_the_floor_and_level_does_not_matter(sessions):
    waves = noise(1, 2222)
    run = sessions[LogMel()].run
    (silent,) = run(None, {"waveform": np.zeros_like(waves)})
    np.testing.assert_allclose(silent, np.log(1e-5), rtol=0, atol=2e-6)
    np.testing.assert_allclose(*(run(None, {"waveform": k * waves})[0] for k in (1, 300)), rtol=0, atol=1e-5)


class WithNyquist(LogMel):
    def mel_matrix(self) -> np.ndarray:
        matrix = super().mel_matrix()
        matrix[-1, -1] = 0.5
        return matrix


class WithDC(LogMel):
    def mel_matrix(self) -> np.ndarray:
        matrix = super().mel_matrix()
        matrix[0, 0] = 0.5
        return matrix


@pytest.mark.parametrize(
    "spec",
    [LogMel(hop=200), LogMel(window=480), LogMel(window=300, hop=120, fft=1026), LogMel(window=50, hop=20)]
    + [LogMel(periodic=False), LogMel(taper="hamming"), WithNyquist(), WithDC()],
    ids=["two hops", "three hops", "odd half of the fft", "uneven hop", "symmetric", "Hamming", "Nyquist", "DC"],
)
def test_what_does_not_fold_by_symmetry(spec):
    assert not folds_by_symmetry(spec)


@pytest.mark.parametrize("spec", [LogMel(), LogMel(centre="zeros"), LogMel(power=2), HALF, WIDE, SHORT_FFT])
def test_what_folds_twice(spec):
    assert folds_by_symmetry(spec)


GENERAL = {
    **{name: spec for name, spec in PRESETS.items() if name != "cola"},
    "twice folded, centred": LogMel(centre="zeros", level="peak", log="db", reference="max"),
    "power, folded": LogMel(power=2, log="log10", floor_by="add", mean=-3.0, deviation=2.0),
    "odd": LogMel(window=401, hop=161, mels=40, level="none"),
    "odd and centred": LogMel(window=401, hop=161, mels=40, centre="reflect", power=2),
    "DC and Nyquist": LogMel(low_hz=0.0, high_hz=8000.0, triangles="hz", taper="blackman", window=320),
}


@pytest.mark.parametrize("name", GENERAL)
def test_every_other_specification_as_keras_has_it(name):
    """The Keras front end is held to NumPy on its own (tests/frontends)."""
    spec = GENERAL[name]
    assert folds_by_parity(spec) == (spec.window % 2 == 0)
    served, model = session(spec), frontend(spec)
    for samples in (spec.samples(1), spec.samples(4) + 1, spec.samples(9) - 1):
        waves = noise(2, samples)
        (received,) = served.run(None, {"waveform": waves})
        expected = model.predict_on_batch(waves)
        np.testing.assert_allclose(received, expected, rtol=0, atol=2e-5 * max(1.0, np.abs(expected).max()))
    (silent,) = served.run(None, {"waveform": np.zeros_like(waves)})
    np.testing.assert_allclose(silent, model.predict_on_batch(np.zeros_like(waves)), rtol=0, atol=1e-5)
