import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from onnx_models import METADATA, write_statistics_model

from kerascola import Embedder
from kerascola.cli import main

pytestmark = pytest.mark.once("an ONNX file, which no backend runs")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A model and sounds in a folder with sub-folders, as the working directory."""
    monkeypatch.chdir(tmp_path)
    write_statistics_model(tmp_path / "model.onnx")
    (tmp_path / "sounds" / "more").mkdir(parents=True)
    for seed, name in enumerate(["b.wav", "a.flac", "more/c.WAV", "more/d.ogg", "more/short.wav"]):
        samples = 3000 if "short" in name else 20000 + 5000 * seed
        sound = np.random.default_rng(seed).uniform(-0.5, 0.5, samples)
        format = {".flac": "FLAC", ".ogg": "OGG"}.get(Path(name).suffix, "WAV")
        soundfile.write(tmp_path / "sounds" / name, sound, 16000, format=format)
    (tmp_path / "sounds" / "notes.txt").write_text("not a sound")
    return tmp_path


ALL = [f"sounds/{name}" for name in ("a.flac", "b.wav", "more/c.WAV", "more/d.ogg", "more/short.wav")]


def load(path="e.npz"):
    with np.load(path, allow_pickle=False) as saved:
        return {name: saved[name] for name in saved.files}


def test_a_folder_becomes_embeddings_with_their_paths(place, capsys):
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz"]) == 0
    saved = load()
    assert set(saved) == {"embedding", "path", "start", "end", "metadata"}
    assert saved["path"].tolist() == ALL
    assert saved["embedding"].dtype == np.float32
    np.testing.assert_allclose(saved["embedding"], Embedder("model.onnx").embed(ALL), atol=1e-5)
    assert saved["start"].tolist() == [0] * 5 and saved["end"].tolist() == [
        soundfile.info(path).duration for path in ALL
    ]
    assert json.loads(str(saved["metadata"])) == json.loads(json.dumps(asdict(METADATA)))
    assert "5 embeddings of 4 numbers from 5 files, 0 files skipped" in capsys.readouterr().out
    assert not list(place.glob("*.partial")) and not list(place.glob(".*"))


def test_files_and_patterns_in_the_order_given_each_once(place):
    arguments = ["sounds/more/d.ogg", "sounds/*.wav", "sounds/**/*.WAV", "sounds/more", "--batch-size", "1"]
    assert main(["embed", "model.onnx", *arguments, "--threads", "1", "--out", "e.npz"]) == 0
    assert load()["path"].tolist() == [ALL[3], ALL[1], ALL[2], ALL[4]]


def test_a_loop_of_links_and_a_name_that_is_not_utf8(place, any_name):
    os.symlink(".", "sounds/loop")
    odd = os.fsdecode(b"sounds/z\xff.wav")
    os.rename("sounds/b.wav", odd)
    for name in ("sounds", "sounds/**/*"):
        assert main(["embed", "model.onnx", name, "--out", "e.npz", "--overwrite"]) == int("*" in name)  # the notes
        assert sorted(load()["path"]) == sorted([*(path for path in ALL if "b.wav" not in path), odd])


def test_a_file_with_a_bracket_in_its_name_is_a_file(place):
    os.rename("sounds/b.wav", "sounds/[b].wav")
    assert main(["embed", "model.onnx", "sounds/[b].wav", "--out", "e.npz"]) == 0
    assert load()["path"].tolist() == ["sounds/[b].wav"]


def test_unreadable_files_are_named_and_the_others_saved(place, capsys):
    Path("sounds/broken.wav").write_text("not sound")
    Path("gone.wav").symlink_to("nowhere.wav")
    assert main(["embed", "model.onnx", "sounds", "gone.wav", "--out", "e.npz"]) == 1
    written = capsys.readouterr()
    assert "skipped sounds/broken.wav: " in written.err and "skipped gone.wav: " in written.err
    assert "5 files, 2 files skipped" in written.out
    saved = load()
    assert saved["path"].tolist() == ALL
    np.testing.assert_allclose(saved["embedding"], Embedder("model.onnx").embed(ALL), atol=1e-5)


def test_nothing_readable_writes_nothing(place, capsys):
    Path("gone.wav").symlink_to("nowhere.wav")
    assert main(["embed", "model.onnx", "gone.wav", "--out", "e.npz"]) == 1
    assert "none of 1 files could be read" in capsys.readouterr().err
    assert not Path("e.npz").exists()


def test_frames_have_a_row_and_a_time_per_window(place):
    Path("sounds/broken.wav").write_text("not sound")
    assert main(["embed", "model.onnx", "sounds", "--frames", "--out", "e.npz"]) == 1
    saved = load()
    embedder = Embedder("model.onnx")
    at = 0
    for path in ALL:
        vectors, seconds = embedder.frames(path)
        rows = slice(at, at + len(vectors))
        np.testing.assert_allclose(saved["embedding"][rows], vectors, atol=1e-5)
        np.testing.assert_allclose(saved["seconds"][rows], seconds)
        assert set(saved["path"][rows].tolist()) == {path}
        at += len(vectors)
    assert at == len(saved["embedding"]) == len(saved["path"]) == len(saved["seconds"])


def test_what_exists_is_kept_unless_told(place, capsys):
    Path("e.npz").write_text("precious")
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz"]) == 1
    assert "e.npz exists" in capsys.readouterr().err
    assert Path("e.npz").read_text() == "precious"
    Path("gone.wav").symlink_to("nowhere.wav")
    assert main(["embed", "model.onnx", "gone.wav", "--out", "e.npz", "--overwrite"]) == 1
    assert Path("e.npz").read_text() == "precious"
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz", "--overwrite"]) == 0
    assert len(load()["embedding"]) == 5


def test_a_write_that_fails_leaves_the_old_file(place, monkeypatch, capsys):
    Path("e.npz").write_text("precious")

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz", "--overwrite"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert Path("e.npz").read_text() == "precious"
    assert not list(place.glob(".*"))


@pytest.mark.parametrize(
    "out, reason",
    [
        ("e.npy", "end in .npz"),
        ("e", "end in .npz"),
        ("nowhere/e.npz", "nowhere"),
        ("dir.npz", "is a folder"),
    ],
)
def test_an_out_that_cannot_be_is_refused_before_the_work(place, monkeypatch, capsys, out, reason):
    Path("dir.npz").mkdir()
    monkeypatch.setattr(Embedder, "run", lambda *_: pytest.fail("worked first"))
    assert main(["embed", "model.onnx", "sounds", "--out", out]) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder nobody can write in: /proc")
def test_a_folder_that_cannot_be_written_in_is_refused_before_the_work(place, capsys):
    assert main(["embed", "model.onnx", "sounds", "--out", "/proc/e.npz"]) == 1
    assert "cannot write in /proc" in capsys.readouterr().err


@pytest.mark.parametrize("audio, reason", [("empty", "a folder that holds none"), ("sounds/*.mp4", "a pattern")])
def test_places_without_sound(place, capsys, audio, reason):
    Path("empty").mkdir()
    assert main(["embed", "model.onnx", "sounds", audio, "--out", "e.npz"]) == 1
    error = capsys.readouterr().err
    assert audio in error and reason in error


def test_a_model_that_is_none(place, capsys):
    assert main(["embed", "gone.onnx", "sounds", "--out", "e.npz"]) == 1
    assert capsys.readouterr().err.startswith("error: gone.onnx: ")


def test_many_files_report_progress_in_lines(place, monkeypatch, capsys):
    for name in "efgh":
        soundfile.write(f"sounds/{name}.wav", np.zeros(9000), 16000)
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz"]) == 0
    assert "9 of 9 files" in capsys.readouterr().err


def test_usage(place, capsys):
    for arguments in (["embed"], ["nonsense"], ["embed", "model.onnx", "sounds"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith("kerascola ")


def test_an_interruption_is_one_line(place, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Embedder, "run", interrupted)
    assert main(["embed", "model.onnx", "sounds", "--out", "e.npz"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not Path("e.npz").exists()
