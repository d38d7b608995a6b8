import numpy as np
import pytest
import soundfile

from kerascola.data import events as synth


def test_sound_n_follows_from_the_seed_and_n():
    few, many = list(synth.sounds(7, 0.6, seed=3)), list(synth.sounds(13, 0.6, seed=3))
    for (name, sound), (again, same) in zip(few, many, strict=False):
        assert name == again
        np.testing.assert_array_equal(sound, same)
    for (_, sound), (_, other) in zip(few, synth.sounds(7, 0.6, seed=4), strict=True):
        assert np.abs(sound - other).max() > 0.01
    assert np.abs(many[0][1] - many[6][1]).max() > 0.01  # of one class, but not one sound


def test_classes_come_in_turn():
    names = [name for name, _ in synth.sounds(8, 0.1, seed=0)]
    assert names[:3] == ["call-0000.wav", "horn-0001.wav", "bell-0002.wav"] and names[6] == "call-0006.wav"
    assert [name.partition("-")[0] for name in names[:6]] == list(synth.CLASSES)


@pytest.mark.parametrize("seconds", [0.02, 0.5, 3.0])
def test_sounds_are_finite_alike_in_level_and_fit_in_16_bits(seconds):
    for name, sound in synth.sounds(120, seconds, seed=2):
        assert sound.shape == (round(seconds * synth.RATE),) and sound.dtype == np.float32, name
        assert np.sqrt(np.mean(sound.astype(np.float64) ** 2)) == pytest.approx(0.03, rel=1e-4), name
        assert np.abs(sound).max() < 1, name


@pytest.mark.parametrize("number, seed", [(521, 2), (281, 1)])
def test_the_loudest_clicks_fit_too(number, seed):
    rattle = synth.sound("rattle", 3.0, synth.generator(seed, 0, number))
    assert 0.5 < np.abs(rattle).max() < 1


def test_classes_do_not_give_themselves_away_by_level_but_by_spectrum():
    """A sound's halves are more alike than two sounds of a class, or there would be nothing to learn."""

    def spectrum(sound):
        bands = np.abs(np.fft.rfft(sound)) ** 2
        return np.log([band.mean() for band in np.array_split(bands, 40)])

    own, others = [], []
    spectra = [[spectrum(h) for h in np.split(s, 2)] for _, s in synth.sounds(60, 3.0, seed=1)]
    for n, (first, second) in enumerate(spectra):
        own.append(np.abs(first - second).mean())
        others.append(np.abs(first - spectra[(n + 6) % 60][1]).mean())
    assert np.mean(own) < 0.5 * np.mean(others)


def test_files_and_halves_are_the_same_sounds(tmp_path):
    whole = synth.write_sounds(tmp_path / "whole", 7, 0.5, seed=1)
    firsts = synth.write_halves(tmp_path / "halves", 7, 0.5, seed=1)
    assert firsts == sorted(firsts) and {p.name for p in firsts} == {p.name for p in whole}
    assert sorted(p.name for p in (tmp_path / "halves/second").iterdir()) == [p.name for p in firsts]
    for path, (name, sound) in zip(whole, synth.sounds(7, 0.5, seed=1), strict=True):
        read, rate = soundfile.read(path, dtype="int16")
        assert path.name == name and rate == 16000
        np.testing.assert_allclose(read / 32768, sound, atol=1 / 32768)
        halves = [soundfile.read(tmp_path / "halves" / part / name, dtype="int16")[0] for part in ("first", "second")]
        assert len(halves[0]) == 4000
        np.testing.assert_array_equal(np.concatenate(halves), read)
