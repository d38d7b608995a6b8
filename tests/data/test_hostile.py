"""Folders of files as they should not be: each bad one is named once with its reason, the others are read."""

import os
import struct
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

from kerascola.cli import main
from kerascola.data import check as check_module
from kerascola.data.check import as_text, check
from kerascola.data.manifest import rows
from kerascola.data.recordings import Recordings
from kerascola.errors import AudioError, DataError

RATE = 16000
SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)


def write(path, sound=SOUND, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **options)
    return path


def change(path, at: int, to: bytes):
    data = bytearray(path.read_bytes())
    data[at : at + len(to)] = to
    path.write_bytes(data)


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A good file, in the folder that the tests are in."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.wav")
    return tmp_path


def zero_bytes(place):
    (place / "bad.wav").touch()


def header_only(place):
    write(place / "bad.wav", SOUND[:0])


def header_only_of_flac(place):
    data = write(place / "bad.flac").read_bytes()
    (place / "bad.flac").write_bytes(data[: data.index(b"\xff\xf8")])


def truncated_flac(place):
    halve(write(place / "bad.flac"))


def wrong_extension(place):
    (place / "bad.mp3").write_text("no sound at all")


def not_a_number(place):
    write(place / "bad.wav", np.where(SOUND > 0.49, np.nan, SOUND), subtype="FLOAT")


def infinite(place):
    write(place / "bad.wav", np.stack([SOUND, np.where(SOUND > 0.49, -np.inf, SOUND)], axis=1), subtype="DOUBLE")


def rate_of_nothing(place):
    change(write(place / "bad.wav"), 24, struct.pack("<I", 7))


def link_to_itself(place):
    (place / "bad.wav").symlink_to("bad.wav")


def link_to_nowhere(place):
    (place / "bad.wav").symlink_to("gone.wav")


BAD = {  # what is wrong: how it is said, and whether that takes decoding
    zero_bytes: ("libsndfile can decode", False),
    header_only: ("no samples in it", False),
    header_only_of_flac: ("1.00 s of sound as its header says, received none", True),
    truncated_flac: ("flac decoder", True),
    wrong_extension: ("libsndfile can decode", False),
    not_a_number: ("that are NaN or infinite", True),
    infinite: ("that are NaN or infinite", True),
    rate_of_nothing: ("the sample rate in its header: expected a whole number of Hz", False),
    link_to_itself: ("symbolic links", False),
    link_to_nowhere: ("No such file", False),
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_what_is_bad_is_named_once_with_its_reason(place, spoil):
    reason, decodes = BAD[spoil]
    spoil(place)
    found = check(".", decode=True)
    assert (found.files, len(found.unreadable)) == (2, 1)
    ((path, said),) = found.unreadable.items()
    assert path.startswith("bad.") and reason in said and said.count(path) == 1
    assert as_text(found).count("bad.") == 1 and "fatal: cannot be read: 1\n" in as_text(found)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        recordings = Recordings(place, RATE, "skip")
    if not decodes:
        assert len(said) == 1 and reason in str(said[0].message)
        assert "1 of 2 audio files" in str(said[0].message) and str(said[0].message).count("bad.") == 1
        assert [p.name for p in recordings.paths] == ["good.wav"]
        with pytest.raises(DataError, match=r"bad\.\w+: .*expected"):
            Recordings(place, RATE)
    else:
        assert not said
        with pytest.raises(AudioError, match=r"bad\.\w+: expected"):
            recordings.whole([p.name.startswith("bad.") for p in recordings.paths].index(True))


def test_what_breaks_off_is_used_as_far_as_it_goes_and_named(place):
    for name in ("cut.wav", "cut.ogg", "cut.mp3"):
        halve(write(place / name, np.tile(SOUND, 4)))
    found = check(".", decode=True)
    assert not found.unreadable and [line.partition(":")[0] for line in found.cut] == ["cut.mp3", "cut.wav"]
    for name, sound in zip(*wholes(place), strict=True):
        assert name == "good.wav" or 0.5 * RATE < len(sound) < 3 * RATE  # an Ogg does not say how long it was


def wholes(place):
    recordings = Recordings(place, RATE)
    return [path.name for path in recordings.paths], [recordings.whole(index) for index in range(len(recordings))]


def test_every_depth_channel_and_rate_is_read(place):
    for subtype in ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"):
        write(place / f"{subtype}.wav", subtype=subtype)
    write(place / "channels.wav", np.stack([SOUND] * 8, axis=1))
    for rate in (8000, 11025, 22050, 44100, 48000, 96000, 192000):
        write(place / f"{rate}.flac", np.sin(np.arange(rate) * 2 * np.pi * 440 / rate), rate)
    write(place / "other.mp3", format="FLAC")
    found = check(".", decode=True)
    assert not found.fatal and not found.cut
    assert found.channels == {1: found.files - 1, 8: 1} and len(found.rates) == 8
    for name, sound in zip(*wholes(place), strict=True):
        assert abs(len(sound) - RATE) < 600 and np.isfinite(sound).all(), name
        if name[0].isdigit():
            np.testing.assert_allclose(sound[800:-800], np.sin(np.arange(RATE) * 0.055 * np.pi)[800:-800], atol=1e-3)


def promising(path, **options):
    """A file whose header says that there is as much as it can say, or that nobody knows."""
    write(path, **options)
    data = path.read_bytes()
    if path.suffix == ".flac":  # 36 bits of the 64 at byte 18
        change(path, 21, bytes([data[21] | 15]) + b"\xff" * 4)
    elif path.suffix == ".mp3":
        change(path, data.index(b"Xing") + 8, b"\x0f\xff\xff\xff")
    elif path.suffix == ".w64":
        change(path, data.index(b"data") + 16, struct.pack("<Q", 2**62))
    elif path.suffix == ".rf64":
        change(path, 20, struct.pack("<QQQ", 2**62, 2**62, 2**62))
    elif path.suffix == ".au":
        change(path, 8, b"\xff" * 4)
    else:
        change(path, data.index(b"data") + 4, b"\xff" * 4)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "w64", "rf64", "au"])
