import dataclasses
from pathlib import Path

import pytest
import yaml

from kerascola import recipes
from kerascola.dsp.log_mel import LogMel
from kerascola.errors import RecipeError
from kerascola.recipes.schema import Recipe

pytestmark = pytest.mark.once("texts are read, nothing is run")


@pytest.fixture
def write(tmp_path):
    """Writes a recipe file, returns its path as text."""

    def to(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return to


def refusal(recipe: str, changes: list[str] | None = None) -> str:
    with pytest.raises(RecipeError) as error:
        recipes.load(recipe, changes)
    return str(error.value)


def test_every_recipe_loads_and_comes_back_from_its_own_yaml(write):
    assert {"cola", "cola-convnext-tiny", "cola-fma", "uclser20-vgg", "clar-1d", "demo"} <= set(recipes.names())
    for name in recipes.names():
        recipe = recipes.load(name)
        assert recipe.name == name and recipe.about
        assert "kerascola" in recipes.text(name)  # the command that runs it
        assert recipes.load(write(recipe.to_yaml(), "resolved.yaml")) == recipe


def test_cola_is_the_published_one():
    cola = recipes.load("cola")
    assert cola.frontend == LogMel(window=400, hop=160, fft=1024, mels=64, low_hz=60.0, high_hz=7800.0)
    assert (cola.objective.similarity, cola.objective.dimension, cola.encoder.pool) == ("bilinear", 512, "max")
    assert (cola.optimizer.learning_rate, cola.train.batch_size, cola.views.noise) == (1e-3, 64, 1e-3)
    assert (cola.crop_samples, cola.clip_samples) == (16000, 160000)


def test_a_base_gives_everything_that_is_not_said(write):
    changed = recipes.load(write("base: cola\nfrontend: {mels: 80}\ntrain: {seed: 7}"))
    cola = recipes.load("cola")
    assert changed == cola.model_copy(
        update={
            "name": "mine",
            "frontend": dataclasses.replace(cola.frontend, mels=80),
            "train": cola.train.model_copy(update={"seed": 7}),
        }
    )


def test_bases_in_a_row_nearest_wins(write, tmp_path, monkeypatch):
    write("base: demo\ntrain: {epochs: 3, seed: 1}\nviews: {noise: 0.5}", "far.yaml")
    write("base: ../far.yaml\ntrain: {epochs: 4}", "folder/near.yaml")
    path = write("base: folder/near.yaml\ntrain: {batch_size: 8}")
    recipe = recipes.load(path)
    assert (recipe.name, recipe.train.epochs, recipe.train.seed, recipe.train.batch_size) == ("mine", 4, 1, 8)
    assert (recipe.views.noise, recipe.encoder.width, recipe.objective.similarity) == (0.5, 0.25, "dot")
    monkeypatch.chdir(tmp_path)
    assert recipes.load("mine.yaml") == recipe


def test_merging_leaves_the_base_alone():
    base, over = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}, {"a": {"c": {"f": 4}}, "e": {"g": 5}}
    assert recipes.merge(base, over) == {"a": {"b": 1, "c": {"d": 2, "f": 4}}, "e": {"g": 5}}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}


@pytest.mark.parametrize("first, second", [("a.yaml", "b.yaml"), ("x/a.yaml", "../y/b.yaml"), ("a.yaml", "./a.yaml")])
def test_circles_are_refused(write, first, second):
    path = write(f"base: {second}", first)
    if Path(second).name != Path(first).name:
        folder = Path(first).parent
        write(f"base: {'../' if folder.name else ''}{first}", (folder / second).as_posix().replace("x/../", ""))
    message = refusal(path)
    assert "each other's base" in message and " -> " in message


def test_every_error_at_once_each_with_its_path(write):
    path = write("train: {batch_size: 1, epochs: many}\nencoder: {pool: median}\nfrontend: {mels: few}\nviews: 3")
    lines = refusal(path).splitlines()
    assert lines[0] == f"{path}: 5 errors in the recipe"
    for start in ("  train.batch_size: ", "  train.epochs: ", "  encoder.pool: ", "  frontend.mels: ", "  views: "):
        assert sum(line.startswith(start) for line in lines) == 1, start
    assert "'many'" in refusal(path) and "'median'" in refusal(path)


