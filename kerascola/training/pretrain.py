"""From a recipe and a folder of recordings to `model.keras`."""

import dataclasses
import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

import kerascola
from kerascola.augment.running import statistics
from kerascola.data.draws import kept
from kerascola.data.folder import Folder
from kerascola.data.pipeline import Batches, collate
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders import build as encoders_by_name
from kerascola.errors import DataError, RecipeError, TrainingError
from kerascola.evaluation.curves import draw_training
from kerascola.frontends.frontend import clip_level, features, frontend, level
from kerascola.models.embedder import embedder, save_embedder, side_by_side
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives import build as objectives
from kerascola.recipes.schema import EarlyStopping, Recipe, Tower, Train
from kerascola.runtime.metadata import Metadata
from kerascola.training.determinism import deterministic
from kerascola.training.optimizers import averaged, optimizer
from kerascola.training.progress import Bar, describe
from kerascola.training.run import Run
from kerascola.training.step import Step
from kerascola.training.swap import faster
from kerascola.training.watch import EVERY, Watch


def build(recipe: Recipe, steps_per_epoch: int, classes: int = 0) -> tuple[Pretrainer, Metadata]:
    """The compiled pre-trainer round the recipe's parts, and what the embedder's file will say of itself."""
    keras.utils.set_random_seed(recipe.train.seed)
    towers = [tower for tower in (recipe, recipe.second) if tower]
    learnt = [features(tower.frontend) for tower in towers]
    with precision(recipe.train.precision):
        encoders, least = zip(*map(encoder_of, towers), strict=True)
        rate = recipe.frontend.sample_rate
        if recipe.crop_samples < max(least):
            raise RecipeError(
                f"{recipe.name}: expected views.crop_seconds >= {max(least) / rate:g}, the least that the encoder "
                f"needs; received {recipe.views.crop_seconds:g}"
            )
        pretrainer = Pretrainer(
            learnt[0],
            encoders[0],
            objectives.build(recipe.objective.name, classes, **recipe.objective.model_dump(exclude={"name"})),
            recipe.augmented_views(),
            recipe.train.seed,
            **{f"{recipe.views.level}_level": level_of(recipe)},
            second=(learnt[1], encoders[1]) if recipe.second else None,
            standardise=recipe.views.standardise,
            name="pretrainer",
        )
        pretrainer.compile(optimizer(recipe.optimizer, recipe.schedule, steps_per_epoch, recipe.train.epochs))
    dimensions = [int(encoder.output.shape[-1]) for encoder in encoders]
    if len(set(dimensions)) > 1:
        raise RecipeError(f"second: expected an encoder of the first one's {dimensions[0]} dimensions: {dimensions[1]}")
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


@contextmanager
def precision(name: str) -> Iterator[None]:
    """What is built inside computes in this precision, and keeps its weights in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name if name == "float32" else f"mixed_{name}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def encoder_of(tower: Recipe | Tower) -> tuple[keras.Model, int]:
    """The encoder, and the least number of samples that it needs."""
    options = tower.encoder.model_dump(exclude={"name"})
    encoder, frames = encoders_by_name.build(tower.encoder.name, tower.frontend.shape, **options)
    return encoder, tower.frontend.samples(frames)


def level_of(recipe: Recipe) -> Callable:
    """What brings clips, or crops, to the front end's level."""
    return functools.partial(clip_level if recipe.views.level == "clip" else level, spec=recipe.frontend)


def shipped(recipe: Recipe, pretrainer: Pretrainer, metadata: Metadata) -> tuple[keras.Model, Metadata]:
    """The embedder at the pre-trainer's present weights, of plain Keras layers, and what its file says of itself."""
    if recipe.second is not None:
        return side_by_side([model for model, _ in towers_shipped(recipe, pretrainer, metadata).values()]), metadata
    spec, learnt = recipe.frontend, pretrainer.features
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
    plain, _ = encoder_of(tower)
    plain.set_weights(encoder.get_weights())
    return plain


