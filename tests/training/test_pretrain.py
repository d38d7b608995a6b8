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

import contracts
import keras
import numpy as np
import pytest
import soundfile
from rich.console import Console

from kerascola import recipes
from kerascola.cli import main
from kerascola.data.pipeline import collate
from kerascola.errors import DataError, RecipeError
from kerascola.frontends.frontend import clip_level
from kerascola.models.embedder import load_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.training.callbacks import ProgressBar
from kerascola.training.descent import Lars
from kerascola.training.optimizers import averaged
from kerascola.training.pretrain import build, pretrain, shipped
from kerascola.training.run import Run

CLIPS, EPOCHS, STEPS = 20, 5, 12  # two steps a pass, so that an epoch ends in the middle of nothing in particular
RECIPE = f"""
base: cola-dot
frontend: {{mels: 32}}
encoder: {{width: 0.25, depth: 0.3}}
views:
  crop_seconds: 0.25
  noise: 0.001
  waveform: [{{name: gain, db: [-1, 1]}}, {{name: time_mask, share: [0, 0.02]}}]
  spectrogram: [{{name: spec_augment, frames: 3, bands: 2, probability: 0.3, views: positive}}]
objective: {{dimension: 32}}
optimizer: {{learning_rate: 3.0e-3}}
data: {{clip_seconds: 0.5}}
train: {{batch_size: 8, epochs: {EPOCHS}, steps_per_epoch: {STEPS}}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """recipe.yaml and sounds/, some longer than a clip."""
    folder = tmp_path_factory.mktemp("pretraining")
    (folder / "tiny.yaml").write_text(RECIPE)
    (folder / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number, pitch in enumerate(np.geomspace(150, 6000, CLIPS)):
        at = np.arange(8000 + 1000 * (number % 4)) / 16000
        sound = np.sin(2 * np.pi * pitch * at) + 0.1 * rng.normal(size=len(at))
        soundfile.write(folder / "sounds" / f"{number:02}.wav", 0.3 * sound, 16000)
    return folder


@pytest.fixture(scope="module")
def recipe(place) -> recipes.Recipe:
    return recipes.load(str(place / "tiny.yaml"))


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
    names = {"recipe.yaml", "history.csv", "state.json", f"weights-{EPOCHS:05}.weights.h5", "model.keras"}
    assert {p.name for p in straight.path.iterdir()} == names
    assert recipes.load(str(straight.path / "recipe.yaml")) == recipe
    with (straight.path / "history.csv").open() as file:
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert rows == state_of(straight.path) == straight.history
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))


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
    assert metadata.min_samples == 400 + 15 * 160  # 16 frames
    assert metadata.recipe == "tiny" and metadata.versions["trained on"] == keras.backend.backend()

    pretrainer({"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    pretrainer.load_weights(straight.weights(EPOCHS))  # the checkpoint holds the very encoder that was saved
    np.testing.assert_allclose(untrained.predict_on_batch(waveform), embedding, atol=1e-6)


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
        assert row == pytest.approx(expected, rel=1e-5), f"killed after epoch {done}"
    assert {p.name for p in folder.iterdir()} == {p.name for p in straight.path.iterdir()}


def test_the_parts_are_what_the_recipe_says(place):
    changes = ["views.noise=0.03", "objective.similarity=bilinear", "encoder.width=0.5", "train.seed=5"]
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
    assert metadata.dimension == model.output_shape[-1] == pretrainer.encoder.output_shape[-1] == 640
    assert int(keras.ops.convert_to_numpy(pretrainer.noise_seed.state)[0]) == 5


def test_the_average_is_shipped_and_the_weights_are_gone_on_with(place, tmp_path):
    changes = ["optimizer={name: sgd, learning_rate: 0.1, ema: 0.9}", "schedule.name=cosine", "train.steps_per_epoch=6"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), [*changes, "train.epochs=1"]), Run(tmp_path)
    trained = keras.saving.load_model(pretrain(recipe, place / "sounds", run))
    pretrainer, metadata = build(recipe, 6)
    pretrainer({"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    pretrainer.load_weights(run.weights(1))
    model, _ = shipped(recipe, pretrainer, metadata)
    waveform = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    found = trained.predict_on_batch(waveform)
    assert np.abs(found - model.predict_on_batch(waveform)).max() > 1e-3
    with averaged(pretrainer):
        np.testing.assert_allclose(found, model.predict_on_batch(waveform), atol=1e-6)


def test_an_interrupt_leaves_no_bar_behind(place, recipe, tmp_path, monkeypatch):
    bars = []

    def interrupted(model, *_, callbacks, **__):
        bars.extend(c.bar for c in callbacks if isinstance(c, ProgressBar))
        assert bars[0].live.is_started
        raise KeyboardInterrupt

    monkeypatch.setattr(Pretrainer, "fit", interrupted)
    monkeypatch.setattr("kerascola.training.callbacks.Console", lambda stderr: Console(force_terminal=True))
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, place / "sounds", Run(tmp_path))
    assert not bars[0].live.is_started and not (tmp_path / "model.keras").exists()


@pytest.fixture
def copy(straight, tmp_path) -> Run:
    """The finished run, to be meddled with."""
    shutil.copytree(straight.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


def test_a_finished_run_gone_on_with_is_left_as_it_is(place, recipe, straight, copy):
    (copy.path / "model.keras").unlink()  # killed before it was written
    (copy.path / "weights-00009.weights.h5").write_bytes(b"killed while these were written")
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
        (["views.crop_seconds=0.17"], "sounds", RecipeError),  # 16 frames of 25 ms every 10 take 0.175 s
    ],
)
def test_a_run_that_cannot_start_leaves_nothing_behind(place, tmp_path, changes, data, error):
    with pytest.raises(error):
        pretrain(recipes.load(str(place / "tiny.yaml"), changes), place / data, Run(tmp_path / "run"))
    assert not os.listdir(tmp_path)


def test_running_statistics_ship_inside_the_front_end(place):
    recipe = recipes.load(
        str(place / "tiny.yaml"), ["views.standardise=true", "frontend.mean=-3", "frontend.deviation=2"]
    )
    pretrainer, metadata = build(recipe, STEPS)
    clips = np.random.default_rng(0).normal(size=(4, 8000)).astype(np.float32)
    batch = {"clips": clips, "starts": np.full((4, 2), 100, np.int32)}
    views = recipe.augmented_views()
    drawn = collate(
        [views.draw(c, np.random.default_rng(k), lambda s: np.random.default_rng(s)) for k, c in enumerate(clips)]
    )
    for _ in range(3):
        pretrainer.train_on_batch({**batch, **drawn})
    assert metadata.frontend["mean"] == -3
    model, told = shipped(recipe, pretrainer, metadata)
    assert told.frontend["mean"] != -3 and told.frontend["deviation"] != 2
    window = clips[:, 100:4100]
    level = clip_level(
        keras.ops.convert_to_tensor(window), recipe.frontend
    )  # of the window: a shipped model sees no more
    expected = pretrainer.encoder(pretrainer.standardise(pretrainer.features(level)))
    np.testing.assert_allclose(model.predict_on_batch(window), contracts.numbers(expected), atol=1e-4)
