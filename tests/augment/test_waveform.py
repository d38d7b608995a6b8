import math

import numpy as np
import pytest
import scipy.signal
from augmented import check, drawn, run

from kerascola.augment import waveform as w
from kerascola.augment.augmentation import Sound
from kerascola.errors import RecipeError

RATE, SAMPLES = 8000, 2000
SOUND = Sound((SAMPLES,), RATE)


@pytest.fixture(scope="module")
def sounds() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(4, SAMPLES)) * [[0.3], [0.1], [0.03], [0.2]]).astype(np.float32)


def test_gain(sounds):
    check(w.Gain(), sounds, SOUND, lambda x, p: x * p["factor"])


def test_polarity(sounds):
    check(w.Polarity(), sounds, SOUND, lambda x, p: -x)


def ratio_db(sound, added) -> float:
    return 10 * np.log10(np.mean(sound**2) / np.mean(added**2))


def test_white_noise(sounds):
    def oracle(x, p, noise):
        return x + p["level"] * noise * np.sqrt(np.mean(x**2) / np.mean(noise**2))

    check(w.Noise(colours=("white",)), sounds, SOUND, oracle)


@pytest.mark.parametrize("colour, slope", [("white", 0), ("pink", 1), ("brown", 2)])
def test_the_noise_of_each_colour_falls_as_it_should_and_is_as_loud_as_it_says(colour, slope):
    sound = Sound((16000,), 16000)
    x = np.random.default_rng(1).normal(size=(4, 16000)).astype(np.float32)
    white = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    noise = w.Noise(snr_db=(7, 7), colours=(colour,))
    added = run(noise, x, drawn(noise, sound, 4), noise=white) - x
    assert ratio_db(x, added) == pytest.approx(7, abs=0.01)
    frequencies, density = scipy.signal.welch(added, 16000, nperseg=2048)
    heard = (frequencies > 60) & (frequencies < 6000)
    fitted, _ = np.polyfit(np.log(frequencies[heard]), np.log(density.mean(axis=0)[heard]), 1)
    assert -fitted == pytest.approx(slope, abs=0.1)


def test_coloured_noise_adds_to_each_sound_its_own_share(sounds):
    noise = w.Noise(colours=("pink", "brown"))
    rows = drawn(noise, SOUND, 4)
    white = np.random.default_rng(2).normal(size=sounds.shape).astype(np.float32)
    y = run(noise, sounds, rows, noise=white)
    for row in range(4):
        assert ratio_db(sounds[row], y[row] - sounds[row]) == pytest.approx(
            -20 * np.log10(rows[row]["level"]), abs=0.01
        )
    assert {float(row["slope"]) for row in (drawn(noise, SOUND, 1, seed)[0] for seed in range(20))} == {1.0, 2.0}


def test_silence_stays_silent_whatever_is_added_below_it(sounds):
    silence = np.zeros_like(sounds)
    for added, more in ((w.Noise(), "noise"), (w.Mix(), "other")):
        assert np.abs(run(added, silence, drawn(added, SOUND, 4), **{more: sounds})).max() < 1e-6
        loud = run(added, sounds, drawn(added, SOUND, 4), **{more: silence})
        np.testing.assert_allclose(loud, sounds, atol=1e-6)


def test_mix(sounds):
    def oracle(x, p, other):
        return x + p["level"] * other * np.sqrt(np.mean(x**2) / np.mean(other**2))

    check(w.Mix(), sounds, SOUND, oracle)


