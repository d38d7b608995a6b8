"""What the numbers mean, heard by other means; and the same sounds on every backend as in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from kerascola.data import arrays, synth, voices

RATE, SAMPLES = 16000, 8192
once = pytest.mark.once("NumPy, whatever Keras runs on")


def noise(seed=0):
    return lambda shape: np.random.default_rng(seed).standard_normal(tuple(map(int, shape)), np.float32)


def stacked(sounds):
    return {name: np.stack([sound[name] for sound in sounds]) for name in sounds[0]}


def turned(knob, value):
    """The number that means so much."""
    u = np.linspace(0, 1, 10_001)
    return u[np.abs(knob.at(u, np) - value).argmin()]


def heard(does=(), seed=0, around=(), scene=None, **knobs):
    """One second of a voice of which nothing is left to chance but its noise."""
    sound = voices.draw(np.random.default_rng(seed))
    sound["does"][:] = [[name in does for name in voices.CHOICES]]
    sound["around"][:] = [name in around for name in voices.SCENES]
    for name, value in knobs.items():
        sound["voices"][:, list(voices.VOICE).index(name)] = turned(voices.VOICE[name], value)
    for name, value in (scene or {}).items():
        sound["scene"][list(voices.SCENE).index(name)] = turned(voices.SCENE[name], value)
    flat = {"tilt": 0.0, "onset": 0.0}
    for name, value in flat.items():
        if name not in knobs:
            sound["voices"][:, list(voices.VOICE).index(name)] = turned(voices.VOICE[name], value)
    return synth.render(stacked([sound]), RATE, RATE, noise(seed), arrays)[0].astype(np.float64)


def spectrum(x):
    return np.abs(np.fft.rfft(x * np.hanning(len(x)))) / len(x)


def loudness(x, window=160):
    return np.sqrt(np.convolve(x * x, np.ones(window) / window, "same"))


def test_it_is_the_same_on_every_backend():
    sounds = stacked([voices.draw(np.random.default_rng(seed)) for seed in range(6)])
    expected = synth.render(sounds, SAMPLES, RATE, noise(), arrays)
    tensors = {name: ops.convert_to_tensor(value) for name, value in sounds.items()}
    found = synth.render(tensors, SAMPLES, RATE, lambda shape: ops.convert_to_tensor(noise()(shape)), ops)
    found = keras.ops.convert_to_numpy(found)
    assert found.dtype == expected.dtype == np.float32 and found.shape == (6, SAMPLES)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


@once
def test_all_sounds_can_be_heard_and_none_is_too_loud():
    sounds = stacked([voices.draw(np.random.default_rng(seed)) for seed in range(64)])
    found = synth.render(sounds, SAMPLES, RATE, noise(), arrays)
    level = 20 * np.log10(np.sqrt(np.mean(found**2, axis=1)))
    assert np.isfinite(found).all() and level.min() > -42 and level.max() < -12
    alike = np.corrcoef(found)
    assert np.abs(alike - np.eye(64)).max() < 0.9


@once
def test_sine():
    turns = np.random.default_rng(0).uniform(-3, 3, 10_000).astype(np.float32)
    np.testing.assert_allclose(synth.sine(turns, arrays), np.sin(2 * np.pi * turns.astype(np.float64)), atol=5e-6)


@once
@pytest.mark.parametrize("does, spacing", [((), 1), (("odd",), 2)])
def test_a_tone_has_partials_at_its_pitch(does, spacing):
    x = heard(("tonal", "continuous", *does), pitch=400, bright=6000)
    peaks = spectrum(x)
    there = peaks[[400 * (1 + spacing * n) for n in range(3)]]
    assert there.min() > 100 * np.median(peaks) and (np.diff(there) < 0).all()
    assert peaks[600] < 0.01 * there[0] and (spacing == 1 or peaks[800] < 0.01 * there[0])


@once
def test_a_tone_glides_over_an_event():
    x = heard(("tonal", "glide"), pitch=500, glide=1, bright=600, period=0.5, attack=0.002, duty=1)
    begin, end = spectrum(x[400:2000]).argmax() * 10, spectrum(x[6000:7600]).argmax() * 10
    assert begin == pytest.approx(500 * 2**0.15, rel=0.03) and end == pytest.approx(500 * 2**0.85, rel=0.03)


@once
def test_a_body_rings_at_its_modes_and_higher_ones_less_long():
    about = {"mode": 500, "stretch": 1.5, "ring": 0.3, "damping": 1, "period": 0.9} | {f"mode_{n}": 1 for n in range(5)}
    x = heard(("modal",), **about)
    peaks = spectrum(x)
    modes = [round(500 * 1.5**n) for n in range(4)]
    assert all(peaks[mode - 3 : mode + 4].max() > 30 * np.median(peaks) for mode in modes)
    early, late = spectrum(x[800:4800]), spectrum(x[8800:12800])
    fall = [early[mode // 4 - 2 : mode // 4 + 3].max() / late[mode // 4 - 2 : mode // 4 + 3].max() for mode in modes]
    np.testing.assert_allclose(fall, [np.exp(0.5 / 0.3 * 1.5**n) for n in range(4)], rtol=0.15)


@once
@pytest.mark.parametrize("does", [("percussive",), ()])
def test_events_come_again(does):
    x = heard(("noise", *does), period=0.25, attack=0.004, decay=0.03, duty=0.4)
    loud = loudness(x)
    on, off = loud[[200, 4200, 8200, 12200]], loud[[3000, 7000, 11000, 15000]]
    assert on.min() > 10 * off.max()


@once
def test_a_band_and_formants_are_what_is_left_of_noise():
    peaks = spectrum(heard(("noise", "continuous", "band"), low=800, high=2000, sweep=0)) ** 2
    inside = peaks[800:2000].mean()
    assert inside > 30 * peaks[100:300].mean() and inside > 30 * peaks[6000:].mean()
    about = {"formant_1": 500, "formant_2": 1500, "formant_3": 3000, "width": 60, "depth": 30}
    peaks = spectrum(heard(("noise", "continuous", "formants"), **about)) ** 2
    between = peaks[900:1100].mean()
    assert all(peaks[hz - 20 : hz + 20].mean() > 20 * between for hz in (500, 1500, 3000))


@once
def test_sparse_noise_crackles():
    even, sparse = (heard(("noise", "continuous", *does), sparse=3) for does in ((), ("sparse",)))
    peaked = [np.mean(x**4) / np.mean(x**2) ** 2 for x in (even, sparse)]
    assert peaked[0] < 4 and peaked[1] > 20


@once
def test_a_gesture_moves_loudness_and_formants():
    still, moving = (
        heard(("noise", "continuous", "formants", *does), tempo=0.1, shift=0) for does in ((), ("gesture",))
    )
    varied = [loudness(x, 800)[800:-800].std() / loudness(x, 800)[800:-800].mean() for x in (still, moving)]
    assert varied[1] > 3 * varied[0]


@once
def test_a_scene_has_layers_a_room_and_a_background():
    click = {"does": ("noise", "percussive"), "period": 0.9, "attack": 0.002, "decay": 0.02}
    quiet = {"background_db": -50, "level_db": -20, "room": 1.0, "wet_db": 0}
    dry, wet = (heard(**click, scene=quiet, around=around) for around in ((), ("room",)))
    assert 20 * np.log10(np.sqrt(np.mean(dry**2))) == pytest.approx(-20, abs=0.1)
    late = [loudness(x)[6000] / loudness(x)[:800].max() for x in (dry, wet)]
    assert late[0] < 1e-3 < 0.02 < late[1]
    murmur = heard(**click, scene={**quiet, "background_db": -10}, around=("background",))
    assert 20 * np.log10(np.sqrt(np.mean(murmur[6000:12000] ** 2))) == pytest.approx(-30, abs=1)


@once
def test_sounds_that_are_alike():
    rng = np.random.default_rng(0)
    sound = voices.draw(rng)
    same, near, far = (voices.alike(sound, delta, rng) for delta in (0, 0.1, 3))
    for name, values in sound.items():
        np.testing.assert_allclose(same[name], values, atol=1e-6)
        if name not in voices.NUMBERS:
            np.testing.assert_array_equal(far[name], values)
    gap = np.abs(near["gestures"] - sound["gestures"])
    assert 0.05 < gap.mean() < 0.1 and gap.max() < 0.6
    anywhere = np.concatenate([far[name].ravel() for name in voices.NUMBERS])
    assert 0 <= anywhere.min() < 0.02 and 0.98 < anywhere.max() <= 1 and anywhere.mean() == pytest.approx(0.5, abs=0.05)


@once
def test_every_layer_has_a_source():
    sounds = stacked([voices.draw(np.random.default_rng(seed)) for seed in range(300)])
    sources = sounds["does"][..., : len(voices.SOURCES)]
    assert list(voices.CHOICES)[:3] == list(voices.SOURCES) and sources.max(axis=-1).min() == 1
    often = sounds["does"].mean(axis=(0, 1))[3:]
    np.testing.assert_allclose(often, list(voices.CHOICES.values())[3:], atol=0.06)
