"""The loop round the steps: epochs, checkpoints on the way, what is watched and shown."""

import contextlib
import math
import time
from collections.abc import Callable

import numpy as np

from kerascola.data.pipeline import Stream
from kerascola.errors import TrainingError
from kerascola.models.pretrainer import Pretrainer
from kerascola.recipes.schema import EarlyStopping, Train
from kerascola.training.logs import Log
from kerascola.training.progress import Bar, describe
from kerascola.training.run import Row, Run
from kerascola.training.step import Step
from kerascola.training.watch import EVERY, Watch


def train(
    section: Train,
    pretrainer: Pretrainer,
    batches: Stream,
    steps: int,
    run: Run,
    *,
    log: Log,
    place: str = "",
    watched: bool = True,
    validate: Callable[[], Row] = dict,
) -> None:
    """From where `run` is to the last epoch. `validate` gives what else is to be known of an epoch, at its end.

    `place` is the section of the recipe that says how it is trained, as in "finetune.".
    """
    saved = time.monotonic()
    with (
        contextlib.closing(batches.from_step(run.step)) as stream,
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
                finish(begun, run, epoch, place)  # the step before: JAX would hold the batches of dozens in a queue
                if begun and len(begun) % EVERY == 0:
                    log(before + len(begun), {f"step/{name}": value for name, value in begun[-1].items()})
                begun.append(logs)
                bar.step(epoch + 1, logs, waited)
                within = len(begun) < steps
                if watched and within and len(begun) % EVERY == 0:
                    watch(views, before + len(begun))
                if within and time.monotonic() - saved > 60 * section.checkpoint_minutes:
                    finish(begun, run, epoch, place)
                    step.sync()
                    run.save(pretrainer, before + len(begun), run.history, list(begun))
                    saved = time.monotonic()
            finish(begun, run, epoch, place)
            names = "loss", *sorted(begun[0].keys() - {"loss"})  # JAX has them in an order of its own
            means = {name: float(np.mean([row[name] for row in begun])) for name in names}
            step.sync()
            row = {"epoch": epoch + 1, **means, **(watch(views, before + steps) if watched else {}), **validate()}
            run.save(pretrainer, before + steps, [*run.history, row], [])
            saved = time.monotonic()
            bar.epoch(epoch + 1, row)
            log(before + steps, {f"epoch/{name}": value for name, value in row.items() if name != "epoch"})


def stale(history: list[dict[str, float]], stopping: EarlyStopping) -> bool:
    """Whether the last `patience` epochs were none of them better than the best before."""
    best, since, sign = math.inf, 0, 1 if stopping.monitor.endswith("loss") else -1
    for row in history:
        value = sign * row[stopping.monitor]
        best, since = (value, 0) if value < best - stopping.min_delta else (best, since + 1)
    return since >= stopping.patience


def finish(begun: list[dict], run: Run, epoch: int, place: str) -> None:
    """Waits for the last step's numbers, which may still be being computed."""
    if not begun:
        return
    row = {name: float(value) for name, value in begun[-1].items()}
    if not all(map(math.isfinite, row.values())):
        raise TrainingError(
            f"expected a finite loss, received {describe(row)} in epoch {epoch + 1}. What {run.path} has of the "
            f"steps before is kept; try a smaller rate: --set {place}optimizer.learning_rate=..."
        )
    begun[-1] = row
