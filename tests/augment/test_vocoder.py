"""librosa does the same to one sound at a time."""

import librosa
import numpy as np
import pytest
from augmented import check, drawn, run

from kerascola.augment.augmentation import Sound
from kerascola.augment.vocoder import PitchShift, TimeStretch
from kerascola.errors import RecipeError

RATE, SAMPLES, WINDOW = 8000, 6000, 512
SOUND = Sound((SAMPLES,), RATE)


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    """A gliding tone, bursts, noise, and a late tone, over a noise floor: where there is none, phases are anything."""
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLES) / RATE
    glide = sum(np.sin(2 * np.pi * n * (220 * time + 100 * time**2)) / n for n in range(1, 8))
    bursts = np.sin(2 * np.pi * 600 * time) * (np.sin(2 * np.pi * 5 * time) > 0)
    late = np.sin(2 * np.pi * 440 * time) * (time > 0.3)
    waves = 0.2 * np.stack([glide, bursts, rng.normal(size=SAMPLES), late])
    return (waves + 1e-3 * rng.normal(size=waves.shape)).astype(np.float32)


def fitted(y: np.ndarray) -> np.ndarray:
    return np.pad(y, (0, max(0, SAMPLES - len(y))))[:SAMPLES]


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.0, 1.25, 1.5])
def test_time_stretch_is_librosa_s(sounds, rate):
    stretch = TimeStretch(rate=(rate, rate), window=WINDOW)
    y = run(stretch, sounds, drawn(stretch, SOUND, 4))
    for row, sound in zip(y, sounds, strict=True):
        expected = librosa.effects.time_stretch(sound, rate=rate, n_fft=WINDOW)
        inside = min(SAMPLES, len(expected)) - WINDOW
        assert np.abs(row[:inside] - expected[:inside]).max() < 2e-3 * np.abs(expected).max()
        assert np.abs(row[len(expected) + WINDOW :]).max(initial=0) < 1e-4, "silence behind the end"


def log_mels(y: np.ndarray) -> np.ndarray:
    return np.log(librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=128, n_mels=32) + 1e-5)


@pytest.mark.parametrize("semitones", [-15, -7, 0, 4, 12])
def test_pitch_shift_sounds_as_librosa_s(sounds, semitones):
    shift = PitchShift(semitones=(semitones, semitones), window=WINDOW)
    y = run(shift, sounds, drawn(shift, SOUND, 4))
    for row, sound in zip(y, sounds, strict=True):
        theirs = log_mels(librosa.effects.pitch_shift(sound, sr=RATE, n_steps=semitones, n_fft=WINDOW))
        difference = np.abs(log_mels(row) - theirs).mean()
        untouched = np.abs(log_mels(sound) - theirs).mean()
        assert difference < max(0.02, 0.08 * untouched), (difference, untouched)


@pytest.mark.parametrize("semitones", [-12, 5, 12])
def test_a_tone_is_shifted_by_semitones(semitones):
    time = np.arange(SAMPLES) / RATE
    tone = np.sin(2 * np.pi * 500 * time)[None].astype(np.float32)
    shift = PitchShift(semitones=(semitones, semitones), window=WINDOW)
    y = run(shift, tone, drawn(shift, SOUND, 1))[0, 1000:5000]
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)), 8 * len(y)))
    assert spectrum.argmax() * RATE / (8 * len(y)) == pytest.approx(500 * 2 ** (semitones / 12), rel=2e-3)
    assert y.std() == pytest.approx(tone.std(), rel=0.2)  # a vocoder's windows do not all agree


def test_what_would_fold_back_is_filtered_out():
    """A tone at 3 kHz raised by an octave would appear at 2 kHz."""
    time = np.arange(SAMPLES) / RATE
    tone = np.sin(2 * np.pi * 3000 * time)[None].astype(np.float32)
    shift = PitchShift(semitones=(12, 12), window=WINDOW)
    assert np.abs(run(shift, tone, drawn(shift, SOUND, 1))[0, 1000:5000]).max() < 0.01


@pytest.mark.parametrize("augmentation", [TimeStretch(window=WINDOW), PitchShift(window=WINDOW)])
def test_each_sound_of_a_batch_has_its_own_rate(sounds, augmentation):
    """And the rest of the contract: the oracle is the same augmentation of that sound among others like it."""
    rows = drawn(augmentation, SOUND, 4)
    assert len({int(row["rate"]) for row in rows}) == 4
    alone = {int(row["rate"]): run(augmentation, sounds, [row] * 4) for row in rows}

    def oracle(x, p):
        return next(y for y, sound in zip(alone[int(p["rate"])], sounds, strict=True) if np.array_equal(sound, x))

    check(augmentation, sounds, SOUND, oracle)


def test_silence_stays_silent():
    silence = np.zeros((1, SAMPLES), np.float32)
    for augmentation in (TimeStretch(window=WINDOW), PitchShift(window=WINDOW)):
        assert np.abs(run(augmentation, silence, drawn(augmentation, SOUND, 1))).max() < 1e-8


def test_semitones_are_whole_and_all_of_them_are_drawn():
    shift = PitchShift(semitones=(-3, 2))
    rates = [shift.draw(np.random.default_rng(seed), SOUND)["rate"] for seed in range(100)]
    semitones = -12 * np.log2(np.array(rates) / 2**16)
    assert sorted({round(float(s), 3) for s in semitones}) == pytest.approx([-3, -2, -1, 0, 1, 2], abs=1e-3)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: PitchShift(semitones=(-30, 0)), r"semitones \[from, to\] with -24 <= from <= to <= 24"),
        (lambda: TimeStretch(rate=(0, 1)), r"rate \[from, to\] with 0.1 <= from"),
        (lambda: TimeStretch(window=1000), "window of 256, 512, 1024, 2048, 4096, received 1000"),
    ],
)
def test_what_is_out_of_range(make, said):
    with pytest.raises(RecipeError, match=said):
        make()


def test_on_long_sounds_places_do_not_overflow_and_pitch_stays_true():
    """Ten times as fast with short windows; and what a step of 12 bits would miss by three cents."""
    seconds = 20
    time = np.arange(seconds * 16000) / 16000
    tone = np.sin(2 * np.pi * 440 * time)[None].astype(np.float32)
    sound = Sound((len(time),), 16000)
    fast = TimeStretch(rate=(10, 10), window=256)
    y = run(fast, tone, drawn(fast, sound, 1))[0]
    assert np.abs(y[3 * 16000 :]).max() < 1e-4 < np.abs(y[:16000]).max()
    low = PitchShift(semitones=(-20, -20), window=256)
    row = drawn(low, sound, 1)[0]
    assert -12 * np.log2(row["rate"] / 2**16) == pytest.approx(-20, abs=1e-2)
    spectrum = np.abs(np.fft.rfft(run(low, tone, [row])[0]))
    assert 1200 * np.log2(spectrum.argmax() / seconds / (440 * 2 ** (-20 / 12))) == pytest.approx(0, abs=1.0)
