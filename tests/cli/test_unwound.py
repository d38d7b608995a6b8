"""A command that is ended from outside unwinds, also where the signal comes at a bad moment."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from kerascola.cli import guarded

pytestmark = pytest.mark.once("signals are the same on all backends")
ENDED = {signal.SIGTERM: 143, signal.SIGINT: 130}


def wait() -> int:
    for _ in range(1000):
        time.sleep(0.01)
    return 0


def code_of(run) -> int | str | None:
    try:
        return guarded(None, run)
    except SystemExit as ended:
        return ended.code


@pytest.mark.parametrize("number", ENDED)
def test_what_is_open_is_closed(number, tmp_path):
    def run() -> int:
        try:
            os.kill(os.getpid(), number)
            return wait()
        finally:
            (tmp_path / "closed").touch()

    before = signal.getsignal(number), sys.unraisablehook
    assert code_of(run) == ENDED[number]
    assert (tmp_path / "closed").exists()
    assert (signal.getsignal(number), sys.unraisablehook) == before


@pytest.mark.parametrize("number", ENDED)
def test_also_where_python_cannot_raise_it(number):
    """The garbage collector's callbacks print what they raise."""
    sent = []

    def collected(phase, about):
        if not sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    def run() -> int:
        gc.callbacks.append(collected)
        gc.collect()
        return wait()

    try:
        assert code_of(run) == ENDED[number]
    finally:
        gc.callbacks.remove(collected)


def test_the_command_ends_by_it():
    program = "import os; from kerascola import cli; cli.make_parser = lambda verb: os.kill(os.getpid(), 15)\n"
    done = subprocess.run([sys.executable, "-c", f"{program}cli.main(['doctor'])"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "")


def test_a_signal_that_is_seen_to_already_is_left_alone():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        assert code_of(lambda: os.kill(os.getpid(), signal.SIGTERM) or 0) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
