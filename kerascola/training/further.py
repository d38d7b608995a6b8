"""Pre-training that begins at the weights of a trained file, as on recordings of one's own."""

import dataclasses
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import keras

from kerascola.augment.running import Standardise
from kerascola.dsp.log_mel import LogMel
from kerascola.errors import RecipeError
from kerascola.models.embedder import load_embedder, metadata_of, parts
from kerascola.models.pretrainer import Pretrainer
from kerascola.recipes.schema import Recipe
from kerascola.training.run import Run

ORIGIN = "start.json"


def begin_from(model: str, recipe: Recipe, pretrainer: Pretrainer) -> None:
    """Its encoders take the file's weights; the objective's own begin anew."""
    if any(features and features.trainable_variables for features in (pretrainer.features, pretrainer.other_features)):
        raise RecipeError(
            f"{recipe.name} learns its front end {recipe.frontend.name}, of which {model} holds the filters, not what "
            "they were made of: it cannot be trained further. A run can, by --resume"
        )
    given = [encoder for _, encoder in parts(load_embedder(model)[0])]
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


def shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]


def told(encoders: list[keras.Model]) -> str:
    return " and ".join(f"{encoder.count_params():,}" for encoder in encoders)


def check_front_end(model: str, recipe: Recipe) -> None:
    """The weights mean what they were trained on. Of two towers the file does not say; shapes of weights must do."""
    theirs, mine = metadata_of(model).frontend, dataclasses.asdict(recipe.frontend)
    free = {"mean", "deviation"} if recipe.views.standardise else set()
    for name in sorted(mine.keys() - free) if theirs else ():
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
    if isinstance(mine, LogMel) and theirs:
        mean = (theirs["mean"] - mine.mean) / mine.deviation
        deviation = theirs["deviation"] / mine.deviation
        layer.fix(mean, deviation)


def note_origin(model: str | None, run: Run) -> None:
    """A run is of the file that it began with, which it needs until its first checkpoint."""
    file = run.path / ORIGIN
    now = None if model is None else {"model": model, "sha256": sha256(Path(model).read_bytes()).hexdigest()}
    if not file.exists():
        if now and run.step:
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
