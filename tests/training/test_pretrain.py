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
from kerascola.data.folder import Folder
from kerascola.data.pipeline import collate
from kerascola.errors import DataError, RecipeError, TrainingError
from kerascola.frontends.frontend import clip_level
from kerascola.models.embedder import load_embedder
from kerascola.recipes.schema import EarlyStopping
from kerascola.training import progress
from kerascola.training.descent import Lars
from kerascola.training.optimizers import averaged
from kerascola.training.pretrain import build, labels_of, pretrain, shipped, stale
from kerascola.training.run import Run
from kerascola.training.step import Step

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
    names = {"recipe.yaml", "environment.json", "metrics.csv", "state.json", "report.png", "model.keras"}
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
    assert metadata.min_samples == 400 + 15 * 160  # 16 frames
    assert metadata.recipe == "tiny" and metadata.versions["trained on"] == keras.backend.backend()

    pretrainer({"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    pretrainer.load_weights(straight.weights(EPOCHS * STEPS))  # the checkpoint holds the very encoder that was saved
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
        assert row == pytest.approx(expected, rel=1e-4), f"killed after epoch {done}"
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
    pretrainer({**batch, **drawn})
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    with Step(pretrainer) as step:
        for _ in range(3):
            step({**batch, **drawn})
    assert metadata.frontend["mean"] == -3
    model, told = shipped(recipe, pretrainer, metadata)
    assert told.frontend["mean"] != -3 and told.frontend["deviation"] != 2
    window = clips[:, 100:4100]
    level = clip_level(
        keras.ops.convert_to_tensor(window), recipe.frontend
    )  # of the window: a shipped model sees no more
    expected = pretrainer.encoder(pretrainer.standardise(pretrainer.features(level)))
    np.testing.assert_allclose(model.predict_on_batch(window), contracts.numbers(expected), atol=1e-4)


SMALL = ["encoder={name: small, filters: 4, dimension: 16}", "frontend.mels=16", "views.waveform=[]"]
SMALL += ["views.spectrogram=[]", "train.steps_per_epoch=2", "train.epochs=6"]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_low_precision_the_loss_is_near_and_what_is_shipped_is_float32(place, tmp_path, precision):
    losses, run = [], Run(tmp_path / precision)
    for name, made in ((precision, run), ("float32", Run(tmp_path / "float32"))):
        changes = [*SMALL, f"train.precision={name}", "train.epochs=1", "encoder.dropout=0"]
        recipe = recipes.load(str(place / "tiny.yaml"), changes)
        pretrain(recipe, place / "sounds", made)
        losses.append([row["loss"] for row in made.history])
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(*losses, rtol=0.05)
    assert losses[0] != losses[1], "computed in float32"

    model = keras.saving.load_model(run.model)
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"float32"}
    recipe = recipes.load(str(run.path / "recipe.yaml"))
    pretrainer, _ = build(recipe, 2)
    assert isinstance(pretrainer.optimizer, keras.optimizers.LossScaleOptimizer) is (precision == "float16")
    assert keras.backend.standardize_dtype(pretrainer.encoder.output.dtype) == precision
    pretrainer({"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    run.open(recipe, resume=True)
    run.restore(pretrainer)
    for weight in pretrainer.encoder.weights:
        assert keras.backend.standardize_dtype(weight.dtype) == "float32"
    waves = np.random.default_rng(0).normal(size=(4, 4000)).astype(np.float32)
    expected = contracts.numbers(pretrainer.encoder(model.get_layer("frontend")(waves)))
    found = model.predict_on_batch(waves)
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(found).max())


def test_a_run_that_gets_no_better_stops_and_stays_stopped(place, tmp_path, capsys):
    changes = [*SMALL, "optimizer.learning_rate=1e-12", "train.early_stopping={patience: 2, min_delta: 9}"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), changes), Run(tmp_path / "run")
    pretrain(recipe, place / "sounds", run)
    assert len(run.history) == 3 and run.model.exists()
    assert "stopped after epoch 3: loss gets no better" in capsys.readouterr().err
    again = Run(tmp_path / "run")
    pretrain(recipe, place / "sounds", again, resume=True)
    assert again.history == run.history and again.step == run.step


@pytest.mark.parametrize(
    "monitor, values, patience, min_delta, stops",
    [
        ("loss", [3, 2, 1, 1, 1], 2, 0, 5),
        ("loss", [3, 2, 1, 1, 0.9, 1, 1], 2, 0, 7),
        ("loss", [3, 2, 1, 1, 0.9, 1, 1], 2, 0.2, 5),
        ("accuracy", [0.1, 0.2, 0.2], 1, 0, 3),
        ("accuracy", [0.3, 0.2, 0.1, 0.4, 0.3], 3, 0, None),
        ("loss", [5, 4, 3, 2, 1], 1, 0, None),
    ],
)
def test_it_stops_when_so_many_epochs_were_no_better(monitor, values, patience, min_delta, stops):
    stopping = EarlyStopping(monitor=monitor, patience=patience, min_delta=min_delta)
    history = [{monitor: value} for value in values]
    found = [number for number in range(len(history) + 1) if stale(history[:number], stopping)]
    assert (found[0] if found else None) == stops


def test_a_loss_that_is_no_number_stops_the_run_and_spares_its_checkpoint(place, tmp_path, monkeypatch):
    recipe, run = recipes.load(str(place / "tiny.yaml"), SMALL), Run(tmp_path / "run")
    own, count = Step.__call__, iter(range(100))

    def broken(step, batch):
        logs = own(step, batch)
        return {**logs, "loss": logs["loss"] * float("nan")} if next(count) == 4 else logs

    monkeypatch.setattr(Step, "__call__", broken)
    with pytest.raises(TrainingError, match=r"received loss nan .* in epoch 3.*steps before is kept"):
        pretrain(recipe, place / "sounds", run)
    assert next(count) <= 6, "found out a step later, not an epoch"
    assert len(state_of(run.path)) == 2 and run.weights(4).exists() and not run.model.exists()


def test_a_batch_may_be_cached(place, tmp_path):
    recipe = recipes.load(str(place / "tiny.yaml"), [*SMALL, "train.cached_batch=16", "train.epochs=1"])
    pretrain(recipe, place / "sounds", run := Run(tmp_path / "run"))
    assert run.history[0]["loss"] > np.log(8) + 0.3, "of 16 clips, not 8"
    assert run.history[0]["effective_rank"] > 1


@pytest.fixture(scope="module")
def labelled(place) -> Path:
    """Two classes, and two recordings outside."""
    folder = place / "labelled"
    for number, path in enumerate(sorted((place / "sounds").iterdir())):
        target = folder / ("low" if number < 9 else "high" if number < 18 else "") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.mark.parametrize("name", ["clar", "byol"])
def test_objectives_with_labels_or_a_target_train_and_go_on(labelled, place, tmp_path, name):
    sizes = ", dimension: 8, hidden: [8]" if name == "byol" else ""
    changes = [*SMALL, f"objective={{name: {name}{sizes}}}", "data.labelled=0.5", "train.epochs=1"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), changes), Run(tmp_path / "run")
    pretrain(recipe, labelled, run)
    assert np.isfinite(run.history[0]["loss"])
    trained, again = build(recipe, 2, classes=2)[0], Run(tmp_path / "run")
    again.open(recipe, resume=True)
    trained({**{"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)}, "labels": ZEROS})
    trained.optimizer.build(trained.trainable_variables)
    again.restore(trained)
    if name == "byol":  # the target is in the checkpoint too, and is not the encoder any more
        pairs = [*zip(trained.encoder.weights, trained.target.weights, strict=True)]
        assert any(np.abs(contracts.numbers(a) - contracts.numbers(b)).max() > 0 for a, b in pairs if a.trainable)


ZEROS = np.zeros(2, np.int32)


def test_labels_are_of_the_folders_and_a_share_of_them(labelled, place):
    class Sounds:
        classes, root = ("a", "b"), "sounds"
        labels = np.array([0] * 10 + [1] * 4 + [-1] * 3, np.int32)

    def found(*changes):
        return labels_of(Sounds, recipes.load(str(place / "tiny.yaml"), changes))

    assert found() is None  # the objective needs none
    np.testing.assert_array_equal(found("objective={name: clar}"), Sounds.labels)
    half = found("objective={name: supcon}", "data.labelled=0.5")
    assert [(half == value).sum() for value in (0, 1)] == [5, 2]
    with pytest.raises(DataError, match=r"classify needs all labels: 3 of 17 recordings in sounds are without"):
        found("objective={name: classify}")
    with pytest.raises(DataError, match=r"classify needs all labels: 17 of 17 .*data.labelled=0 "):
        found("objective={name: classify}", "data.labelled=0")


def test_missing_labels_are_said_before_anything_is_written(place, tmp_path):
    recipe = recipes.load(str(place / "tiny.yaml"), ["objective={name: classify}"])
    with pytest.raises(DataError, match="the objective classify needs labels. .*sounds has no labels: .* sub-folder"):
        pretrain(recipe, place / "sounds", Run(tmp_path / "run"))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["clar", "supcon"])
def test_what_needs_some_labels_goes_on_without_any_and_says_so(place, name):
    recipe = recipes.load(str(place / "tiny.yaml"), [f"objective={{name: {name}}}"])
    folder = Folder(place / "sounds", 16000)
    with pytest.warns(UserWarning, match=f"sounds has no labels: .* The objective {name} goes on without"):
        assert (labels_of(folder, recipe) == -1).all()