@pytest.mark.parametrize("curve", w.CURVES)
def test_fade(sounds, curve):
    """The formulas of CLAR's code; the quadratic one is this project's."""

    def shape(t: float) -> float:
        gains = {
            "linear": t,
            "quadratic": t**2,
            "exponential": 2 ** (t - 1) * t,
            "logarithmic": np.log10(0.1 + t) + 1,
            "quarter_sine": np.sin(t * np.pi / 2),
            "half_sine": np.sin(t * np.pi - np.pi / 2) / 2 + 0.5,
        }
        return min(max(gains[curve], 0), 1)

    def oracle(x, p):
        y = x.copy()
        rise, fall = int(p["rise"]), int(p["fall"])
        for n in range(rise):
            y[n] *= shape(n / max(rise - 1, 1))
        for n in range(fall):
            y[-1 - n] *= shape(n / max(fall - 1, 1))
        return y

    check(w.Fade(curves=(curve,)), sounds, SOUND, oracle, atol=1e-4)  # gains are read from a table


def test_fades_along_different_curves_in_one_batch(sounds):
    fade = w.Fade()
    rows = drawn(fade, SOUND, 4)
    rows = [{**row, "curve": np.int32(k)} for k, row in enumerate(rows)]
    y = run(fade, sounds, rows)
    for k, row in enumerate(rows):
        alone = w.Fade(curves=(w.CURVES[k],))
        only = run(alone, sounds, [{**row, "curve": np.int32(0)}] * 4)
        np.testing.assert_allclose(y[k], only[k], atol=1e-7)


def test_time_mask(sounds):
    def oracle(x, p, noise):
        start, length = int(p["start"]), int(p["length"])
        faint = 0.1 * np.sqrt(np.mean(x**2)) * noise
        return np.concatenate([x[:start], faint[start : start + length], x[start + length :]])

    check(w.TimeMask(), sounds, SOUND, oracle)


@pytest.mark.parametrize("circular", [True, False])
def test_time_shift(sounds, circular):
    def oracle(x, p):
        shift = int(p["shift"])
        y = np.roll(x, shift)
        if not circular:
            y[(np.arange(SAMPLES) < shift) | (np.arange(SAMPLES) >= SAMPLES + shift)] = 0
        return y

    check(w.TimeShift(circular=circular), sounds, SOUND, oracle)


def through(x: np.ndarray, gain) -> np.ndarray:
    """x and twice the room that the code leaves, through `gain(Hz)` and no delay."""
    spectrum = np.fft.rfft(x, 8 * len(x))
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(8 * len(x), 1 / RATE)))[: len(x)]


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("kind", ["low", "high"])
def test_filters_have_the_gains_of_scipy_s_butterworth(sounds, kind, order):
    def oracle(x, p):
        b, a = scipy.signal.butter(order, 2 * np.pi * p["cut"] * RATE, kind, analog=True)
        return through(x, lambda hz: np.abs(scipy.signal.freqs(b, a, 2 * np.pi * np.maximum(hz, 1e-6))[1]))

    check({"low": w.LowPass, "high": w.HighPass}[kind](order=order), sounds, SOUND, oracle, atol=1e-4)


@pytest.mark.parametrize("octaves_away, share", [(0, 1.0), (0.5, 0.5), (-0.5, 0.5), (2, 0.0)])
def test_a_band_s_gain_on_tones(octaves_away, share):
    """A bell of one octave: all of the decibels at its middle, half at its edges, none far away."""
    band = w.BandEq(hz=(800, 800), db=(12, 12), octaves=(1, 1))
    time = np.arange(4 * SAMPLES) / RATE
    tone = np.sin(2 * np.pi * 800 * 2**octaves_away * time)[None].astype(np.float32)
    y = run(band, tone, drawn(band, Sound((4 * SAMPLES,), RATE), 1))
    middle = slice(SAMPLES, 3 * SAMPLES)
    assert 20 * np.log10(y[0, middle].std() / tone[0, middle].std()) == pytest.approx(12 * share, abs=0.05)


def test_reverb(sounds):
    def oracle(x, p, noise):
        tail = noise * 10 ** (-3 * np.arange(SAMPLES) * p["decay"] / np.log(1000))
        tail[0] = 0
        return x + p["wet"] * np.convolve(x, tail / np.sqrt(np.sum(tail**2)))[:SAMPLES]

    reverb = w.Reverb()
    check(reverb, sounds, SOUND, oracle)
    decay = drawn(w.Reverb(seconds=(0.25, 0.25)), SOUND, 1)[0]["decay"]
    assert math.exp(-decay * 0.25 * RATE) == pytest.approx(1e-3), "60 dB"


