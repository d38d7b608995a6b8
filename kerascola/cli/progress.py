"""How far a long command is: rich's bar on a terminal that has it, otherwise a line now and then."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

FEW = 5  # no progress for so few
SECONDS = 2.0  # between lines


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
