"""From a recipe and a folder of recordings to `model.keras`."""

import math
import time
import warnings
from pathlib import Path

import numpy as np

from kerascola.data.draws import kept
from kerascola.data.folder import Folder
from kerascola.data.pipeline import Batches, collate
from kerascola.errors import DataError, TrainingError
from kerascola.evaluation.curves import draw_training
from kerascola.models.embedder import save_embedder
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives import build as objectives
from kerascola.recipes.schema import EarlyStopping, Recipe, Train
from kerascola.training.assembly import build, shipped, towers_shipped
from kerascola.training.determinism import deterministic
from kerascola.training.optimizers import averaged
from kerascola.training.progress import Bar, describe
from kerascola.training.run import Run
from kerascola.training.step import Step
from kerascola.training.swap import faster
from kerascola.training.watch import EVERY, Watch


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
