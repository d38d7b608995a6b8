"""Pre-training that begins at a trained file's weights: nothing is lost on the way, what does not fit is refused."""

import json

import keras
import numpy as np
import pytest
from models_for_tests import few_blocks

from kerascola.cli import main
from kerascola.errors import RecipeError
from kerascola.models.embedder import load_embedder, save_embedder
from kerascola.training.assembly import build, shipped
from kerascola.training.further import ORIGIN, begin_from, note_origin
from kerascola.training.run import Run

SOUND = np.random.default_rng(0).normal(0, 0.1, (2, 4000)).astype("float32")


def changed(recipe, **sections):
    """The recipe with other values, as in objective={"name": "byol"}."""
    tree = recipe.model_dump()
    for name, values in sections.items():
        tree[name] = values if "name" in values else {**tree[name], **values}
    return type(recipe).model_validate(tree)


def embedding(model: keras.Model) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(SOUND))


def written(recipe, path, statistics: tuple[float, float] | None = None) -> np.ndarray:
    """An embedder whose weights no initialiser would give, as a file; what it says of SOUND."""
    pretrainer, metadata = build(changed(recipe, train={"seed": 7}), steps_per_epoch=1)
    rng = np.random.default_rng(3)
    for weight in pretrainer.encoder.weights:
        weight.assign(weight + 0.1 * rng.random(weight.shape).astype("float32"))
    if statistics:
        pretrainer.standardise.build(None)
        pretrainer.standardise.fix(*statistics)
    model, metadata = shipped(recipe, pretrainer, metadata)
    save_embedder(model, metadata, path)
    return embedding(model)


@pytest.mark.parametrize("standardise", [False, True])
def test_it_begins_as_the_file_was(recipe, standardise, tmp_path):
    recipe = changed(recipe, views={"standardise": standardise})
    before = written(recipe, tmp_path / "model.keras", (-1.5, 2.5) if standardise else None)
    pretrainer, metadata = build(recipe, steps_per_epoch=1)
    if standardise:
        pretrainer.standardise.build(None)
    assert np.abs(embedding(shipped(recipe, pretrainer, metadata)[0]) - before).max() > 1e-2
    begin_from(str(tmp_path / "model.keras"), recipe, pretrainer, metadata)
    np.testing.assert_allclose(embedding(shipped(recipe, pretrainer, metadata)[0]), before, rtol=1e-4, atol=1e-5)


def test_statistics_stay_those_of_the_file(recipe):
    pretrainer, _ = build(changed(recipe, views={"standardise": True}), steps_per_epoch=1)
    layer = pretrainer.standardise
    layer.build(None)
    layer.fix(-1.5, 2.5)
    for _ in range(3):
        layer(np.full((2, 4, 4), 50.0, "float32"), training=True)
    made = keras.ops.convert_to_numpy(layer(np.array([-1.5, 1.0, 3.5], "float32")))
    np.testing.assert_allclose(made, [0, 1, 2], atol=1e-5)


def test_a_target_begins_where_its_encoder_does(recipe, tmp_path):
    written(recipe, tmp_path / "model.keras")
    byol = changed(recipe, objective={"name": "byol", "hidden": [8], "dimension": 4})
    pretrainer, metadata = build(byol, steps_per_epoch=1)
    begin_from(str(tmp_path / "model.keras"), byol, pretrainer, metadata)
    for online, target in zip(pretrainer.encoder.get_weights(), pretrainer.target.get_weights(), strict=True):
        np.testing.assert_array_equal(online, target)
    trained = load_embedder(tmp_path / "model.keras")[0].get_layer("encoder").get_weights()
    np.testing.assert_array_equal(pretrainer.target.get_weights()[0], trained[0])


@pytest.mark.once("shapes and a dict are compared")
@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"encoder": {"filters": 6}}, r"its encoder is not the one that .* builds: [\d,]+ weights, [\d,]+ expected"),
        (
            {"frontend": {"name": "sincnet", "filters": 32}},
            "learns its front end sincnet, of which .* cannot be trained",
        ),
        ({"frontend": {"low_hz": 20.0}}, r"trained on features of frontend.low_hz=60.0, and .* has 20.0"),
    ],
    ids=["encoder", "learnt", "front end"],
)
def test_what_does_not_fit_is_refused(recipe, sections, said, tmp_path):
    written(recipe, tmp_path / "model.keras")
    recipe = changed(recipe, **{"views": {"spectrogram": []}, **sections})
    with pytest.raises(RecipeError, match=said):
        begin_from(str(tmp_path / "model.keras"), recipe, *build(recipe, steps_per_epoch=1))


@pytest.mark.once("embeddings are compared")
def test_what_has_no_weights_is_missed_too(recipe, tmp_path):
    def pooled(by):
        return changed(recipe, frontend={"mels": 64}, encoder={"name": "resnet", "width": 4, "pool": by})

    with few_blocks():
        written(pooled("max"), tmp_path / "model.keras")
        with pytest.raises(RecipeError, match=r"give embeddings that are \d+% apart.*encoder.pool"):
            begin_from(str(tmp_path / "model.keras"), pooled("mean"), *build(pooled("mean"), steps_per_epoch=1))


@pytest.mark.once("files are compared")
def test_a_run_goes_on_from_what_it_began_with(recipe, tmp_path):
    (tmp_path / "a.keras").write_bytes(b"a")
    (tmp_path / "b.keras").write_bytes(b"b")
    a, b, run = str(tmp_path / "a.keras"), str(tmp_path / "b.keras"), Run(tmp_path / "run")
    note_origin(a, run)
    note_origin(a, run)
    with pytest.raises(RecipeError, match=r"was started --from .*a\.keras, and .*b\.keras is another"):
        note_origin(b, run)
    with pytest.raises(RecipeError, match=r"and nothing is another: give that again"):
        note_origin(None, run)
    run.step = 1
    note_origin(None, run)
    other = Run(tmp_path / "other")
    note_origin(None, other)
    assert not (other.path / ORIGIN).exists()
    other.step = 1
    with pytest.raises(RecipeError, match="was started without --from"):
        note_origin(a, other)
    third = Run(tmp_path / "third")
    third.path.mkdir()
    (third.path / "recipe.yaml").touch()  # begun without, and stopped before its first checkpoint
    with pytest.raises(RecipeError, match="was started without --from"):
        note_origin(a, third)


def test_a_command_trains_further(place, recipe, tmp_path, capsys):
    """At a learning rate of next to nothing the weights are those that it began with."""
    written(recipe, tmp_path / "model.keras")
    run = tmp_path / "run"
    still = "optimizer.learning_rate=1e-12", "train.epochs=1", "train.steps_per_epoch=1"
    where = ["--data", str(place / "sounds"), "--run", str(run), "--from", str(tmp_path / "model.keras")]
    assert main(["pretrain", str(place / "tiny.yaml"), *where, *(f"--set={change}" for change in still)]) == 0
    assert json.loads((run / ORIGIN).read_text())["model"] == str(tmp_path / "model.keras")
    written(changed(recipe, encoder={"filters": 6}), tmp_path / "other.keras")
    again = [*where[:-1], str(tmp_path / "other.keras"), *(f"--set={change}" for change in still), "--resume"]
    assert main(["pretrain", str(place / "tiny.yaml"), *again]) == 1
    assert "other.keras is another" in capsys.readouterr().err
    before, after = (
        load_embedder(path)[0].get_layer("encoder") for path in (tmp_path / "model.keras", run / "model.keras")
    )
    for old, new in zip(before.trainable_variables, after.trainable_variables, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(new), keras.ops.convert_to_numpy(old), atol=1e-6)
