"""How far a long command is: rich's bar on a terminal that has it, otherwise a line now and then."""

import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import accumulate
from typing import Any, Self, TypeVar

T = TypeVar("T")

FEW = 5  # no progress for so few
SECONDS = 2.0  # between lines
LONG = 60.0  # seconds of a file that are heard before it is asked how long it is


def track(things: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """Passes the things on; reports on stderr."""
    if total <= FEW:
        yield from things
        return
    try:
        from rich.console import Console
        from rich.progress import track as bar
    except ImportError:
        yield from _with_lines(things, total, unit)
        return
    console = Console(stderr=True)
    if console.is_terminal:
        yield from bar(things, unit, total, console=console)
    else:
        yield from _with_lines(things, total, unit)


def _with_lines(things: Iterable[T], total: int, unit: str) -> Iterator[T]:
    begin = said = time.monotonic()
    for done, thing in enumerate(things, start=1):
        yield thing
        now = time.monotonic()
        if now - said >= SECONDS or done == total:
            said = now
            rate = done / max(now - begin, 1e-9)
            print(f"{done} of {total} {unit}, {rate:.1f} a second", file=sys.stderr)


class Listening:
    """Files and hours of sound by the second, and the time left, which goes by the weights of files: their sizes, or
    how long they are. `length` gives the seconds of one that is long."""

    def __init__(self, weights: Iterable[float], length: Callable[[int], float]) -> None:
        self.before = array("d", accumulate(weights, initial=0.0))
        self.total, self.length = len(self.before) - 1, length
        self.begins(0)

    def __enter__(self) -> Self:
        self.bar: Any = None
        self.until = ExitStack()
        try:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn
        except ImportError:
            return self
        console = Console(stderr=True)
        if console.is_terminal and self.total > FEW:
            self.bar = self.until.enter_context(
                Progress(BarColumn(), TextColumn("{task.description}"), console=console)
            )
            self.task = self.bar.add_task("", total=self.before[-1])
        return self

    def __exit__(self, *_: Any) -> None:
        self.until.close()

    def begins(self, number: int) -> None:
        self.first = self.done = self.at = number
        self.seconds, self.inside, self.whole = 0.0, 0.0, 0.0  # heard; heard of file `at`; how long that is
        self.begun = self.said = time.monotonic()

    def heard(self, number: int, seconds: float) -> None:
        if number != self.at:
            self.at, self.inside, self.whole = number, 0.0, 0.0
        self.seconds += seconds
        self.inside += seconds
        if self.inside > LONG and not self.whole:
            self.whole = self.length(number)
        self.say()

    def passed(self, number: int) -> None:
        self.done = number + 1
        self.say(last=self.done == self.total)

    def say(self, last: bool = False) -> None:
        now = time.monotonic()
        if self.bar:
            self.bar.update(self.task, completed=self.weight(), description=self.text(now))
        elif now - self.said >= SECONDS or (last and self.total > FEW):
            self.said = now
            print(self.text(now), file=sys.stderr)

    def weight(self) -> float:
        """Of what is behind us."""
        share = min(1.0, self.inside / self.whole) if self.whole else 0.0
        if self.at >= self.total:
            return self.before[-1]
        here = self.before[self.at + 1] - self.before[self.at]
        return max(self.before[self.done], self.before[self.at] + share * here)

    def text(self, now: float) -> str:
        took = max(now - self.begun, 1e-9)
        files, hours = (self.done - self.first) / took, self.seconds / 3600 / took
        parts = [f"{self.done} of {self.total} files", f"{files:.1f} files/s", f"{hours:.3g} audio hours/s"]
        behind = self.weight() - self.before[self.first]
        if behind > 0:
            left = took * (self.before[-1] - self.weight()) / behind
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)


class Report:
    """Lines on how far a download is, now and then."""

    def __init__(self, name: str, every: float = 5.0) -> None:
        self.name, self.every, self.said = name, every, float("-inf")

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self.said < self.every and done != total:
            return
        self.said = time.monotonic()
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"{self.name}: {done / 1e6:.1f}{of} MB", file=sys.stderr)
