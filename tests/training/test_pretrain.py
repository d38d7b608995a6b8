"""The whole of pre-training, on the smallest encoder and sounds that are told apart by their pitch."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
from recipes_for_tests import CLIPS, EPOCHS, STEPS
from rich.console import Console

from kerascola import recipes
from kerascola.cli import main
from kerascola.errors import DataError, RecipeError
from kerascola.models.embedder import load_embedder
from kerascola.training import progress
from kerascola.training.assembly import build, shipped
from kerascola.training.descent import Lars
from kerascola.training.optimizers import averaged
from kerascola.training.pretrain import pretrain
from kerascola.training.run import Run
from kerascola.training.step import Step, give_weights


@pytest.fixture(scope="module")
def straight(place, recipe) -> Run:
    """A run that nothing disturbed."""
    run = Run(place / "straight")
    assert pretrain(recipe, place / "sounds", run) == run.model
    return run


def state_of(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "state.json").read_text())["history"]


def test_the_loss_falls(straight):
    losses = [row["loss"] for row in straight.history]
    assert len(losses) == EPOCHS
    assert losses[-1] < 0.75 * np.log(8)  # three quarters of chance
    assert straight.history[-1]["accuracy"] > 0.4


def test_the_run_directory_is_as_documented(straight, recipe):
    names = {
        "recipe.yaml",
        "environment.jsonl",
        "metrics.csv",
        "state.json",
        "report.png",
        "model.keras",
        "tensorboard",
    }
    weights = f"weights-{EPOCHS * STEPS:08}.weights.h5"
    assert {p.name for p in straight.path.iterdir()} == {*names, weights}
    assert recipes.load(str(straight.path / "recipe.yaml")) == recipe
    with (straight.path / "metrics.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert rows == state_of(straight.path) == straight.history
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))
    measures = ["alignment", "uniformity", "effective_rank", "deviation"]
    assert list(rows[0]) == ["epoch", "loss", "accuracy", *measures]


def test_the_model_is_plain_trained_and_knows_how_it_is_used(straight, recipe):
    model = keras.saving.load_model(straight.model, safe_mode=True)
    waveform = soundfile.read(straight.path.parent / "sounds" / "03.wav", dtype="float32")[0][None, :4000]
    embedding = model.predict_on_batch(waveform)
    pretrainer, expected = build(recipe, STEPS)
    untrained, _ = shipped(recipe, pretrainer, expected)
    assert embedding.shape == (1, expected.dimension)
    assert np.abs(embedding - untrained.predict_on_batch(waveform)).max() > 0.01

    _, metadata = load_embedder(straight.model)
    assert metadata == expected
    assert (metadata.sample_rate, metadata.window_samples, metadata.hop_samples) == (16000, 4000, 4000)
    assert metadata.min_samples == 400 + 7 * 160  # 8 frames
    assert metadata.recipe == "tiny" and metadata.versions["trained on"] == keras.backend.backend()

    give_weights(pretrainer, {"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.load_weights(straight.weights(EPOCHS * STEPS))  # the checkpoint holds the very encoder that was saved
    np.testing.assert_allclose(untrained.predict_on_batch(waveform), embedding, atol=1e-6)


@pytest.mark.once(
    "what the command says of it; every backend is killed in test_kills.py, and ends with the very same bits"
)
def test_killed_and_resumed_the_losses_are_those_of_a_run_that_was_not(place, straight, capsys):
    folder = place / "killed"
    command = ["pretrain", str(place / "tiny.yaml"), "--data", str(place / "sounds"), "--run", str(folder)]
    with subprocess.Popen([sys.executable, "-m", "kerascola.cli", *command], stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 300
            while not (folder / "state.json").exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
        said = process.stderr.read().decode()
    assert process.returncode == -signal.SIGKILL, said
    done = len(state_of(folder))
    assert 1 <= done < EPOCHS, "the kill came too late to show anything"

    assert main(command) == 1  # no run is overwritten unasked
    assert "holds a run already" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    written = capsys.readouterr()
    assert f"{folder}/model.keras\nnext: kerascola-export " in written.out
    lines = [line for line in written.err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == [f"{n}/{EPOCHS}" for n in range(done + 1, EPOCHS + 1)]

    assert len(state_of(folder)) == EPOCHS
    for row, expected in zip(state_of(folder), straight.history, strict=True):
        assert row == pytest.approx(expected, rel=1e-4), f"killed after epoch {done}"
    assert {p.name for p in folder.iterdir()} == {p.name for p in straight.path.iterdir()}


def test_the_parts_are_what_the_recipe_says(place):
    changes = ["views.noise=0.03", "objective.similarity=bilinear", "encoder.dimension=40", "train.seed=5"]
    changes += ["optimizer={name: lars, learning_rate: 3.0e-3}", "schedule={name: decay, factor: 0.5}"]
    recipe = recipes.load(str(place / "tiny.yaml"), changes)
    pretrainer, metadata = build(recipe, STEPS)
    model, same = shipped(recipe, pretrainer, metadata)
    assert same == metadata
    assert (pretrainer.views, pretrainer.objective.similarity) == (recipe.augmented_views(), "bilinear")
    assert (pretrainer.views.noise, pretrainer.views.crop_samples) == (0.03, 4000)
    assert isinstance(pretrainer.optimizer, Lars)
    for step, rate in ((STEPS - 1, 3e-3), (STEPS, 1.5e-3)):
        pretrainer.optimizer.iterations.assign(step)
        assert float(pretrainer.optimizer.learning_rate) == pytest.approx(rate)
    assert pretrainer.features.output_shape[-1] == 32
    assert metadata.dimension == model.output_shape[-1] == pretrainer.encoder.output_shape[-1] == 40
    assert int(keras.ops.convert_to_numpy(pretrainer.noise_seed.state)[0]) == 5


def test_the_average_is_shipped_and_the_weights_are_gone_on_with(place, tmp_path):
    changes = ["optimizer={name: sgd, learning_rate: 0.1, ema: 0.9}", "schedule.name=cosine", "train.steps_per_epoch=6"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), [*changes, "train.epochs=1"]), Run(tmp_path)
    trained = keras.saving.load_model(pretrain(recipe, place / "sounds", run))
    pretrainer, metadata = build(recipe, 6)
    give_weights(pretrainer, {"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.load_weights(run.weights(6))
    model, _ = shipped(recipe, pretrainer, metadata)
    waveform = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    found = trained.predict_on_batch(waveform)
    assert np.abs(found - model.predict_on_batch(waveform)).max() > 1e-3
    with averaged(pretrainer):
        np.testing.assert_allclose(found, model.predict_on_batch(waveform), atol=1e-6)


def test_an_interrupt_leaves_no_bar_behind(place, recipe, tmp_path, monkeypatch):
    bars: list[progress.Bar] = []

    def interrupted(step, batch):
        assert bars[0].bar.live.is_started
        raise KeyboardInterrupt

    own = progress.Bar.__enter__
    monkeypatch.setattr(progress.Bar, "__enter__", lambda bar: bars.append(bar) or own(bar))
    monkeypatch.setattr(Step, "__call__", interrupted)
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(force_terminal=True))
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, place / "sounds", Run(tmp_path))
    assert not bars[0].bar.live.is_started and not (tmp_path / "model.keras").exists()


@pytest.fixture
def copy(straight, tmp_path) -> Run:
    """The finished run, to be meddled with."""
    shutil.copytree(straight.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


def test_a_finished_run_gone_on_with_is_left_as_it_is(place, recipe, straight, copy):
    (copy.path / "model.keras").unlink()  # killed before it was written
    (copy.path / "weights-00000099.weights.h5").write_bytes(b"killed while these were written")
    pretrain(recipe, place / "sounds", copy, resume=True)
    assert state_of(copy.path) == straight.history
    waveform = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    models = [keras.saving.load_model(run.model) for run in (copy, straight)]
    np.testing.assert_allclose(*(m.predict_on_batch(waveform) for m in models), atol=1e-6)


def test_another_recipe_is_refused(place, recipe, copy):
    changed = recipes.load(str(place / "tiny.yaml"), ["train.seed=1"])
    with pytest.raises(RecipeError, match="started with another recipe"):
        pretrain(changed, place / "sounds", copy, resume=True)
    with pytest.raises(RecipeError, match="holds a run already.*--resume.*--run"):
        pretrain(recipe, place / "sounds", copy)


def test_more_recordings_than_before_are_said(recipe, copy):
    copy.open(recipe, resume=True)
    with pytest.warns(UserWarning, match=f"started with {CLIPS} recordings and goes on with {CLIPS + 1}"):
        copy.begin(recipe, CLIPS + 1)


@pytest.mark.parametrize(
    "changes, data, error",
    [
        ([], "nowhere", DataError),
        (["train.batch_size=21"], "sounds", DataError),
        (["views.crop_seconds=0.09"], "sounds", RecipeError),  # 8 frames of 25 ms every 10 take 0.095 s
    ],
)
def test_a_run_that_cannot_start_leaves_nothing_behind(place, tmp_path, changes, data, error):
    with pytest.raises(error):
        pretrain(recipes.load(str(place / "tiny.yaml"), changes), place / data, Run(tmp_path / "run"))
    assert not os.listdir(tmp_path)
