"""`kerascola embed --out NAME.parquet`: shards are whole or not there, and a call goes on where one was stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from bulk_for_tests import PATHS, RATE, embed, shards, sounds_in, table
from onnx_models import write_statistics_model

from kerascola import Embedder
from kerascola.data.embedding_table import Table
from kerascola.data.files import alone

pytestmark = pytest.mark.once("an ONNX file, which no backend runs")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return sounds_in(tmp_path)


def bytes_of(name: str) -> dict[str, bytes]:
    """All that a run leaves."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in (Path(f"{name}.parquet"), Path(f"{name}.run"))
        for path in folder.rglob("*")
        if path.is_file()
    }


HARD = ["sounds", "gone.wav", "--frames", "--shard-windows", "6", "--batch-size", "2"]
SLOWLY = """
import sys, time
from kerascola import Embedder
from kerascola.cli import main
run = Embedder.run
def slow(self, *windows):
    time.sleep(0.02)
    return run(self, *windows)
Embedder.run = slow
main(["embed", "model.onnx", *sys.argv[1:], "--out", "killed.parquet"])
"""


def test_killed_and_started_again_it_ends_with_the_same_bytes(place):
    assert embed(*HARD, out="whole.parquet") == 1
    for least in (1, 3):
        process = subprocess.Popen([sys.executable, "-c", SLOWLY, *HARD])
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(place.glob("killed.parquet/*"))) >= least and Path("killed.run/.partial").exists():
                process.send_signal(signal.SIGKILL)
            time.sleep(0.002)
        assert process.wait() == -signal.SIGKILL
        assert least <= len(shards("killed.parquet")) < len(shards("whole.parquet"))
        for name in shards("killed.parquet"):  # what is there is whole
            assert Path("killed.parquet", name).read_bytes() == Path("whole.parquet", name).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in place.glob("killed.parquet/*")}
    assert embed(*HARD, out="killed.parquet") == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert bytes_of("killed") == bytes_of("whole")
    assert sorted(os.listdir("killed.run")) == [".lock", "errors.parquet", "settings.json"]


def test_done_already(place, monkeypatch, capsys):
    assert embed("sounds", "gone.wav") == 1
    first = capsys.readouterr().out
    monkeypatch.setattr(Embedder, "run", lambda *_: pytest.fail("worked again"))
    assert embed("sounds", "gone.wav") == 1
    assert capsys.readouterr().out == first


def change_the_model():
    write_statistics_model(Path("model.onnx"), logarithm=True)


def change_a_file():
    soundfile.write("sounds/5.wav", np.zeros(11_111), RATE)


@pytest.mark.parametrize(
    "arguments, change, reason",
    [
        (["--dtype", "float16"], None, "expected --dtype float32, received float16"),
        (["--batch-size", "8"], None, "expected --batch-size 32, received 8"),
        (["--threads", "1"], None, "expected --threads 0, received 1"),
        (["--shard-windows", "4"], None, "expected --shard-windows 5, received 4"),
        (["--frames"], None, "expected no --frames"),
        (["gone.wav"], None, "expected the same 10 files, received 11"),
        ([], change_the_model, "expected the model model.onnx as it was"),
        ([], change_a_file, "some of another size"),
    ],
)
def test_other_settings_are_refused(place, capsys, arguments, change, reason):
    same = ["--shard-windows", "5", "sounds"]
    assert embed(*same) == 0
    before = bytes_of("e")
    if change:
        change()
    assert embed(*same, *arguments) == 1
    error = capsys.readouterr().err
    assert reason in error and "--overwrite" in error
    assert bytes_of("e") == before
    embed(*same, *arguments, "--overwrite")
    assert bytes_of("e")["settings.json"] != before["settings.json"]


