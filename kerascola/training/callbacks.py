"""What happens beside the steps: progress for the person who waits, a checkpoint after every epoch."""

import math

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kerascola.errors import TrainingError
from kerascola.training.run import Run


class Checkpoint(keras.callbacks.Callback):
    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        numbers = {key: float(value) for key, value in (logs or {}).items()}
        if not all(map(math.isfinite, numbers.values())):
            raise TrainingError(
                f"expected a finite loss, received {describe(numbers)} in epoch {epoch + 1}. What {self.run.path} has "
                f"of the {epoch} epochs before is kept; try a smaller rate: --set optimizer.learning_rate=..."
            )
        self.run.save(self.model, numbers)


class ProgressBar(keras.callbacks.Callback):
    """One bar for the whole training on a terminal, one line per epoch elsewhere; `fit` runs inside `with it.bar`."""

    def __init__(self, epochs: int, steps: int, done: int) -> None:
        super().__init__()
        self.epochs, self.steps, self.done = epochs, steps, done
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, {task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.task = self.bar.add_task(
            "compiling", total=self.epochs * self.steps, completed=self.done * self.steps, numbers="loss ..."
        )

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.update(self.task, advance=1, description=f"epoch {self.epoch}/{self.epochs}", numbers=describe(logs))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.bar.disable:
            self.console.print(f"epoch {epoch + 1}/{self.epochs}  {describe(logs)}", highlight=False)


def describe(logs: dict | None) -> str:
    return "  ".join(f"{name} {float(value):.3f}" for name, value in (logs or {}).items())