def test_a_header_that_promises_the_impossible_is_not_believed(place, suffix):
    promising(place / f"long.{suffix}", format="RF64" if suffix == "rf64" else None)
    found = check(".", decode=True)
    assert not found.unreadable
    assert Recordings(place, RATE).seconds.max() == pytest.approx(1.0, abs=0.2)


def test_folders_are_no_files_whatever_they_are_called(place):
    write(place / "folder.wav" / "inner.wav")
    os.mkfifo(place / "pipe.wav")  # to open it would wait for ever
    assert [(str(row.path), row.labels) for row in rows(".")] == [
        ("folder.wav/inner.wav", ("folder.wav",)),
        ("good.wav", ()),
    ]


def test_linked_folders_are_walked_and_loops_are_not(place):
    write(place / "elsewhere" / "deep" / "a.wav")
    sounds = place / "sounds"
    write(sounds / "real" / "b.wav")
    for link, target in {"other": "../elsewhere", "again": "real", "loop": ".", "real/up": "..", "top": "/"}.items():
        (sounds / link).symlink_to(target)
    (place / "elsewhere" / "back").symlink_to("../sounds")
    expected = [("other/deep/a.wav", ("other",)), ("real/b.wav", ("real",))]
    assert [(str(row.path.relative_to("sounds")), row.labels) for row in rows("sounds")] == expected
    for pattern in ("sounds/**/*.wav", "sounds/**", "s*/**/?.wav", f"{place}/**/sounds/**/*.wav"):
        names = [os.path.relpath(row.path, "sounds") for row in rows(pattern)]
        assert names == [name for name, _ in expected], pattern
    assert [str(row.path) for row in rows("sounds/**/deep/*.wav")] == ["sounds/other/deep/a.wav"]
    assert [str(row.path) for row in rows("sounds/aga*/*.wav")] == ["sounds/again/b.wav"]


def test_patterns_leave_out_what_is_hidden(place):
    write(place / "sounds" / ".cache" / "a.wav")
    write(place / "sounds" / ".b.wav")
    assert [row.path.name for row in rows("sounds")] == [".b.wav", "a.wav"]
    assert [row.path.name for row in rows("sounds/**/.cache/*")] == ["a.wav"]
    with pytest.raises(DataError, match="no audio file"):
        rows("sounds/**/*.wav")


@contextmanager
def as_nobody(place):
    """The superuser may look into everything, so for a while somebody else."""
    if os.geteuid():
        yield
        return
    place.chmod(0o755)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_what_may_not_be_read_is_named(place):
    write(place / "closed" / "a.wav")
    write(place / "file.wav").chmod(0)
    (place / "closed").chmod(0)
    try:
        with as_nobody(place):
            for data in (".", "**/*.wav"):
                found = check(data, decode=True)
                assert set(found.unreadable) == {"closed", "file.wav"} and found.files == 3
                assert all("Permission denied" in reason for reason in found.unreadable.values())
    finally:
        (place / "closed").chmod(0o700)


def test_names_need_not_be_utf8(place, any_name, capsys):
    odd = os.fsdecode(b"caf\xe9")
    (place / odd).mkdir()
    (place / "good.wav").rename(place / odd / os.fsdecode(b"\xff.wav"))
    (place / odd / os.fsdecode(b"bad\xff.wav")).touch()
    with pytest.warns(UserWarning, match="1 of 2 audio files"):
        recordings = Recordings(place, RATE, "skip")
    assert recordings.classes == (r"caf\xe9",) and len(recordings.whole(0)) == RATE
    assert main(["data", "check", odd, "--out", "picture.png"]) == 1
    assert r"  caf\udce9/bad\udcff.wav: expected sound" in capsys.readouterr().out
    assert main(["data", "check", ".", "--json"]) == 1
    assert rf'"{odd}/bad'.encode("ascii", "backslashreplace").decode() in capsys.readouterr().out


def test_a_name_that_no_file_can_have(place):
    (place / "list.jsonl").write_text('{"path": "a\\u0000.wav"}\n{"path": "\\ud800.wav"}\n{"path": "good.wav"}\n')
    with pytest.warns(UserWarning, match="2 of 3 audio files"):
        assert len(Recordings("list.jsonl", RATE, "skip")) == 1


@pytest.mark.parametrize("step", ["missing", "digest", "blocks"])
def test_a_file_may_go_away_while_it_is_checked(place, monkeypatch, step):
    write(place / "copy.wav")
    write(place / "gone.wav")
    done = getattr(check_module, step)

    def late(path):
        if path.stem == "gone":
            path.unlink()
        return done(path)

    monkeypatch.setattr(check_module, step, late)
    found = check(".", decode=step == "blocks")
    assert found.duplicates == [["copy.wav", "good.wav"]]
    assert list(found.unreadable) == ["gone.wav"] and "No such file" in found.unreadable["gone.wav"] and found.fatal