def test_what_others_wrote_is_kept(place, capsys):
    Path("file.parquet").write_text("precious")
    Path("folder.parquet").mkdir()
    Path("folder.parquet/part-00000.parquet").write_text("precious")
    Path("beside.run").mkdir()
    Path("beside.run/notes.txt").write_text("precious")
    for out, *overwrite in (["file"], ["folder"], ["folder", "--overwrite"], ["beside"], ["beside", "--overwrite"]):
        assert embed("sounds", *overwrite, out=f"{out}.parquet") == 1
        assert f"{out}.parquet" in capsys.readouterr().err
    for path in ("file.parquet", "folder.parquet/part-00000.parquet", "beside.run/notes.txt"):
        assert Path(path).read_text() == "precious"
    assert not Path("file.run").exists() and not Path("beside.parquet").exists()
    assert embed("sounds", "--overwrite", out="file.parquet") == 0
    assert table("file.parquet")["path"] == PATHS


def test_what_others_put_among_the_shards_is_kept(place, capsys):
    """And the shards with it, so that the command can be given again."""
    assert embed("sounds", "--shard-windows", "5") == 0
    before = bytes_of("e")
    Path("e.parquet/notes").mkdir()
    Path("e.parquet/notes/a.txt").write_text("precious")
    assert embed("sounds", "--overwrite") == 1
    assert "e.parquet holds notes/a.txt, which this command did not write" in capsys.readouterr().err
    assert bytes_of("e") == {**before, "notes/a.txt": b"precious"}


@pytest.mark.parametrize("settings", ["", "[]", "\xff", '{"model": '])
def test_damaged_settings_are_named(place, capsys, settings):
    assert embed("sounds") == 0
    before = bytes_of("e")
    Path("e.run/settings.json").write_text(settings, encoding="latin-1")
    assert embed("sounds") == 1
    error = capsys.readouterr().err
    assert "e.run/settings.json: expected the settings" in error and "--overwrite" in error
    assert embed("sounds", "--overwrite") == 0
    assert bytes_of("e") == before


def test_settings_are_on_the_disk_before_they_take_their_name(place, monkeypatch):
    """Else a power cut could leave them empty beside whole shards."""
    synced, sync, replace, named = [], os.fsync, os.replace, {}

    def fsync(number):
        synced.append(os.fstat(number).st_ino)
        sync(number)

    def take(before, after):
        named[Path(after).name] = os.stat(before).st_ino in synced
        replace(before, after)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", take)
    assert embed("sounds") == 0
    assert named["settings.json"] and all(named.values())


def test_two_at_once(place, capsys):
    Path("e.run").mkdir()
    with alone(Path("e.run/.lock"), "held"):
        assert embed("sounds") == 1
    assert "another process is writing e.parquet" in capsys.readouterr().err


def test_a_full_disk_leaves_whole_shards(place, monkeypatch, capsys):
    def full(self):
        if self.waiting > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Table, "flush", full)
    assert embed("sounds", "--frames") == 1
    assert "e.parquet/part-00000.parquet: No space left on device" in capsys.readouterr().err
    assert shards() == [] and sorted(os.listdir("e.run")) == [".lock", "errors.parquet", "settings.json"]
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert embed("sounds", "--frames") == 0


def test_an_interruption_leaves_whole_shards(place, monkeypatch, capsys):
    run, runs = Embedder.run, iter(range(100))

    def interrupted(self, *windows):
        if next(runs) == 6:
            raise KeyboardInterrupt
        return run(self, *windows)

    monkeypatch.setattr(Embedder, "run", interrupted)
    assert embed("sounds", "--shard-windows", "4") == 130
    assert shards() and len(table()["path"]) < len(PATHS) and not Path("e.run/.partial").exists()
    assert embed("sounds", "--shard-windows", "4") == 0
    assert table()["path"] == PATHS


def test_a_damaged_shard_is_named(place, capsys):
    assert embed("sounds") == 0
    Path("e.parquet/part-00000.parquet").write_bytes(b"PAR1")
    assert embed("sounds") == 1
    assert "e.parquet/part-00000.parquet: expected a whole shard" in capsys.readouterr().err