@pytest.mark.parametrize(
    "text, where, meant",
    [
        ("encodr: {}", "encodr", "encoder"),
        ("train: {batchsize: 8}", "train.batchsize", "batch_size"),
        ("frontend: {mel: 64}", "frontend.mel", "mels"),
        ("train: {early_stopping: {patient: 3}}", "train.early_stopping.patient", "patience"),
    ],
)
def test_unknown_keys_name_the_nearest(write, text, where, meant):
    message = refusal(write(text))
    assert f"  {where}: unknown key; did you mean '{meant}'? Known: " in message


def test_unknown_keys_like_no_other_list_what_is_known(write):
    message = refusal(write("objective: {zzz: 1}"))
    assert "objective.zzz: unknown key. Known: name, similarity, dimension, temperature" in message


@pytest.mark.parametrize(
    "text, message",
    [
        ("frontend: {window: 100}", "  frontend: expected 0 < hop <= window <= fft, received hop 160, window 100"),
        ("frontend: {high_hz: 9000}", "  frontend: expected 0 <= low_hz < high_hz <= sample_rate / 2 = 8000"),
        ("frontend: {mels: 500}", "  frontend: 500 mels leave bands without a single bin"),
        ("views: {crop_seconds: 20}", "expected views.crop_seconds <= data.clip_seconds, received 20 > 10"),
        ("data: {clip_seconds: .inf}", "  data.clip_seconds: Input should be a finite number"),
        ("train: {seed: 4294967296}", "  train.seed: Input should be less than 4294967296"),  # Keras takes no more
        ("train: {early_stopping: {}}", "  train.early_stopping.patience: Field required"),
        ("train: {early_stopping: {patience: 0}}", "  train.early_stopping.patience: Input should be greater"),
        ("train: {precision: float64}", "  train.precision: Input should be 'float32', 'bfloat16' or 'float16'"),
        ("encoder: [1]", "  encoder: Input should be a valid dictionary"),
        ("1: 2", "  1: Keys should be strings"),
        ("- 1", "expected sections such as `encoder:`, received list"),
        ("a: [", "is not YAML"),
        ("base: colla", "unknown recipe 'colla'; did you mean 'cola'?"),
        ("base: gone.yaml", "gone.yaml: no such recipe file"),
    ],
)
def test_what_does_not_fit_is_said(write, text, message):
    assert message in refusal(write(text))


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00\xd8")
    assert "x.yaml is not YAML" in refusal(str(tmp_path / "x.yaml"))


def test_unknown_names_list_all():
    message = refusal("coladot")
    assert "unknown recipe 'coladot'; did you mean 'cola-dot'?" in message
    assert all(name in message for name in recipes.names())


def test_an_empty_file_is_the_defaults(write):
    assert recipes.load(write("")) == Recipe(name="mine")


def test_changes_are_yaml_and_the_last_wins():
    recipe = recipes.load(
        "cola",
        ["optimizer.learning_rate=1e-4", "train.epochs=3", "train.epochs=5", "encoder={width: 0.5}", "about=a=b, c"],
    )
    assert (recipe.optimizer.learning_rate, recipe.train.epochs, recipe.about) == (1e-4, 5, "a=b, c")
    assert (recipe.encoder.width, recipe.encoder.pool, recipe.train.batch_size) == (0.5, "max", 64)
    assert recipes.load("cola", ["train.steps_per_epoch=null"]).train.steps_per_epoch is None
    assert recipes.load("cola", ["train.early_stopping.patience=3"]).train.early_stopping.monitor == "loss"


