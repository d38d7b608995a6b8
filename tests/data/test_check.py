import json
import os

import numpy as np
import pytest
import soundfile

from kerascola.cli import main
from kerascola.data.check import as_text, check


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, 16000)
    for name, sound, rate, options in (
        ("a/one.wav", noise, 16000, {}),
        ("a/two.flac", noise[:4000], 8000, {}),
        ("b/stereo.wav", np.stack([noise, -0.5 * noise], axis=1), 16000, {"subtype": "PCM_24"}),
        ("b/quiet.wav", 0 * noise, 16000, {}),
        ("b/loud.wav", np.clip(4 * noise, -1, 1), 16000, {}),
    ):
        os.makedirs(tmp_path / "sounds" / os.path.dirname(name), exist_ok=True)
        soundfile.write(tmp_path / "sounds" / name, sound, rate, **options)
    return tmp_path


def break_off(path) -> None:
    path.write_bytes(path.read_bytes()[:20000])


def test_what_headers_say(place):
    found = check("sounds")
    assert (found.recordings, found.files, found.hours) == (5, 5, pytest.approx(4.5 / 3600))
    assert found.rates == {16000: 4, 8000: 1} and found.channels == {1: 4, 2: 1}
    assert found.formats == {"WAV PCM_16": 3, "FLAC PCM_16": 1, "WAV PCM_24": 1}
    assert found.classes == {"": {"b": 3, "a": 2}} and not found.unlabelled
    assert not (found.silent or found.clipped or found.duplicates or found.fatal)


def test_what_samples_say(place):
    found = check("sounds", decode=True)
    assert not found.cut and not found.fatal
    assert [os.path.basename(path) for path in found.silent] == ["quiet.wav"]
    assert [os.path.basename(path) for path in found.clipped] == ["loud.wav"]


def test_what_breaks_off_is_named(place):
    break_off(place / "sounds/a/one.wav")
    found = check("sounds")
    assert found.cut == ["sounds/a/one.wav: 32044 bytes by its header, 20000 there"] and not found.fatal
    path = place / "sounds/a/two.flac"
    path.write_bytes(path.read_bytes()[:5000])
    found = check("sounds", decode=True)
    assert set(found.unreadable) == {"sounds/a/two.flac"} and found.fatal


def test_what_cannot_be_read_is_named_with_its_reason(place):
    (place / "sounds/a/no.wav").write_text("no sound")
    (place / "sounds/empty.ogg").touch()
    found = check("sounds")
    assert set(found.unreadable) == {"sounds/a/no.wav", "sounds/empty.ogg"} and found.fatal
    assert "fatal: cannot be read: 2\n  sounds/a/no.wav: expected sound that libsndfile can decode" in as_text(found)


def test_copies_are_found_by_their_bytes(place):
    (place / "sounds/b/copy.wav").write_bytes((place / "sounds/a/one.wav").read_bytes())
    same_size = bytearray((place / "sounds/a/one.wav").read_bytes())
    same_size[-1] ^= 1
    (place / "sounds/b/near.wav").write_bytes(same_size)
    assert check("sounds").duplicates == [["sounds/a/one.wav", "sounds/b/copy.wav"]]


def listed(place, *lines: str):
    (place / "list.csv").write_text("\n".join(["path,kind,split,group,start,end", *lines]) + "\n")
    return check("list.csv", "kind")


def test_lists_are_counted_by_split_and_part(place):
    found = listed(
        place,
        "sounds/a/one.wav,x,train,g,0,0.25",
        "sounds/a/one.wav,y,train,g,0.5,9",
        "sounds/a/two.flac,x,test,h,,",
        "sounds/b/loud.wav,,,,,",
    )
    assert (found.recordings, found.files, found.unlabelled) == (4, 3, 1)
    assert found.seconds == [0.25, 0.5, 0.5, 1.0]
    assert found.classes == {"train": {"x": 1, "y": 1}, "test": {"x": 1}} and not found.fatal
    found = listed(place, "sounds/a/one.wav,x,train,g,1.0,")
    assert list(found.unreadable.values()) == ["the file ends at 1 s"] and found.fatal


def test_what_is_tested_on_must_not_be_trained_on(place):
    (place / "sounds/b/copy.wav").write_bytes((place / "sounds/a/one.wav").read_bytes())
    found = listed(
        place,
        "sounds/a/one.wav,x,train,g,,",
        "sounds/b/copy.wav,x,test,h,,",
        "sounds/a/two.flac,x,valid,g,,",
        "sounds/b/loud.wav,x,test,k,,",
        "sounds/b/quiet.wav,x,valid,k,,",
    )
    assert sorted(found.leaks) == [
        "the file sounds/a/one.wav is in test, train",
        "the group g is in train, valid",
    ]
    assert found.fatal and "fatal: tested on what was trained on: 2" in as_text(found)


def test_the_command_prints_draws_and_tells_by_its_exit_code(place, capsys):
    assert main(["data", "check", "sounds", "--decode", "--out", "picture.png"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("sounds: 5 recordings in 5 files, 0.00 hours\n  seconds    0.50 to 1.00")
    assert "silent: 1\n  sounds/b/quiet.wav" in out and out.endswith("fit to train on\n")
    assert (place / "picture.png").read_bytes()[1:4] == b"PNG"
    (place / "sounds/no.wav").touch()
    assert main(["data", "check", "sounds", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["fatal"] is True and told["rates"] == {"16000": 4, "8000": 1}
    assert main(["data", "check", "gone"]) == 1
    assert "error: gone: no such folder" in capsys.readouterr().err
