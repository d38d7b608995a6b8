import json

import numpy as np
import pytest

from kerascola.cli import demo, main
from kerascola.errors import RecipeError

SMALL = ("train.batch_size=4", "train.epochs=2", "data.clip_seconds=0.6", "views.crop_seconds=0.25")
SIX = [f"{n}.{kind}" for n in ("untrained", "model") for kind in ("keras", "onnx", "npz")]


@pytest.mark.once("the demo's backend; the others train in tests/training, export in tests/export", "tensorflow")
def test_the_demo_runs_through_and_again(tmp_path, monkeypatch, capsys):
    for name, value in {"TRAINING": 8, "HELD_OUT": 6, "SECONDS": 0.8}.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *(f"--set={change}" for change in SMALL)]) == 0
    shown = capsys.readouterr().out
    folder = tmp_path / "runs/demo"
    assert {p.name for p in folder.iterdir()} == {*SIX, "report.png", "sounds", "training", demo.MARK}
    assert len(list((folder / "sounds/training").iterdir())) == 8
    history = json.loads((folder / "training/state.json").read_text())["history"]
    assert len(history) == 2
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith("  ")}
    assert set(rows) >= {"untrained", "pre-trained", "chance"}
    assert rows["chance"] == ["0.167", "0.833", "0.408"]  # of 6: 1/6, 5/6 and the mean of 1/rank
    assert "model.onnx agrees with Keras within" in shown and "report.png" in shown
    embeddings = []
    for name in ("untrained", "model"):
        with np.load(folder / f"{name}.npz") as saved:
            assert len(saved["path"]) == 12 and "/first/" in saved["path"][0] and "/second/" in saved["path"][6]
            embeddings.append(saved["embedding"])
    assert np.abs(embeddings[0] - embeddings[1]).max() > 0.01


def test_an_earlier_demo_makes_place_and_nothing_else_of_the_folder_goes(tmp_path):
    folder = demo.fresh(tmp_path / "deep" / "demo")
    for name in (*SIX, "report.png", "mine.txt", "sounds/training/x.wav", "training/state.json", "other/y.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    demo.fresh(folder)
    assert {p.name for p in folder.iterdir()} == {demo.MARK, "mine.txt", "other"}
    assert (folder / "other/y.wav").exists()


@pytest.mark.parametrize("theirs", ["sounds/training/a.wav", "training/state.json", "model.keras", "notes.txt"])
def test_a_folder_that_is_no_demos_is_not_touched(tmp_path, theirs):
    (tmp_path / theirs).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / theirs).write_text("years of work")
    with pytest.raises(RecipeError, match="is not empty and holds no earlier demo"):
        demo.fresh(tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == [theirs]


def test_a_file_in_the_way(tmp_path, capsys):
    (tmp_path / "demo").write_text("")
    assert main(["demo", "--run", str(tmp_path / "demo")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {tmp_path}/demo: File exists"


def test_changes_that_do_not_fit_stop_it_before_anything_is_made(tmp_path, capsys):
    assert main(["demo", "--run", str(tmp_path / "demo"), "--set", "train.epoch=1"]) == 1
    assert "did you mean 'epochs'?" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