def pretrain(recipe: Recipe, data: str | Path, run: Run, resume: bool = False) -> Path:
    """Returns the path of the trained embedder. Killed and started again with `resume`, the losses are the same."""
    run.open(recipe, resume)
    if recipe.train.deterministic:
        deterministic()
    folder = Folder(data, recipe.frontend.sample_rate, recipe.data.unreadable)
    sizes = (recipe.train.cached_batch or recipe.train.batch_size, recipe.clip_samples)
    labels = labels_of(folder, recipe)
    batches = Batches(folder, *sizes, recipe.augmented_views(), recipe.train.seed, labels)
    steps = recipe.train.steps_per_epoch or batches.steps_per_pass
    pretrainer, metadata = build(recipe, steps, max(len(folder.classes), 1))
    run.begin(recipe, len(folder))
    pretrainer(collate([batches.example(*key) for key in batches.keys(0)[:2]]))  # builds every weight
    pretrainer.optimizer.build(pretrainer.trainable_variables)
    run.restore(pretrainer)
    with faster(pretrainer):
        train(recipe.train, pretrainer, batches, steps, run)
    draw_training(run.report, f"{recipe.name}: {run.path.name}", run.history)
    with averaged(pretrainer):
        for name, (model, about) in towers_shipped(recipe, pretrainer, metadata).items():
            save_embedder(model, about, run.path / f"{name}.keras")
        return save_embedder(*shipped(recipe, pretrainer, metadata), run.model)


def labels_of(folder: Folder, recipe: Recipe) -> np.ndarray | None:
    """What the objective may know of the labels, None for one that needs none."""
    name, needs = recipe.objective.name, objectives.KINDS[recipe.objective.name].labelled
    if needs == "no":
        return None
    if not folder.classes:
        said = f"{folder.root} has no labels: recordings of each class would be in a sub-folder of its own"
        if needs == "all":
            raise DataError(f"the objective {name} needs labels. {said}")
        warnings.warn(f"{said}. The objective {name} goes on without", stacklevel=2)
    labels = kept(folder.labels, recipe.data.labelled, recipe.train.seed)
    if needs == "all" and (labels < 0).any():
        raise DataError(
            f"the objective {name} needs all labels: {(labels < 0).sum()} of {len(labels)} recordings in "
            f"{folder.root} are without (those outside of sub-folders, and what data.labelled={recipe.data.labelled:g} "
            "leaves out). The objective clar takes any share"
        )
    return labels


def train(section: Train, pretrainer: Pretrainer, batches: Batches, steps: int, run: Run) -> None:
    """From where `run` is to the last epoch, with checkpoints on the way."""
    stream = batches.from_step(run.step)
    saved = time.monotonic()
    with (
        Step(pretrainer, section.batch_size if section.cached_batch else None) as step,
        Bar(section.epochs, steps, batches.batch_size, len(run.history) * steps + len(run.begun)) as bar,
    ):
        watch = Watch(bar.say)
        for epoch in range(len(run.history), section.epochs):
            if section.early_stopping and stale(run.history, section.early_stopping):
                bar.say(f"stopped after epoch {epoch}: {section.early_stopping.monitor} gets no better")
                break
            begun, before = list(run.begun), run.step - len(run.begun)
            while len(begun) < steps:
                asked = time.monotonic()
                batch = next(stream)
                waited = time.monotonic() - asked
                logs = step(batch)
                views = logs.pop("views")
                finish(begun, run, epoch)  # the step before: JAX would hold the batches of dozens in a queue
                begun.append(logs)
                bar.step(epoch + 1, logs, waited)
                within = len(begun) < steps
                if within and len(begun) % EVERY == 0:
                    watch(views, before + len(begun))
                if within and time.monotonic() - saved > 60 * section.checkpoint_minutes:
                    finish(begun, run, epoch)
                    step.sync()
                    run.save(pretrainer, before + len(begun), run.history, list(begun))
                    saved = time.monotonic()
            finish(begun, run, epoch)
            names = "loss", *sorted(begun[0].keys() - {"loss"})  # JAX has them in an order of its own
            means = {name: float(np.mean([row[name] for row in begun])) for name in names}
            row = {"epoch": epoch + 1, **means, **watch(views, before + steps)}
            step.sync()
            run.save(pretrainer, before + steps, [*run.history, row], [])
            saved = time.monotonic()
            bar.epoch(epoch + 1, row)


def stale(history: list[dict[str, float]], stopping: EarlyStopping) -> bool:
    """Whether the last `patience` epochs were none of them better than the best before."""
    best, since, sign = math.inf, 0, 1 if stopping.monitor == "loss" else -1
    for row in history:
        value = sign * row[stopping.monitor]
        best, since = (value, 0) if value < best - stopping.min_delta else (best, since + 1)
    return since >= stopping.patience


def finish(begun: list[dict], run: Run, epoch: int) -> None:
    """Waits for the last step's numbers, which may still be being computed."""
    if not begun:
        return
    row = {name: float(value) for name, value in begun[-1].items()}
    if not all(map(math.isfinite, row.values())):
        raise TrainingError(
            f"expected a finite loss, received {describe(row)} in epoch {epoch + 1}. What {run.path} has of the "
            "steps before is kept; try a smaller rate: --set optimizer.learning_rate=..."
        )
    begun[-1] = row