@pytest.mark.parametrize(
    "change, message",
    [
        ("train.epochs", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("train.epochs=[1", "the value is not YAML"),
        ("train.epochs=[1, 2]", "train.epochs: Input should be a valid integer. Received [1, 2]"),
        ("train.epochs.more=1", "train.epochs: Input should be a valid integer. Received {'more': 1}"),
        ("trian.epochs=1", "trian: unknown key; did you mean 'train'?"),
        ("train.epoch=1", "train.epoch: unknown key; did you mean 'epochs'?"),
    ],
)
def test_changes_that_do_not_fit(change, message):
    assert message in refusal("cola", [change])


def test_recipes_cannot_be_changed_behind_ones_back():
    with pytest.raises(ValueError, match="frozen"):
        recipes.load("cola").train.epochs = 3


def test_written_recipes_are_plain_yaml():
    tree = yaml.safe_load(recipes.load("cola").to_yaml())
    assert tree["frontend"]["floor"] == 1e-5 and tree["train"]["steps_per_epoch"] is None


def test_augmentations_are_listed_by_name(write):
    views = recipes.load(
        write(
            "base: cola\nviews:\n  waveform: [{name: fade}, {name: gain, db: [-3, 3]}]\n  spectrogram: [{name: blur}]"
        )
    ).views
    assert [augmentation.name for augmentation in views.waveform] == ["fade", "gain"]
    assert views.waveform[1].db == (-3.0, 3.0) and views.spectrogram[0].reach == 2


@pytest.mark.parametrize(
    "change, said",
    [
        ("views.waveform=[{name: gane}]", "views.waveform.0: unknown views.waveform 'gane'; did you mean 'gain'?"),
        ("views.waveform=[{name: gain, bd: [0, 1]}]", "views.waveform.0.bd: unknown key; did you mean 'db'?"),
        (
            "views.waveform=[{name: fade}, {name: gain, db: [1, 0]}]",
            "views.waveform.1: expected db [from, to] with -100",
        ),
        (
            "views.waveform=[{name: gain, db: loud}]",
            "views.waveform.0.db: Input should be a valid tuple. Received 'loud'",
        ),
        ("views.waveform=[{name: gain, probability: 2}]", "expected probability from 0 to 1, received 2"),
        ("views.waveform=[{name: blur}]", "views.waveform.0: blur is not for a waveform: move it to views.spectrogram"),
        (
            "views.spectrogram=[{name: mix}]",
            "views.spectrogram.0: mix is not for a spectrogram: move it to views.waveform",
        ),
        (
            "views.waveform=[{name: low_pass, hz: [100, 9000]}]",
            "views.waveform.0.low_pass: expected hz [from, to] with 1",
        ),
        ("views.spectrogram=[{name: spec_augment, frames: 99}]", "0.spec_augment: expected frames from 0 to 98"),
        ("views.kind=near", "expected distance_seconds with `kind: near`"),
        ("views.distance_seconds=1", "expected distance_seconds with `kind: near` and only there, received 1.0"),
    ],
)
def test_augmentations_that_cannot_be_are_refused_when_the_recipe_is_read(change, said):
    assert said in refusal("cola", [change])


def test_a_front_end_without_spectrograms_has_none_to_augment():
    changes = ["frontend={name: waveform}", "views.spectrogram=[{name: blur}]"]
    assert "the front end waveform makes no spectrograms. Expected none here, received blur" in refusal("cola", changes)
    assert "views.standardise: expected the front end log_mel" in refusal(
        "cola", [changes[0], "views.standardise=true"]
    )
    assert "mix_back mixes powers" in refusal(
        "cola", ["frontend={name: spectra}", "views.spectrogram=[{name: mix_back}]"]
    )


@pytest.mark.parametrize(
    "changes, said",
    [
        (["train.cached_batch=100"], "expected cached_batch to be a multiple of batch_size 64, received 100"),
        (
            ["train.cached_batch=128", "objective={name: byol}"],
            "train.cached_batch: the objective byol compares a clip",
        ),
        (["objective={name: bjol}"], "objective: unknown objective 'bjol'; did you mean 'byol'? Expected one of: cola"),
        (["objective={name: byol, momentun: 1}"], "objective.momentun: unknown key; did you mean 'momentum'? Known: "),
        (["objective={name: classify, x: 1}"], "objective.x: unknown key. Known: name"),
        (["objective={name: clar, classes: 3}"], "objective.classes: unknown key. Known: name, variant, temperature"),
        (["data.labelled=1.5"], "data.labelled: Input should be less than or equal to 1"),
        (["train.checkpoint_minutes=-1"], "train.checkpoint_minutes: Input should be greater than or equal to 0"),
    ],
)
def test_training_that_cannot_be_is_refused(changes, said):
    assert said in refusal("cola", changes)


def test_objectives_are_chosen_by_name():
    for name in ("cola", "nt_xent", "supcon", "clar", "classify", "byol", "vicreg", "alignment_uniformity"):
        assert recipes.load("cola", [f"objective={{name: {name}}}"]).objective.name == name
    assert recipes.load("cola", ["train.cached_batch=128"]).train.cached_batch == 128


def test_what_goes_with_no_sketch_and_no_axes_is_said():
    assert "sketch: expected neither a second encoder nor train.cached_batch" in refusal("clar", ["sketch.weight=1"])
    assert "sketch: expected neither" in refusal("cola", ["sketch.weight=1", "train.cached_batch=128"])
    assert "received 98 x 64" in refusal("cola", ["sketch.frames=99"])
    assert "axes: expected no second encoder" in refusal("clar", ["axes=4"])
