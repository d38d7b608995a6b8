"""What ends a command from outside unwinds it, as an error does, so that nothing half made stays behind."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

AGAIN = 0.05  # seconds


@contextmanager
def unwound() -> Iterator[None]:
    """SIGTERM raises SystemExit. That and an interrupt are raised again where Python could not let them through."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not ours:  # whoever has called us sees to it
        yield
        return
    hook, waiting = sys.unraisablehook, list[threading.Timer]()

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        """As in a callback of the garbage collector, which JAX has: it would be printed, and the work go on."""
        if number := signal_of(lost.exc_value):
            waiting.append(threading.Timer(AGAIN, os.kill, (os.getpid(), number)))
            waiting[-1].start()
        else:
            hook(lost)

    signal.signal(signal.SIGTERM, terminated)
    sys.unraisablehook = unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in waiting:
            timer.cancel()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def signal_of(error: BaseException | None) -> signal.Signals | None:
    """That raised it, if any did."""
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    return signal.SIGTERM if isinstance(error, SystemExit) and error.code == 128 + signal.SIGTERM else None
