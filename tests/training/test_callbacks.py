import io
import re

import pytest
from rich.console import Console

from kerascola.errors import TrainingError
from kerascola.training import callbacks
from kerascola.training.callbacks import Checkpoint, ProgressBar


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """What a terminal would get."""
    stream = io.StringIO()
    monkeypatch.setattr(
        callbacks, "Console", lambda stderr: Console(file=stream, force_terminal=True, width=100, legacy_windows=False)
    )
    return stream


def play(bar: ProgressBar) -> None:
    bar.on_train_begin()
    for epoch in range(bar.done, bar.epochs):
        bar.on_epoch_begin(epoch)
        for step in range(bar.steps):
            bar.on_train_batch_end(step, {"loss": 1.5})
        bar.on_epoch_end(epoch, {"loss": 1.5, "accuracy": 0.25})


def test_elsewhere_than_on_a_terminal_an_epoch_is_a_line(capsys):
    bar = ProgressBar(epochs=3, steps=2, done=1)
    with bar.bar:
        play(bar)
    written = capsys.readouterr()
    assert written.err.splitlines() == [f"epoch {n}/3  loss 1.500  accuracy 0.250" for n in (2, 3)]
    assert not written.out


def test_a_terminal_gets_a_bar_that_counts_every_step(screen):
    bar = ProgressBar(epochs=3, steps=2, done=1)
    with bar.bar:
        play(bar)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "epoch 3/3" in shown and "6/6 steps, loss 1.500" in shown


def test_an_interrupt_gives_the_cursor_back(screen):
    bar = ProgressBar(epochs=3, steps=2, done=0)
    with pytest.raises(KeyboardInterrupt), bar.bar:
        bar.on_train_begin()
        raise KeyboardInterrupt
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert screen.getvalue().rfind(show) > screen.getvalue().rfind(hide) >= 0


def test_a_loss_that_is_no_number_stops_the_run_and_spares_its_checkpoint(tmp_path):
    class Untouchable:
        path = tmp_path

        def save(self, *_arguments) -> None:
            raise AssertionError("saved weights of no use")

    with pytest.raises(TrainingError, match="loss nan.* in epoch 5.* of the 4 epochs before is kept"):
        Checkpoint(Untouchable()).on_epoch_end(4, {"loss": float("nan"), "accuracy": 0.5})
