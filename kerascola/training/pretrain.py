"""From a recipe and a folder of recordings to `model.keras`."""

import dataclasses
import functools
from pathlib import Path

import keras

import kerascola
from kerascola.augment.running import statistics
from kerascola.data.folder import Folder
from kerascola.data.pipeline import Batches, collate
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders import build as encoders
from kerascola.errors import RecipeError
from kerascola.frontends.frontend import clip_level, features, frontend
from kerascola.models.embedder import embedder, save_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.cola import Cola
from kerascola.recipes.schema import Recipe
from kerascola.runtime.metadata import Metadata
from kerascola.training.callbacks import Checkpoint, ProgressBar
from kerascola.training.optimizers import optimizer
from kerascola.training.run import Run
from kerascola.training.swap import faster


def build(recipe: Recipe, steps_per_epoch: int) -> tuple[Pretrainer, Metadata]:
    """The compiled pre-trainer round the recipe's parts, and what the embedder's file will say of itself."""
    keras.utils.set_random_seed(recipe.train.seed)
    spec, options = recipe.frontend, recipe.encoder.model_dump(exclude={"name"})
    encoder, frames = encoders.build(recipe.encoder.name, spec.shape, **options)
    least = spec.samples(frames)
    if recipe.crop_samples < least:
        raise RecipeError(
            f"{recipe.name}: expected views.crop_seconds >= {least / spec.sample_rate:g}, the {frames} frames that "
            f"the encoder needs; received {recipe.views.crop_seconds:g}"
        )
    pretrainer = Pretrainer(
        features(spec),
        encoder,
        Cola(**recipe.objective.model_dump(exclude={"name"})),
        recipe.augmented_views(),
        recipe.train.seed,
        level=functools.partial(clip_level, spec=spec),
        standardise=recipe.views.standardise,
        name="pretrainer",
    )
    pretrainer.compile(optimizer(recipe.optimizer, recipe.schedule, steps_per_epoch, recipe.train.epochs))
    metadata = Metadata(
        sample_rate=spec.sample_rate,
        window_samples=recipe.crop_samples,
        hop_samples=recipe.crop_samples,
        min_samples=least,
        dimension=int(encoder.output.shape[-1]),
        recipe=recipe.name,
        frontend=dataclasses.asdict(spec),
        versions={
            "kerascola": kerascola.__version__,
            "keras": keras.__version__,
            "trained on": keras.backend.backend(),
        },
    )
    return pretrainer, metadata


def shipped(recipe: Recipe, pretrainer: Pretrainer, metadata: Metadata) -> tuple[keras.Model, Metadata]:
    """The embedder at the pre-trainer's present weights, of plain Keras layers, and what its file says of itself."""
    spec, learnt = recipe.frontend, pretrainer.features
    if pretrainer.standardise is not None and isinstance(spec, LogMel):
        spec = spec.standardised(*statistics(pretrainer.standardise))
        learnt = features(spec)
    metadata = dataclasses.replace(metadata, frontend=dataclasses.asdict(spec))
    return embedder(frontend(spec, learnt), pretrainer.encoder), metadata


def pretrain(recipe: Recipe, data: str | Path, run: Run, resume: bool = False) -> Path:
    """Returns the path of the trained embedder. Killed and started again with `resume`, the losses are the same."""
    run.open(recipe, resume)
    folder = Folder(data, recipe.frontend.sample_rate, recipe.data.unreadable)
    sizes = (recipe.train.batch_size, recipe.clip_samples)
    batches = Batches(folder, *sizes, recipe.augmented_views(), seed=recipe.train.seed)
    steps = recipe.train.steps_per_epoch or batches.steps_per_pass
    pretrainer, metadata = build(recipe, steps)
    run.begin(recipe, len(folder))
    pretrainer(collate([batches.example(*key) for key in batches.keys(0)[:2]]))  # builds every weight
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    run.restore(pretrainer)

    progress = ProgressBar(recipe.train.epochs, steps, run.epoch)
    # The bar is closed also where it is interrupted: one that is not keeps the terminal's cursor.
    with progress.bar, faster(pretrainer.encoder):
        pretrainer.fit(
            batches.from_step(run.epoch * steps),
            epochs=recipe.train.epochs,
            initial_epoch=run.epoch,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[Checkpoint(run), progress],
        )
    # `fit` leaves the weights' average in place where the recipe keeps one; the checkpoints go on from the weights.
    return save_embedder(*shipped(recipe, pretrainer, metadata), run.model)
