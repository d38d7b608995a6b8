"""What fine-tuning starts from: a pre-trained file, or a recipe's parts at random weights."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from pydantic import TypeAdapter

from kerascola import recipes
from kerascola.augment.augmentation import Sound
from kerascola.augment.mixup import Mixup
from kerascola.augment.views import Views
from kerascola.errors import RecipeError
from kerascola.frontends.frontend import level
from kerascola.models.classifier import Classifier
from kerascola.models.embedder import embedder, load_embedder, metadata_of, split
from kerascola.recipes.schema import Recipe, check_chains
from kerascola.recipes.sections import FrontEnd
from kerascola.runtime.metadata import Metadata
from kerascola.training.assembly import build, shipped

RECIPE = "recipe.yaml"  # beside the model that a run left
DEFAULT = "cola"  # whose `finetune` is followed where nothing else is known


@dataclasses.dataclass(frozen=True)
class Start:
    features: keras.Model  # of a waveform of any level
    encoder: keras.Model
    metadata: Metadata
    ship: Callable[[Classifier], tuple[keras.Model, Metadata]]  # the embedder at the weights that it has then
    standardise: bool = False


# What a run's recipe says of its own recordings, and of its own fine-tuning, is not meant for those that come.
AFRESH = ["data.label=label", "data.multi_label=false", "data.labelled=1", "data.split=null", "finetune.frozen=false"]


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
    beside, made_by = Path(model).with_name(RECIPE), metadata_of(model).recipe
    known = made_by if made_by in recipes.names() else DEFAULT
    return recipes.load(recipe or (str(beside) if beside.is_file() else known), [*AFRESH, *changes])


def rate_of(model: str, recipe: Recipe) -> int:
    return metadata_of(model).sample_rate if is_file(model) else recipe.frontend.sample_rate


def start_from(model: str, recipe: Recipe) -> Start:
    if not is_file(model):
        return of_recipe(recipe)
    return of_model(load_embedder(model)[0], metadata_of(model))


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
    """At weights by the seed of the fine-tuning, in float32."""
    seed = recipe.finetune.train.seed
    section = recipe.train.model_copy(update={"seed": seed, "precision": "float32"})
    recipe = recipe.model_copy(update={"train": section})
    pretrainer, metadata = build(recipe, steps_per_epoch=1)
    if recipe.second is not None:
        return of_model(*shipped(recipe, pretrainer, metadata))
    sound, learnt = keras.Input((None,), dtype="float32", name="waveform"), pretrainer.features
    return Start(
        keras.Model(sound, learnt(level(sound, recipe.frontend))),
        pretrainer.encoder,
        metadata,
        lambda classifier: shipped(recipe, classifier, metadata, learnt),
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