def draws(augmentation, name: str, count: int = 400) -> np.ndarray:
    return np.array([augmentation.draw(np.random.default_rng(seed), SOUND)[name] for seed in range(count)])


@pytest.mark.parametrize(
    "augmentation, name, low, high",
    [
        (w.Gain(db=(-6, 6)), "factor", 0.501, 1.996),
        (w.Noise(snr_db=(0, 20)), "level", 0.1, 1),
        (w.Fade(longest=0.25), "rise", 0, 500),
        (w.Fade(longest=0.25), "fall", 0, 500),
        (w.TimeMask(share=(0.05, 0.1)), "length", 100, 200),
        (w.TimeMask(share=(0.05, 0.1)), "start", 0, 1900),
        (w.TimeShift(most=0.1), "shift", -200, 200),
        (w.LowPass(hz=(100, 3000)), "cut", 100 / 8000, 3000 / 8000),
        (w.HighPass(hz=(100, 3000)), "cut", 100 / 8000, 3000 / 8000),
        (w.BandEq(db=(-3, 9)), "db", -3, 9),
        (w.Reverb(wet_db=(-20, 0)), "wet", 0.1, 1),
    ],
)
def test_draws_fill_their_range_and_keep_to_it(augmentation, name, low, high):
    values = draws(augmentation, name)
    slack = 1e-6 * max(abs(low), abs(high))
    assert (values >= low - slack).all() and (values <= high + slack).all()
    reach = 0.03 * (high - low)
    assert values.min() < low + reach and values.max() > high - 2 * reach
    assert len(np.unique(values)) > 50


def test_each_curve_and_each_colour_is_drawn_as_often():
    assert np.bincount(draws(w.Fade(), "curve", 600)).tolist() == pytest.approx([100] * 6, abs=35)
    assert np.unique(draws(w.Noise(), "slope", 600), return_counts=True)[1] == pytest.approx([200] * 3, abs=45)


def test_pitch_is_drawn_evenly_over_octaves():
    cuts = draws(w.LowPass(hz=(125, 2000)), "cut") * RATE
    assert np.histogram(np.log2(cuts), bins=[np.log2(125), 8, 9, 10, np.log2(2000)])[0] == pytest.approx(
        [100] * 4, abs=35
    )


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_probability(probability):
    assert draws(w.Gain(probability=probability), "on").mean() == pytest.approx(probability, abs=0.06)


def test_what_is_drawn_does_not_depend_on_the_probability():
    sure, never = (w.Gain(probability=p).draw(np.random.default_rng(3), SOUND) for p in (1.0, 0.0))
    assert sure["factor"] == never["factor"] and sure["on"] and not never["on"]


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: w.Gain(db=(3, -3)), r"db \[from, to\] with -100 <= from <= to <= 100, received \[3, -3\]"),
        (lambda: w.Gain(db=(0, math.nan)), r"db \[from, to\]"),
        (lambda: w.Gain(probability=1.5), "probability from 0 to 1, received 1.5"),
        (lambda: w.Fade(longest=1.2), "longest from 0 to 0.5, received 1.2"),
        (lambda: w.Fade(curves=()), "curves of linear, quadratic"),
        (lambda: w.Noise(colours=("blue",)), "colours of white, pink, brown, received 'blue'"),
        (lambda: w.TimeMask(noise=-1), "noise from 0 to 1, received -1"),
        (lambda: w.LowPass(hz=(100, 5000)).check_for(SOUND), r"hz .* <= 4000, received \[100, 5000\]"),
    ],
)
def test_what_is_out_of_range(make, said):
    with pytest.raises(RecipeError, match=said):
        make()
