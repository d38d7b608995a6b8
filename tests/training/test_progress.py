import io
import re

import numpy as np
import pytest
from rich.console import Console

from kerascola.training import progress
from kerascola.training.progress import Bar

pytestmark = pytest.mark.once("a line on a terminal")


class Clock:
    """Which goes on by what it is told alone."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """What a terminal would get."""
    stream = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda stderr: Console(file=stream, force_terminal=True, width=120, legacy_windows=False)
    )
    return stream


def text(screen: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())


def play(bar: Bar, clock: Clock, first: int) -> None:
    """Epochs from `first`: the first step takes 50 seconds, the others 2, half a second of which waiting for data."""
    for epoch in range(first, bar.epochs + 1):
        for _ in range(bar.steps):
            clock.now += 50.0 if clock.now == 100.0 else 2.0
            bar.step(epoch, {"loss": np.float32(1.5), "accuracy": np.float32(0.25)}, waited=0.5)
        bar.epoch(epoch, {"epoch": epoch, "loss": 1.5, "accuracy": 0.25, "uniformity": -3.0})


def test_elsewhere_than_on_a_terminal_an_epoch_is_a_line(capsys, clock):
    with Bar(epochs=3, steps=3, batch_size=64, done=3) as bar:
        play(bar, clock, 2)
        bar.say("a long line " + "x [y] " * 40)
    written = capsys.readouterr()
    tail = "loss 1.500  accuracy 0.250  32 clips/s  25% waiting for data"
    *lines, long = written.err.splitlines()
    assert lines == [f"epoch {n}/3  {tail}" for n in (2, 3)]
    assert long == "a long line " + "x [y] " * 40
    assert not written.out


def test_before_the_second_step_there_is_no_speed(capsys, clock):
    with Bar(epochs=1, steps=1, batch_size=64, done=0) as bar:
        play(bar, clock, 1)
    assert capsys.readouterr().err == "epoch 1/1  loss 1.500  accuracy 0.250\n"


def test_a_terminal_gets_a_bar_that_counts_every_step(screen, clock):
    with Bar(epochs=3, steps=2, batch_size=64, done=2) as bar:
        assert bar.bar.tasks[0].completed == 2
        play(bar, clock, 2)
        bar.say("a word in between")
    shown = text(screen)
    assert "epoch 3/3" in shown and "6/6 steps, loss 1.500  accuracy 0.250  32 clips/s  25% waiting for data" in shown
    assert "a word in between\n" in shown
    assert bar.bar.tasks[0].completed == bar.bar.tasks[0].total == 6


def test_a_loss_is_looked_at_now_and_then_only(screen, clock):
    class Slow:
        looked = 0

        def __float__(self) -> float:
            self.looked += 1
            return 1.0

    slow = Slow()
    with Bar(epochs=1, steps=100, batch_size=8, done=0) as bar:
        for _ in range(100):
            clock.now += progress.REFRESH / 10
            bar.step(1, {"loss": slow}, 0.0)
        assert bar.bar.tasks[0].completed == 100
    assert 9 <= slow.looked <= 12


def test_an_interrupt_gives_the_cursor_back(screen):
    with pytest.raises(KeyboardInterrupt), Bar(epochs=3, steps=2, batch_size=8, done=0):
        raise KeyboardInterrupt
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert screen.getvalue().rfind(show) > screen.getvalue().rfind(hide) >= 0
