"""What a recipe can ask of pre-training: precision, early stopping, cached batches, labels, running statistics."""

import os

import contracts
import keras
import numpy as np
import pytest
from recipes_for_tests import STEPS

from kerascola import recipes
from kerascola.data.draws import collate
from kerascola.data.recordings import Recordings
from kerascola.errors import DataError, TrainingError
from kerascola.frontends.frontend import level
from kerascola.recipes.schema import EarlyStopping
from kerascola.training.assembly import build, shipped
from kerascola.training.loop import stale
from kerascola.training.pretrain import labels_of, pretrain, warn_of_equal_views
from kerascola.training.run import Run
from kerascola.training.step import Step, give_weights


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
    give_weights(pretrainer, {**batch, **drawn})
    with Step(pretrainer) as step:
        for _ in range(3):
            step({**batch, **drawn})
    assert metadata.frontend["mean"] == -3
    model, told = shipped(recipe, pretrainer, metadata)
    assert told.frontend["mean"] != -3 and told.frontend["deviation"] != 2
    window = clips[:, 100:4100]
    levelled = level(keras.ops.convert_to_tensor(window), recipe.frontend)
    expected = contracts.numbers(pretrainer.encoder(pretrainer.standardise(pretrainer.features(levelled))))
    assert np.abs(expected).max() > 0.5, "too dull to show a mistake"
    np.testing.assert_allclose(model.predict_on_batch(window), expected, atol=1e-4)


SMALL = ["encoder={name: small, filters: 4, dimension: 16}", "frontend.mels=16", "views.waveform=[]"]
SMALL += ["views.spectrogram=[]", "train.steps_per_epoch=2", "train.epochs=6"]


def trained(place, folder, precision: str) -> Run:
    changes = [*SMALL, f"train.precision={precision}", "train.epochs=1", "encoder.dropout=0"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), changes), Run(folder / precision)
    pretrain(recipe, place / "sounds", run)
    return run


