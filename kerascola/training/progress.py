"""Progress for the person who waits."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH = 0.5  # seconds; to show a loss is to wait for it


class Bar:
    """One bar for the whole training on a terminal, one line per epoch elsewhere. Use it as a context."""

    def __init__(self, epochs: int, steps: int, batch_size: int, done: int) -> None:
        """`done` steps of epochs * steps are done already."""
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
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
        self.task = self.bar.add_task("compiling", total=epochs * steps, completed=done, numbers="loss ...")
        self.shown, self.waited, self.count = 0.0, 0.0, 0
        self.since: float | None = None

    def __enter__(self) -> "Bar":
        self.bar.start()
        return self

    def __exit__(self, *exception) -> None:
        """Also where it is interrupted: a bar that is not closed keeps the terminal's cursor."""
        self.bar.stop()

    def step(self, epoch: int, logs: Mapping, waited: float) -> None:
        """After a step that waited so many seconds for its batch. The first, which compiles, is left out of speeds."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
        else:
            self.count, self.waited = self.count + 1, self.waited + waited
        if self.bar.disable or now - self.shown < REFRESH:
            self.bar.advance(self.task)
            return
        self.shown = now
        numbers = f"{describe(logs)}  {self.speed()}"
        self.bar.update(self.task, advance=1, description=f"epoch {epoch}/{self.epochs}", numbers=numbers)

    def speed(self) -> str:
        spent = time.monotonic() - (self.since or 0)
        if not self.count:
            return ""
        return f"{self.count * self.batch_size / spent:.0f} clips/s  {self.waited / spent:.0%} waiting for data"

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        if self.bar.disable:
            self.say(f"epoch {number}/{self.epochs}  {describe(row)}  {self.speed()}".rstrip())

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def describe(logs: Mapping) -> str:
    return "  ".join(f"{name} {float(logs[name]):.3f}" for name in ("loss", "accuracy") if name in logs)
