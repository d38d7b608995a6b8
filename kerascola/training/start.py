"""What fine-tuning starts from: a pre-trained file, or a recipe's parts at random weights."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from pydantic import TypeAdapter

from kerascola import recipes
from kerascola.augment.augmentation import Sound
from kerascola.augment.mixup import Mixup
from kerascola.augment.views import Views
from kerascola.errors import ModelError, RecipeError
from kerascola.frontends.frontend import level
from kerascola.models.classifier import Classifier
from kerascola.models.embedder import embedder, load_embedder, split
from kerascola.models.pretrainer import itself
from kerascola.recipes.schema import Recipe, check_chains
from kerascola.recipes.sections import FrontEnd
from kerascola.runtime.metadata import Metadata
from kerascola.training.assembly import build, shipped

RECIPE = "recipe.yaml"  # beside the model that a run left


@dataclasses.dataclass(frozen=True)
class Start:
    features: keras.Model  # of a waveform at its level, where `crop_level` brings it there, or else of any
    encoder: keras.Model
    metadata: Metadata
    ship: Callable[[Classifier], tuple[keras.Model, Metadata]]  # the embedder at the weights that it has then
    crop_level: Callable = itself
    standardise: bool = False


def is_file(model: str) -> bool:
    return model.endswith(".keras")


def recipe_for(model: str, recipe: str | None, changes: list[str]) -> Recipe:
    """The one that is asked for, or the one that `model` was made by, or the defaults."""
    if not is_file(model):
        if recipe:
            raise RecipeError(f"--recipe goes with a file: {model} is a recipe already")
        return recipes.load(model, changes)
    strange = [change for change in changes if change.partition(".")[0] not in ("data", "finetune")]
    if strange:
        raise RecipeError(
            f"expected keys of finetune and of data: {model} says the rest itself. Received {', '.join(strange)}"
        )
    if recipe:
        return recipes.load(recipe, changes)
    beside = Path(model).with_name(RECIPE)
    if beside.is_file():
        return recipes.load(str(beside), changes)
    name = with_metadata(model)[1].recipe
    return recipes.load(name if name in recipes.names() else "cola", changes)


def rate_of(model: str, recipe: Recipe) -> int:
    return with_metadata(model)[1].sample_rate if is_file(model) else recipe.frontend.sample_rate


def start_from(model: str, recipe: Recipe) -> Start:
    return of_model(*with_metadata(model)) if is_file(model) else of_recipe(recipe)


def with_metadata(path: str) -> tuple[keras.Model, Metadata]:
    model, metadata = load_embedder(path)
    if metadata is None:
        raise ModelError(
            f"{path} says nothing of itself: it was saved again by Keras. Expected the file as `kerascola pretrain` "
            "wrote it"
        )
    return model, metadata


def of_model(model: keras.Model, metadata: Metadata) -> Start:
    """Its front end is never trained. Where it is no `frontend` and `encoder`, all of it is the encoder."""
    parts = split(model)
    if parts is None:
        waveform = keras.Input((None,), dtype="float32", name="waveform")
        return Start(
            keras.Model(waveform, keras.layers.Identity()(waveform)), model, metadata, lambda _: (model, metadata)
        )
    features, encoder = parts
    features.trainable = False
    return Start(features, encoder, metadata, lambda _: (embedder(features, encoder), metadata))


def of_recipe(recipe: Recipe) -> Start:
    pretrainer, metadata = build(recipe, steps_per_epoch=1)
    if recipe.second is not None:
        return of_model(*shipped(recipe, pretrainer, metadata))
    return Start(
        pretrainer.features,
        pretrainer.encoder,
        metadata,
        lambda classifier: shipped(recipe, classifier, metadata),
        functools.partial(level, spec=recipe.frontend),
        recipe.views.standardise,
    )


def views_of(recipe: Recipe, metadata: Metadata) -> Views:
    """One crop of a clip, augmented as the recipe's `finetune` says."""
    section, rate = recipe.finetune, metadata.sample_rate
    crop = round(section.crop_seconds * rate) if section.crop_seconds else metadata.window_samples
    if crop < metadata.min_samples:
        least = metadata.min_samples / rate
        raise RecipeError(f"expected finetune.crop_seconds >= {least:g}, received {section.crop_seconds:g}")
    front: Any = TypeAdapter(FrontEnd).validate_python(metadata.frontend) if metadata.frontend else None
    if section.spectrogram and (front is None or not front.shape):
        raise RecipeError("finetune.spectrogram: the model has no spectrograms. Expected none here")
    views = Views(
        crop_samples=crop,
        count=1,
        waveform=section.waveform,
        spectrogram=section.spectrogram,
        mixup=Mixup(alpha=section.mixup) if section.mixup else None,
        sound=Sound((crop,), rate),
        image=Sound((front.frames(crop), *front.shape[:1]), rate, front.fold) if front else Sound((0, 0), rate),
    )
    try:
        check_chains(views, "finetune")
    except ValueError as error:
        raise RecipeError(str(error)) from error
    return views
