import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from kerascola import recipes
from kerascola.cli import main
from kerascola.recipes.schema import parts

RATE, CROP = 16000, 4800
SMALL = ["--set", "views.crop_seconds=0.3", "--set", "data.clip_seconds=0.5", "--set", "views.noise=0"]
README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def sounds(tmp_path) -> list[str]:
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / name) for name in ("one.wav", "two.wav")]
    for path in paths:
        soundfile.write(path, 0.1 * rng.normal(size=16000), RATE, subtype="FLOAT")
    return paths


def preview(files: list[str], out: Path, *changes: str) -> int:
    sets = [part for change in changes for part in ("--set", change)]
    return main(["augment", "preview", *files, "--out", str(out), *SMALL, *sets])


def wav(out: Path, view: int, when: str) -> np.ndarray:
    sound, rate = soundfile.read(out.with_name(f"{out.stem}-{view}-{when}.wav"), dtype="float32")
    assert (rate, len(sound)) == (RATE, CROP)
    return sound


def test_a_picture_and_what_can_be_heard(sounds, tmp_path, capsys):
    out = tmp_path / "views.png"
    chain = "views.waveform=[{name: gain, db: [-6, -6], views: positive}, {name: polarity, probability: 1}]"
    assert preview(sounds[:1], out, chain, "views.spectrogram=[{name: blur, probability: 0}]") == 0
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"view 1: crop from 0\.\d\d s; waveform: polarity; spectrogram: nothing", printed[0])
    assert re.fullmatch(r"view 2: crop from 0\.\d\d s; waveform: gain, polarity; spectrogram: nothing", printed[1])
    wavs = [f"views-{view}-{when}.wav" for view in (1, 2) for when in ("before", "after")]
    assert printed[2:] == [str(tmp_path / name) for name in ("views.png", *wavs)]
    assert out.read_bytes().startswith(b"\x89PNG") and out.stat().st_size > 50_000
    recording, _ = soundfile.read(sounds[0], dtype="float32")
    for view, gain in ((1, -1.0), (2, -(10 ** (-6 / 20)))):
        before, after = wav(out, view, "before"), wav(out, view, "after")
        np.testing.assert_allclose(after, gain * before, atol=1e-4)
        place = np.correlate(recording, before).argmax()
        cut = recording[place : place + CROP]
        np.testing.assert_allclose(before / before.std(), cut / cut.std(), atol=1e-3)


@pytest.mark.once("what is drawn with NumPy")
def test_another_seed_draws_others_and_the_same_seed_the_same(sounds, tmp_path):
    heard = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = tmp_path / f"{name}.png"
        assert main(["augment", "preview", *sounds, "--out", str(out), "--seed", seed, *SMALL]) == 0
        heard.append(wav(out, 1, "before"))
    np.testing.assert_array_equal(heard[0], heard[1])
    assert np.abs(heard[0] - heard[2]).max() > 0.01


def test_a_second_file_is_what_is_mixed_in(sounds, tmp_path, capsys):
    mixing = "views.waveform=[{name: mix, snr_db: [0, 0]}]"
    assert preview(sounds[:1], tmp_path / "alone.png", mixing) == 0
    assert "mix: with nothing but itself, for want of a second FILE" in capsys.readouterr().err
    assert preview(sounds, tmp_path / "both.png", mixing) == 0
    assert "second FILE" not in capsys.readouterr().err
    added = [
        wav(tmp_path / f"{n}.png", 1, "after") - wav(tmp_path / f"{n}.png", 1, "before") for n in ("alone", "both")
    ]
    before = wav(tmp_path / "both.png", 1, "before")
    assert abs(np.corrcoef(added[0], wav(tmp_path / "alone.png", 1, "before"))[0, 1]) > 0.999
    assert abs(np.corrcoef(added[1], before)[0, 1]) < 0.1


@pytest.mark.parametrize("front", ["{name: waveform}", "{name: spectra, window: 512}"])
def test_front_ends_without_an_image_or_with_three(front, sounds, tmp_path):
    assert preview(sounds[:1], tmp_path / "views.png", f"frontend={front}") == 0


def test_mistakes(sounds, tmp_path, capsys):
    out = tmp_path / "views.png"
    assert preview([str(tmp_path / "none.wav")], out) == 1
    assert "none.wav: expected a sound file" in capsys.readouterr().err
    assert preview(sounds, out, "views.waveform=[{name: fad}]") == 1
    assert "did you mean 'fade'?" in capsys.readouterr().err
    assert main(["augment", "preview", *sounds, "--seed", "-1"]) == 1
    assert main(["augment", "preview", *sounds, "--out", str(tmp_path / "views.gif")]) == 1
    assert preview(sounds, out, "views.crop_seconds=0.01") == 1
    errors = capsys.readouterr().err
    for said in ("--seed from 0 and below 2 ** 32, received -1", "--out to end in .png", "views.crop_seconds >= 0.025"):
        assert said in errors
    assert not out.exists()


def test_the_list_is_yaml_that_a_recipe_takes_and_the_readme_names_them_all(capsys):
    assert main(["augment", "list"]) == 0
    text = capsys.readouterr().out
    listed = yaml.safe_load(text)
    assert len(re.findall(r"^  # \w.*\.$", text, re.M)) == sum(map(len, listed.values())), "what each of them does"
    changes = [
        f"{place}={yaml.safe_dump(entries, default_flow_style=True, width=10**6)}" for place, entries in listed.items()
    ]
    recipe = recipes.load("cola", changes)
    for place, chain in (("views.waveform", recipe.views.waveform), ("views.spectrogram", recipe.views.spectrogram)):
        assert list(chain) == [kind() for kind in parts(place).values()], "all of them, with their defaults"
        (row,) = re.findall(rf"^\| `{place}` \|(.*)\|$", README, re.M)
        assert re.findall(r"`(\w+)`", row) == list(parts(place))