@pytest.fixture(scope="module")
def exact(place) -> Run:
    return trained(place, place, "float32")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_in_low_precision_the_loss_is_near_and_what_is_shipped_is_float32(place, tmp_path, exact, precision):
    run = trained(place, tmp_path, precision)
    losses = [[row["loss"] for row in made.history] for made in (run, exact)]
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(*losses, rtol=0.05)
    assert losses[0] != losses[1], "computed in float32"

    model = keras.saving.load_model(run.model)
    assert {layer.compute_dtype for layer in model._flatten_layers()} == {"float32"}
    recipe = recipes.load(str(run.path / "recipe.yaml"))
    pretrainer, _ = build(recipe, 2)
    assert isinstance(pretrainer.optimizer, keras.optimizers.LossScaleOptimizer) is (precision == "float16")
    assert keras.backend.standardize_dtype(pretrainer.encoder.output.dtype) == precision
    give_weights(pretrainer, {"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32)})
    run.open(recipe, resume=True)
    run.restore(pretrainer)
    for weight in pretrainer.encoder.weights:
        assert keras.backend.standardize_dtype(weight.dtype) == "float32"
    waves = np.random.default_rng(0).normal(size=(4, 4000)).astype(np.float32)
    expected = contracts.numbers(pretrainer.encoder(model.get_layer("frontend")(waves)))
    found = model.predict_on_batch(waves)
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(found).max())


@pytest.mark.once("losses that are numbers already are compared")
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


@pytest.mark.once("numbers that are read from a step already; that they are read is tested in test_step.py")
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
    assert len(run.history) == 2 and run.weights(4).exists() and not run.model.exists()


@pytest.mark.once("that the recipe's word reaches the step; steps in chunks are tested in test_step.py")
def test_a_batch_may_be_cached(place, tmp_path):
    recipe = recipes.load(str(place / "tiny.yaml"), [*SMALL, "train.cached_batch=16", "train.epochs=1"])
    pretrain(recipe, place / "sounds", run := Run(tmp_path / "run"))
    assert run.history[0]["loss"] > np.log(8) + 0.3, "of 16 clips, not 8"
    assert run.history[0]["effective_rank"] > 1


CLAR = pytest.mark.once("its weights are in any checkpoint, its step in test_systems.py; byol has a target beside it")


@pytest.mark.parametrize("name", [pytest.param("clar", marks=CLAR), "byol"])
def test_objectives_with_labels_or_a_target_train_and_go_on(labelled, place, tmp_path, name):
    sizes = ", dimension: 8, hidden: [8]" if name == "byol" else ""
    changes = [*SMALL, f"objective={{name: {name}{sizes}}}", "data.labelled=0.5", "train.epochs=1"]
    recipe, run = recipes.load(str(place / "tiny.yaml"), changes), Run(tmp_path / "run")
    pretrain(recipe, labelled, run)
    assert np.isfinite(run.history[0]["loss"])
    trained, again = build(recipe, 2, classes=2)[0], Run(tmp_path / "run")
    again.open(recipe, resume=True)
    give_weights(
        trained, {"clips": np.zeros((2, 8000), np.float32), "starts": np.zeros((2, 2), np.int32), "labels": ZEROS}
    )
    again.restore(trained)
    if name == "byol":  # the target is in the checkpoint too, and is not the encoder any more
        pairs = [*zip(trained.encoder.weights, trained.target.weights, strict=True)]
        assert any(np.abs(contracts.numbers(a) - contracts.numbers(b)).max() > 0 for a, b in pairs if a.trainable)


ZEROS = np.zeros(2, np.int32)


def test_labels_are_of_the_folders_and_a_share_of_them(labelled, place):
    class Sounds:
        classes, source = ("a", "b"), "sounds"
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
    with pytest.raises(DataError, match="the objective clar takes one label of a recording: data.multi_label=false"):
        found("objective={name: clar}", "data.multi_label=true")


@pytest.mark.once("which recordings and labels are read; clar trains on labels above")
def test_a_list_says_what_to_train_on_and_its_labels(place, tmp_path):
    lines = [
        f"{place}/sounds/{n:02}.wav,{'ab'[n % 2] if n % 3 else ''},{'test' if n > 15 else 'train'}" for n in range(20)
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,kind,split", *lines]))
    changes = [*SMALL, "objective={name: clar}", "train.epochs=1", "data.label=kind"]
    run = Run(tmp_path / "run")
    with pytest.warns(UserWarning, match="16 of 20 recordings: those of the split train"):
        pretrain(recipes.load(str(place / "tiny.yaml"), changes), tmp_path / "list.csv", run)
    assert run.clips == 16 and run.history[0]["cross_entropy"] > 0


@pytest.mark.once("that labels reach the objective; its loss is tested on every backend in tests/objectives")
def test_several_labels_are_learnt_by_classify(place, tmp_path):
    labels = ["low;even", "low", "even"] * 6
    lines = [f"{place}/sounds/{n:02}.wav,{label}" for n, label in enumerate(labels)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]))
    changes = [*SMALL, "objective={name: classify}", "train.epochs=1", "data.multi_label=true"]
    pretrain(recipes.load(str(place / "tiny.yaml"), changes), tmp_path / "list.csv", run := Run(tmp_path / "run"))
    assert 0.2 < run.history[0]["loss"] < 3


def test_missing_labels_are_said_before_anything_is_written(place, tmp_path):
    recipe = recipes.load(str(place / "tiny.yaml"), ["objective={name: classify}"])
    with pytest.raises(DataError, match="the objective classify needs labels. .*sounds has no labels: .* sub-folder"):
        pretrain(recipe, place / "sounds", Run(tmp_path / "run"))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["clar", "supcon"])
def test_what_needs_some_labels_goes_on_without_any_and_says_so(place, name):
    recipe = recipes.load(str(place / "tiny.yaml"), [f"objective={{name: {name}}}"])
    folder = Recordings(place / "sounds", 16000)
    with pytest.warns(UserWarning, match=f"sounds has no labels: .* The objective {name} goes on without"):
        assert (labels_of(folder, recipe) == -1).all()


@pytest.mark.once("a recipe is looked at")
@pytest.mark.parametrize(
    ("change", "rendered", "equal"),
    [
        ("data.clip_seconds=1", False, True),
        ("data.clip_seconds=2", False, False),
        ("views.kind=same", False, True),
        ("views.noise=0.001", False, False),
        ("views.spectrogram=[{name: blur}]", False, False),
        ("data.synth.delta=0.1", True, False),
        ("data.synth.delta=0", True, True),
    ],
)
def test_views_that_are_the_same_samples_are_warned_of(change, rendered, equal, recwarn):
    warn_of_equal_views(recipes.load("synth-small", ["data.clip_seconds=1.0", change]), rendered)
    assert [str(one.message).startswith("synth-small makes two views") for one in recwarn] == [True] * equal
