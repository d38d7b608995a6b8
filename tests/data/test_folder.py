import numpy as np
import pytest
import soundfile

from kerascola.audio.read import read
from kerascola.data.folder import Folder
from kerascola.errors import AudioError, DataError


def write(path, seconds: float, rate: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(len(path.name)).uniform(-0.5, 0.5, round(seconds * rate))
    soundfile.write(path, sound, rate, format="FLAC" if path.suffix == ".flac" else "WAV")


@pytest.fixture
def place(tmp_path):
    for name, seconds in {"b.wav": 1.0, "a/z.WAV": 2.0, "a/b/c.flac": 3.0}.items():
        write(tmp_path / name, seconds)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "folder.wav").mkdir()
    return tmp_path


def test_every_sound_below_in_order_of_path(place):
    folder = Folder(place, 16000)
    assert [str(p.relative_to(place)) for p in folder.paths] == ["a/b/c.flac", "a/z.WAV", "b.wav"]
    assert folder.seconds.tolist() == [3.0, 2.0, 1.0] and len(folder) == 3


def test_labels_are_the_first_folders_below(place):
    write(place / "a.b/deep/d.wav", 0.5)
    folder = Folder(place, 16000)
    assert folder.classes == ("a", "a.b")
    assert dict(zip([p.name for p in folder.paths], folder.labels.tolist(), strict=True)) == {
        "c.flac": 0,
        "z.WAV": 0,
        "d.wav": 1,
        "b.wav": -1,
    }
    assert folder.labels.dtype == np.int32
    (place / "a.b/deep/d.wav").write_text("no sound")
    with pytest.warns(UserWarning):
        assert Folder(place, 16000, unreadable="skip").classes == ("a",)


def test_without_sub_folders_there_are_no_classes(tmp_path):
    write(tmp_path / "x.wav", 0.5)
    folder = Folder(tmp_path, 16000)
    assert folder.classes == () and folder.labels.tolist() == [-1]


def test_stretches_are_those_parts_of_the_file(place):
    folder = Folder(place, 16000)
    whole = read(folder.paths[0], 16000)
    for where in (0.0, 0.25, 0.9999):
        begin = round(where * 2.0 * 16000)
        np.testing.assert_array_equal(folder.stretch(0, 1.0, where), whole[begin : begin + 16000])
    assert len(folder.stretch(2, 5.0, 0.7)) == 16000  # all there is


def test_other_rates_come_resampled(place):
    assert len(Folder(place, 8000).stretch(0, 1.0, 0.5)) == 8000


def test_unreadable_files_are_named_or_left_out(place):
    (place / "a/broken.wav").write_text("no sound")
    (place / "empty.wav").touch()
    with pytest.raises(DataError) as error:
        Folder(place, 16000)
    message = str(error.value)
    assert "2 of 5 audio files" in message and "data.unreadable=skip" in message
    assert str(place / "a/broken.wav") in message and str(place / "empty.wav") in message
    with pytest.warns(UserWarning, match=r"2 of 5[^$]*broken\.wav[^$]*empty\.wav"):
        folder = Folder(place, 16000, unreadable="skip")
    assert [p.name for p in folder.paths] == ["c.flac", "z.WAV", "b.wav"]
    assert folder.seconds.tolist() == [3.0, 2.0, 1.0]  # each still its own


def test_long_lists_of_unreadable_files_are_cut(tmp_path):
    for number in range(25):
        (tmp_path / f"{number:02}.wav").touch()
    with pytest.raises(DataError) as error:
        Folder(tmp_path, 16000)
    assert "19.wav" in str(error.value) and "20.wav" not in str(error.value) and "..." in str(error.value)
    with pytest.warns(UserWarning), pytest.raises(DataError, match="none of its 25 audio files can be read"):
        Folder(tmp_path, 16000, unreadable="skip")


def test_folders_without_sound(tmp_path):
    with pytest.raises(DataError, match=r"holds no audio file.*\.wav"):
        Folder(tmp_path, 16000)
    with pytest.raises(DataError, match="gone: no such folder"):
        Folder(tmp_path / "gone", 16000)


def test_a_file_that_goes_away_is_an_error_with_its_name(place):
    folder = Folder(place, 16000)
    (place / "b.wav").unlink()
    with pytest.raises(AudioError, match=r"b\.wav"):
        folder.stretch(2, 1.0, 0.5)
