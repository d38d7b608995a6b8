"""Classifiers from files and from recipes, on sounds that are told apart by their pitch."""

import csv
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import soundfile
from recipes_for_tests import SMALL

from kerascola import recipes
from kerascola.data.sets import to_finetune
from kerascola.errors import DataError, ModelError, RecipeError
from kerascola.models.embedder import load_embedder, save_embedder
from kerascola.runtime.metadata import Classes
from kerascola.training.assembly import build, shipped
from kerascola.training.finetune import finetune
from kerascola.training.run import Run
from kerascola.training.start import metadata_of, recipe_for, start_from, views_of

RATE, CLIPS = 16000, 24


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """small.yaml, sounds.csv of two classes with splits, and random.keras, an encoder that has learnt nothing."""
    folder = tmp_path_factory.mktemp("finetuning")
    (folder / "small.yaml").write_text(SMALL)
    rng, lines = np.random.default_rng(0), ["path,label,split,group"]
    for number in range(CLIPS):
        high = number % 2
        pitch = rng.uniform(1500, 4000) if high else rng.uniform(150, 600)
        at = np.arange(round(rng.uniform(0.2, 0.9) * RATE)) / RATE  # shorter than a window, and several of them
        soundfile.write(folder / f"{number}.wav", 0.3 * np.sin(2 * np.pi * pitch * at), RATE)
        split = ("train", "train", "valid", "test")[number // 2 % 4]
        lines.append(f"{number}.wav,{'high' if high else 'low'},{split},")
    (folder / "sounds.csv").write_text("\n".join(lines) + "\n")
    recipe = recipes.load(str(folder / "small.yaml"))
    save_embedder(*shipped(recipe, *build(recipe, 1)), folder / "random.keras")
    return folder


def train(folder, run, model="small.yaml", changes=(), resume=False, data="sounds.csv"):
    """With changes to the recipe; returns the run and what was told."""
    start = str(folder / model)
    given = None if model.endswith(".yaml") else str(folder / "small.yaml")
    recipe = recipe_for(start, given, list(changes))
    return run, finetune(start, recipe, to_finetune(recipe, str(folder / data), RATE), run, resume)


@pytest.fixture
def tuned(place, tmp_path):
    """Runs of a test's own."""

    def go(model: str = "small.yaml", changes=(), name="run", **options):
        return train(place, Run(tmp_path / name), model, changes, **options)

    return go


@pytest.fixture(scope="module")
def straight(place):
    """From a recipe, undisturbed."""
    return train(place, Run(place / "straight"))


def embeddings(path, seconds: float = 0.25):
    waveform = np.random.default_rng(3).normal(size=(2, round(seconds * RATE))).astype(np.float32)
    return keras.saving.load_model(path, safe_mode=True).predict_on_batch(waveform)


def test_from_a_file_the_encoder_is_tuned_or_stays(place, tuned):
    before = embeddings(place / "random.keras")
    run, told = tuned("random.keras", ["finetune.frozen=true"])
    np.testing.assert_allclose(embeddings(run.model), before, atol=1e-6)
    learnable = [len(keras.saving.load_model(path).trainable_variables) for path in (run.model, place / "random.keras")]
    assert learnable[0] == learnable[1] > 0, "the next one may train it"
    run, told = tuned("random.keras", name="moved")
    assert np.abs(embeddings(run.model) - before).max() > 0.01
    assert told["test"]["clips"] == told["valid"]["clips"] == 6 and told["test"]["accuracy"] > 0.8
    assert set(run.history[0]) == {"epoch", "loss", "accuracy", "valid_loss", "valid_accuracy"}
    assert run.history[-1]["valid_accuracy"] == told["valid"]["accuracy"]


def test_from_a_recipe_weights_are_random(place, tuned):
    run, told = tuned(
        changes=["finetune.mixup=0.2", "finetune.waveform=[{name: gain}]", "finetune.spectrogram=[{name: blur}]"]
    )
    assert told["test"]["accuracy"] > 0.8
    begun = json.loads((run.path / "start.json").read_text())
    assert (begun["model"], begun["sha256"], begun["classes"]) == (str(place / "small.yaml"), None, ["high", "low"])


@pytest.mark.once("which weights are begun with; that nothing moves them is tested from a file on every backend")
def test_from_a_recipe_a_frozen_encoder_stays_random(place, tuned):
    run, _ = tuned(changes=["finetune.frozen=true", "finetune.train.epochs=1"])
    np.testing.assert_allclose(embeddings(run.model), embeddings(place / "random.keras"), atol=1e-6)


def test_what_it_leaves_is_plain_and_says_the_same(straight):
    run, told = straight
    names = {"model.keras", "head.keras", "results.json", "predictions-test.csv", "predictions-valid.csv", "start.json"}
    assert names <= {path.name for path in run.path.iterdir()}
    assert json.loads((run.path / "results.json").read_text()) == told
    embed, head = (keras.saving.load_model(run.path / name, safe_mode=True) for name in ("model.keras", "head.keras"))
    _, metadata = load_embedder(run.path / "head.keras")
    assert metadata.heads[""].labels == ("high", "low") and metadata.recipe == "small"
    assert (metadata.window_samples, metadata.min_samples) == (4000, 4000)
    with (run.path / "predictions-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["low", "high"] * 3
    for row in rows:
        sound, _ = soundfile.read(row["path"], dtype="float32")
        sound = np.pad(sound, (0, max(0, 4000 - len(sound))))
        starts = [*range(0, len(sound) - 3999, 4000)]
        starts += [len(sound) - 4000] if starts[-1] + 4000 < len(sound) else []
        logits = head.predict_on_batch(embed.predict_on_batch(np.stack([sound[s : s + 4000] for s in starts])))
        mean = logits.astype(np.float64).mean(axis=0)
        expected = np.exp(mean) / np.exp(mean).sum()
        np.testing.assert_allclose([float(row["high"]), float(row["low"])], expected, atol=2e-5)
        assert row["predicted"] == metadata.heads[""].labels[int(mean.argmax())]


def test_stopped_and_resumed_it_ends_the_same(straight, tuned, monkeypatch):
    (undisturbed, expected), own = straight, Run.save

    def once(run, *args):
        own(run, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Run, "save", once)
        tuned(name="stopped")
    again, told = tuned(name="stopped", resume=True)
    assert len(again.history) == 2 and told.keys() == expected.keys()
    for row, other in zip(again.history, undisturbed.history, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


SAID = pytest.mark.once("what is compared before training starts; that it goes on is tested above on every backend")


@SAID
def test_another_start_is_refused(place, tuned):
    tuned("random.keras", ["finetune.train.epochs=1"])
    shutil.copy(place / "random.keras", place / "same.keras")
    model, metadata = load_embedder(place / "random.keras")
    model.set_weights([weight + 1 for weight in model.get_weights()])
    save_embedder(model, metadata, place / "other.keras")
    tuned("same.keras", ["finetune.train.epochs=1"], resume=True)
    with pytest.raises(RecipeError, match=r"was started from .*same.keras, and .*other.keras is another"):
        tuned("other.keras", ["finetune.train.epochs=1"], resume=True)


@SAID
def test_other_recordings_are_refused(place, tuned):
    changes = ["finetune.train.epochs=1"]
    (place / "list.csv").write_text((place / "sounds.csv").read_text())
    run, _ = tuned(changes=changes, data="list.csv")
    (place / "list.csv").write_text((place / "sounds.csv").read_text().replace("2.wav,low,train", "2.wav,low,test"))
    with pytest.raises(DataError, match="was started with other recordings, labels or splits"):
        tuned(changes=changes, data="list.csv", resume=True)
    (run.path / "start.json").unlink()
    with pytest.raises(RecipeError, match="holds a run of another kind"):
        tuned(changes=changes, data="list.csv", resume=True)


@pytest.mark.once("which weights are judged and saved; averages are tested on every backend in test_optimizers.py")
def test_what_is_told_is_of_the_averaged_weights_that_are_left(place, tuned):
    changes = ["finetune.optimizer={name: sgd, learning_rate: 0.3, ema: 0.99}", "finetune.train.epochs=1"]
    run, _ = tuned(changes=changes)
    embed, head = (keras.saving.load_model(run.path / name) for name in ("model.keras", "head.keras"))
    with (run.path / "predictions-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        sound, _ = soundfile.read(row["path"], dtype="float32")
        if len(sound) <= 4000:  # a single window
            logits = head.predict_on_batch(embed.predict_on_batch(np.pad(sound, (0, 4000 - len(sound)))[None]))[0]
            assert float(row["high"]) == pytest.approx(1 / (1 + np.exp(logits[1] - logits[0])), abs=2e-5)


def test_the_seed_of_the_fine_tuning_is_that_of_its_weights(place):
    weights = []
    for seed in (0, 1):
        recipe = recipes.load(str(place / "small.yaml"), [f"finetune.train.seed={seed}", "train.precision=float16"])
        start = start_from("small.yaml", recipe)
        weights.append(start.encoder.get_weights()[0])
        assert {layer.compute_dtype for layer in start.encoder._flatten_layers()} == {"float32"}
    assert np.abs(weights[0] - weights[1]).max() > 0


@pytest.mark.once("which number is compared")
def test_it_stops_by_what_it_is_validated_on(tuned, place):
    stopping = "finetune.train.early_stopping={monitor: valid_accuracy, patience: 1, min_delta: 1}"
    run, _ = tuned(changes=[stopping, "finetune.train.epochs=9", "finetune.train.steps_per_epoch=1"])
    assert len(run.history) == 2
    (place / "plain.csv").write_text("\n".join(["path,label", *(f"{n}.wav,{'ab'[n % 2]}" for n in range(CLIPS))]))
    with pytest.raises(RecipeError, match="monitor=valid_accuracy needs recordings of the split valid"):
        tuned(changes=[stopping], name="plain", data="plain.csv")
    assert not (run.path.parent / "plain").exists()


@pytest.mark.once("which recordings are taken")
def test_few_labels_make_small_batches(tuned):
    with pytest.warns(UserWarning, match="batches of 6: there are no more recordings"):
        run, _ = tuned(changes=["data.labelled=0.5", "finetune.train.epochs=1"])
    assert run.clips == 6


@pytest.mark.once("what is read and told; the loss of several labels is tested on every backend in tests/objectives")
def test_several_labels(tuned, place):
    lines = ["path,label,split"]
    for n in range(CLIPS):
        names = [("low", "high")[n % 2], *(["even"] if n % 4 < 2 else [])]
        lines.append(f"{n}.wav,{';'.join(names)},{'test' if n % 3 == 0 else 'train'}")
    (place / "several.csv").write_text("\n".join(lines))
    run, told = tuned(changes=["data.multi_label=true"], data="several.csv")
    assert told["test"]["mean_average_precision"] > told["test"]["chance"]
    with (run.path / "predictions-test.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"even;low", "even;high", "low", "high"}


@pytest.mark.once("which parts are built; on every backend they are in test_systems.py")
def test_learnt_filters_and_two_towers_and_running_statistics_start_too(place):
    sizes = ["views.crop_seconds=0.25", "data.clip_seconds=0.5"]
    sound = np.random.default_rng(0).normal(size=(2, 4000)).astype(np.float32)
    for name, changes in (
        ("cola-leaf", ["encoder={name: small, filters: 4, dimension: 8}", "views.spectrogram=[]"]),
        (
            "clar",
            ["encoder={name: resnet1d, width: 4}", "second.encoder={name: resnet, width: 4}", "views.waveform=[]"],
        ),
        ("uclser20-vgg", ["encoder={width: 0.1, dimension: 8}", "views.spectrogram=[]"]),
    ):
        recipe = recipes.load(name, [*sizes, *changes])
        start = start_from(name, recipe)
        assert bool(start.features.trainable_variables) == (name == "cola-leaf")
        assert start.standardise == (name == "uclser20-vgg")
        found = [start.encoder.predict_on_batch(start.features.predict_on_batch(x)) for x in (sound, 0.5 * sound)]
        assert found[0].shape == (2, start.metadata.dimension)
        if name == "cola-leaf":
            np.testing.assert_allclose(*found, atol=1e-4)  # a quieter sound is brought to the same level
        assert views_of(recipe, start.metadata).crop_samples == start.metadata.window_samples


def test_which_recipe_is_followed(place, tmp_path):
    shutil.copy(place / "random.keras", tmp_path / "model.keras")
    file = str(tmp_path / "model.keras")
    assert recipe_for(file, None, []).name == "cola"  # its own is no recipe that is known
    assert recipe_for(file, "uclser20-vgg", []).finetune.average == "probabilities"
    (tmp_path / "recipe.yaml").write_text(
        recipes.load(str(place / "small.yaml"), ["finetune.train.epochs=7"]).to_yaml()
    )
    found = recipe_for(file, None, ["finetune.train.seed=3"])
    assert found.finetune.train.epochs == 7
    assert (found.data.labelled, found.data.label, found.finetune.frozen) == (1, "label", False), "not its own run's"
    with pytest.raises(RecipeError, match="expected keys of finetune and of data: .*Received encoder.width=2"):
        recipe_for(file, None, ["encoder.width=2"])
    with pytest.raises(RecipeError, match="--recipe goes with a file: cola is a recipe already"):
        recipe_for("cola", "demo", [])
    keras.saving.load_model(file).save(tmp_path / "bare.keras")
    labelled = dataclasses.replace(metadata_of(file), heads={"": Classes(("a", "b"))})
    save_embedder(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), labelled, tmp_path / "head.keras")
    with pytest.raises(ModelError, match="head.keras is a head, of 2 classes"):
        start_from(str(tmp_path / "head.keras"), recipes.load("cola"))
    with pytest.raises(ModelError, match="bare.keras says nothing of itself"):
        start_from(str(tmp_path / "bare.keras"), recipes.load("cola"))


@pytest.mark.parametrize(
    "changes, said",
    [
        (["finetune.crop_seconds=0.01"], r"expected finetune.crop_seconds >= 0.\d+, received 0.01"),
        (["finetune.spectrogram=[{name: spec_augment, frames: 900}]"], "finetune.spectrogram.0.spec_augment: expected"),
    ],
)
def test_views_that_do_not_fit(place, changes, said):
    recipe = recipes.load(str(place / "small.yaml"), changes)
    with pytest.raises(RecipeError, match=said):
        views_of(recipe, load_embedder(place / "random.keras")[1])
