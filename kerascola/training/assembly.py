"""From a recipe's parts to the pre-trainer, and from the pre-trainer to what is shipped."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras

import kerascola
from kerascola.augment.running import statistics
from kerascola.data.synthesised import rendered
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders import build as encoders_by_name
from kerascola.encoders.axes import with_axes
from kerascola.errors import RecipeError
from kerascola.frontends.frontend import clip_level, features, frontend, level
from kerascola.models.embedder import embedder, side_by_side
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives import build as objectives
from kerascola.objectives.sketch import Sketch
from kerascola.recipes.schema import Recipe, Tower
from kerascola.runtime.metadata import Metadata
from kerascola.training.optimizers import optimizer


def build(recipe: Recipe, steps_per_epoch: int, classes: int = 1) -> tuple[Pretrainer, Metadata]:
    """The compiled pre-trainer round the recipe's parts, and what the embedder's file will say of itself."""
    keras.utils.set_random_seed(recipe.train.seed)
    towers = [tower for tower in (recipe, recipe.second) if tower]
    learnt = [features(tower.frontend) for tower in towers]
    with precision(recipe.train.precision):
        encoders, least = zip(*(encoder_of(tower, bool(recipe.axes)) for tower in towers), strict=True)
        rate = recipe.frontend.sample_rate
        if recipe.crop_samples < max(least):
            raise RecipeError(
                f"{recipe.name}: expected views.crop_seconds >= {max(least) / rate:g}, the least that the encoder "
                f"needs; received {recipe.views.crop_seconds:g}"
            )
        pretrainer = Pretrainer(
            learnt[0],
            encoders[0],
            objectives.build(
                recipe.objective.name, classes, recipe.data.multi_label, **recipe.objective.model_dump(exclude={"name"})
            ),
            recipe.augmented_views(),
            recipe.train.seed,
            **{f"{recipe.views.level}_level": level_of(recipe)},
            second=(learnt[1], encoders[1]) if recipe.second else None,
            standardise=recipe.views.standardise,
            render=functools.partial(rendered, samples=recipe.clip_samples, rate=rate),
            sketch=sketch_of(recipe),
            name="pretrainer",
        )
        pretrainer.compile(optimizer(recipe.optimizer, recipe.schedule, steps_per_epoch, recipe.train.epochs))
    dimensions = [int(encoder.output.shape[-1]) for encoder in encoders]
    if len(set(dimensions)) > 1:
        raise RecipeError(f"second: expected an encoder of the first one's {dimensions[0]} dimensions: {dimensions[1]}")
    heard = (recipe.axes or 0) * (recipe.train.cached_batch or recipe.train.batch_size) * recipe.views.count
    if recipe.axes and heard <= dimensions[0]:
        raise RecipeError(
            f"axes: expected batches of more than {dimensions[0]} embeddings, the numbers of one; {recipe.axes} give "
            f"{heard}"
        )
    metadata = Metadata(
        sample_rate=rate,
        window_samples=recipe.crop_samples,
        hop_samples=recipe.crop_samples,
        min_samples=max(least),
        dimension=sum(dimensions),
        recipe=recipe.name,
        frontend=dataclasses.asdict(recipe.frontend) if recipe.second is None else {},
        versions={
            "kerascola": kerascola.__version__,
            "keras": keras.__version__,
            "trained on": keras.backend.backend(),
        },
    )
    return pretrainer, metadata


def sketch_of(recipe: Recipe) -> tuple[Sketch, float] | None:
    """And its weight in the loss."""
    asked = recipe.sketch
    return (Sketch(asked.frames, asked.bands), asked.weight) if asked else None


@contextmanager
def precision(name: str) -> Iterator[None]:
    """What is built inside computes in this precision, and keeps its weights in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name if name == "float32" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def encoder_of(tower: Recipe | Tower, axes: bool) -> tuple[keras.Model, int]:
    """The encoder, with a layer for the axes if it has such, and the least number of samples that it needs."""
    options = tower.encoder.model_dump(exclude={"name"})
    encoder, frames = encoders_by_name.build(tower.encoder.name, tower.frontend.shape, **options)
    return with_axes(encoder) if axes else encoder, tower.frontend.samples(frames)


def level_of(recipe: Recipe) -> Callable:
    """What brings clips, or crops, to the front end's level."""
    return functools.partial(clip_level if recipe.views.level == "clip" else level, spec=recipe.frontend)


def shipped(
    recipe: Recipe, pretrainer: Pretrainer, metadata: Metadata, learnt: keras.Model | None = None
) -> tuple[keras.Model, Metadata]:
    """The embedder at the pre-trainer's present weights, of plain Keras layers, and what its file says of itself.

    `learnt` are the features of a waveform at its level, where the pre-trainer's take it from any.
    """
    if recipe.second is not None:
        return side_by_side([model for model, _ in towers_shipped(recipe, pretrainer, metadata).values()]), metadata
    spec, learnt = recipe.frontend, learnt or pretrainer.features
    if pretrainer.standardise is not None and isinstance(spec, LogMel):
        spec = spec.standardised(*statistics(pretrainer.standardise))
        learnt = features(spec)
    metadata = dataclasses.replace(metadata, frontend=dataclasses.asdict(spec))
    return embedder(frontend(spec, learnt), exact(recipe, recipe, pretrainer.encoder)), metadata


def towers_shipped(
    recipe: Recipe, pretrainer: Pretrainer, metadata: Metadata
) -> dict[str, tuple[keras.Model, Metadata]]:
    """Of a recipe with two encoders each by itself, by the name of its front end."""
    if recipe.second is None:
        return {}
    parts = (
        (recipe, pretrainer.features, pretrainer.encoder),
        (recipe.second, pretrainer.other_features, pretrainer.other_encoder),
    )
    made: dict[str, tuple[keras.Model, Metadata]] = {}
    for tower, learnt, encoder in parts:
        spec = tower.frontend
        model = embedder(frontend(spec, learnt), exact(recipe, tower, encoder), f"{spec.name}_embedder")
        of_one = {"dimension": model.output_shape[-1], "frontend": dataclasses.asdict(spec)}
        made[spec.name] = model, dataclasses.replace(metadata, **of_one)
    return made


def exact(recipe: Recipe, tower: Recipe | Tower, encoder: keras.Model) -> keras.Model:
    """The encoder as it computes in float32."""
    if recipe.train.precision == "float32":
        return encoder
    plain, _ = encoder_of(tower, bool(recipe.axes))
    plain.set_weights(encoder.get_weights())
    return plain
