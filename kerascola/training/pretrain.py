"""From a recipe and a folder of recordings to `model.keras`."""

import dataclasses
import functools
import math
import time
from pathlib import Path

import keras
import numpy as np

import kerascola
from kerascola.augment.running import statistics
from kerascola.data.folder import Folder
from kerascola.data.pipeline import Batches, collate
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders import build as encoders
from kerascola.errors import RecipeError, TrainingError
from kerascola.frontends.frontend import clip_level, features, frontend
from kerascola.models.embedder import embedder, save_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.cola import Cola
from kerascola.recipes.schema import Recipe, Train
from kerascola.runtime.metadata import Metadata
from kerascola.training.determinism import deterministic
from kerascola.training.optimizers import averaged, optimizer
from kerascola.training.progress import Bar, describe
from kerascola.training.run import Run
from kerascola.training.step import Step
from kerascola.training.swap import faster
from kerascola.training.watch import EVERY, Watch


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
    if recipe.train.deterministic:
        deterministic()
    folder = Folder(data, recipe.frontend.sample_rate, recipe.data.unreadable)
    sizes = (recipe.train.cached_batch or recipe.train.batch_size, recipe.clip_samples)
    batches = Batches(folder, *sizes, recipe.augmented_views(), seed=recipe.train.seed)
    steps = recipe.train.steps_per_epoch or batches.steps_per_pass
    pretrainer, metadata = build(recipe, steps)
    run.begin(recipe, len(folder))
    pretrainer(collate([batches.example(*key) for key in batches.keys(0)[:2]]))  # builds every weight
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    run.restore(pretrainer)
    with faster(pretrainer.encoder):
        train(recipe.train, pretrainer, batches, steps, run)
    with averaged(pretrainer):
        return save_embedder(*shipped(recipe, pretrainer, metadata), run.model)


def train(section: Train, pretrainer: Pretrainer, batches: Batches, steps: int, run: Run) -> None:
    """From where `run` is to the last epoch, with checkpoints on the way."""
    step = Step(pretrainer, section.batch_size if section.cached_batch else None)
    stream = batches.from_step(run.step)
    saved = time.monotonic()
    with Bar(section.epochs, steps, batches.batch_size, run.step) as bar:
        watch = Watch(bar.say)
        for epoch in range(run.step // steps, section.epochs):
            begun = list(run.begun)
            while len(begun) < steps:
                asked = time.monotonic()
                batch = next(stream)
                waited = time.monotonic() - asked
                logs = step(batch)
                views = logs.pop("views")
                begun.append(logs)
                bar.step(epoch + 1, logs, waited)
                if len(begun) % EVERY == 0:
                    watch(views, epoch * steps + len(begun))
                if len(begun) < steps and time.monotonic() - saved > 60 * section.checkpoint_minutes:
                    begun = numbers(begun, run, epoch)
                    step.sync()
                    run.save(pretrainer, epoch * steps + len(begun), run.history, begun)
                    saved = time.monotonic()
            begun = numbers(begun, run, epoch)
            means = {name: float(np.mean([row[name] for row in begun])) for name in begun[0]}
            row = {"epoch": epoch + 1, **means, **watch(views, (epoch + 1) * steps)}
            step.sync()
            run.save(pretrainer, (epoch + 1) * steps, [*run.history, row], [])
            saved = time.monotonic()
            bar.epoch(epoch + 1, row)


def numbers(logs: list[dict], run: Run, epoch: int) -> list[dict[str, float]]:
    """Waits for what is still being computed."""
    rows = [{name: float(value) for name, value in row.items()} for row in logs]
    for row in rows:
        if not all(map(math.isfinite, row.values())):
            raise TrainingError(
                f"expected a finite loss, received {describe(row)} in epoch {epoch + 1}. What {run.path} has of the "
                "steps before is kept; try a smaller rate: --set optimizer.learning_rate=..."
            )
    return rows
