"""Pre-training that begins at the weights of a trained file, as on recordings of one's own."""

import dataclasses
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerascola.augment.running import Standardise
from kerascola.dsp.log_mel import LogMel
from kerascola.errors import RecipeError
from kerascola.models.embedder import load_embedder, metadata_of, parts
from kerascola.models.pretrainer import Pretrainer
from kerascola.recipes.schema import Recipe
from kerascola.runtime.golden import sound
from kerascola.runtime.metadata import Metadata
from kerascola.training.assembly import shipped
from kerascola.training.run import Run

ORIGIN = "start.json"
SAME = 1e-2  # of the largest number: other arithmetic is a thousandth, another pooling a half


def begin_from(model: str, recipe: Recipe, pretrainer: Pretrainer, metadata: Metadata) -> None:
    """Its encoders take the file's weights; the objective's own begin anew. `metadata` is what it would ship with."""
    if any(features and features.trainable_variables for features in (pretrainer.features, pretrainer.other_features)):
        raise RecipeError(
            f"{recipe.name} learns its front end {recipe.frontend.name}, of which {model} holds the filters, not what "
            "they were made of: it cannot be trained further. A run can, by --resume"
        )
    file, _ = load_embedder(model)
    given = [encoder for _, encoder in parts(file)]
    taking = [encoder for encoder in (pretrainer.encoder, pretrainer.other_encoder) if encoder]
    if [shapes(encoder) for encoder in given] != [shapes(encoder) for encoder in taking]:
        raise RecipeError(
            f"{model} was made by the recipe {metadata_of(model).recipe}, and its encoder is not the one that "
            f"{recipe.name} builds: {told(given)} weights, {told(taking)} expected. Take that recipe, or say by --set "
            "what its `encoder` was"
        )
    check_front_end(model, recipe)
    for mine, theirs in zip(taking, given, strict=True):
        mine.set_weights(theirs.get_weights())
    if pretrainer.standardise is not None:
        keep_standard(pretrainer.standardise, model, recipe)
    if pretrainer.target is not None:
        pretrainer.target.set_weights(pretrainer.encoder.get_weights())
    check_whole(model, file, recipe, shipped(recipe, pretrainer, metadata)[0])


def check_whole(model: str, file: keras.Model, recipe: Recipe, whole: keras.Model) -> None:
    """What has no weights, as a pooling, or is of a second tower's front end, shows in what they say of a sound."""
    about = metadata_of(model)
    heard = sound(about.sample_rate, about.window_samples)[None]
    theirs, mine = (keras.ops.convert_to_numpy(each(heard)).astype(np.float64) for each in (file, whole))
    off = np.abs(mine - theirs).max() / np.abs(theirs).max()
    if not off < SAME:
        raise RecipeError(
            f"{model}, made by the recipe {about.recipe}, and {recipe.name} with its weights give embeddings that are "
            f"{off:.0%} apart: something differs that has no weights, as encoder.pool. Take that recipe, or say by "
            "--set what was"
        )


def shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]


def told(encoders: list[keras.Model]) -> str:
    return " and ".join(f"{encoder.count_params():,}" for encoder in encoders)


def check_front_end(model: str, recipe: Recipe) -> None:
    """The weights mean what they were trained on. Of two towers the file does not say."""
    theirs, mine = metadata_of(model).frontend, dataclasses.asdict(recipe.frontend)
    if not theirs:
        return
    free = {"mean", "deviation"} if recipe.views.standardise else set()
    known = ["name"] if theirs.get("name") != mine["name"] else sorted(mine.keys() - free)
    for name in known:
        if plain(theirs.get(name)) != plain(mine[name]):
            raise RecipeError(
                f"{model} was trained on features of frontend.{name}={theirs.get(name)}, and {recipe.name} has "
                f"{mine[name]}: take the recipe that it was made by, or --set frontend.{name}={theirs.get(name)}"
            )


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def keep_standard(layer: Standardise, model: str, recipe: Recipe) -> None:
    """What the encoder gets stays as it was: mean and deviation are those of the file."""
    theirs, mine = metadata_of(model).frontend, recipe.frontend
    if not isinstance(mine, LogMel) or not theirs:
        raise RecipeError(f"views.standardise needs a file that says what its features are, {model} does not")
    layer.fix((theirs["mean"] - mine.mean) / mine.deviation, theirs["deviation"] / mine.deviation)


def note_origin(model: str | None, run: Run) -> None:
    """A run is of the file that it began with, which it needs until its first checkpoint."""
    file = run.path / ORIGIN
    now = None if model is None else {"model": model, "sha256": sha256(Path(model).read_bytes()).hexdigest()}
    if not file.exists():
        if now and (run.step or (run.path / "recipe.yaml").exists()):
            raise RecipeError(f"{run.path} was started without --from: name another folder by --run")
        if now:
            run.path.mkdir(parents=True, exist_ok=True)
            run.replace(file, json.dumps(now, indent=1).encode())
        return
    before = json.loads(file.read_text())
    if (now["sha256"] != before["sha256"]) if now else run.step == 0:
        raise RecipeError(
            f"{run.path} was started --from {before['model']}, and {model or 'nothing'} is another: give that again, "
            "or name another folder by --run"
        )
