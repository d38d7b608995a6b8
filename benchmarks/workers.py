"""Competitors in processes of their own, which take turns: each answers a line of its input with a line of JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any, cast


class Worker:
    """A benchmark's own script with --worker, on the last `cores` of those that this process may use."""

    def __init__(self, script: str, arguments: Iterable[str], cores: int | None, environment: dict[str, str]) -> None:
        known = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
        if cores:
            known |= {
                "OMP_NUM_THREADS": str(cores),
                "TF_NUM_INTRAOP_THREADS": str(cores),
                "TF_NUM_INTEROP_THREADS": "1",
            }
        # JAX takes its threads from the processors that it may use
        bound = sorted(os.sched_getaffinity(0))[-cores:] if cores else []
        self.label = " ".join(arguments)
        self.process = subprocess.Popen(
            [sys.executable, script, *arguments],
            env=known,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=(lambda: os.sched_setaffinity(0, bound)) if bound else None,
        )

    def ask(self, what: str) -> dict[str, Any]:
        stdin = cast(Any, self.process.stdin)
        stdin.write(what + "\n")
        stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        for line in cast(Any, self.process.stdout):
            if line.startswith("{"):
                return dict(json.loads(line))
        sys.exit(f"{self.label}: ended with status {self.process.wait()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def serve(reply: Callable[[str], dict[str, Any]], ready: dict[str, Any] | None = None) -> None:
    """In the competitor's process, once it is warm."""
    say(ready or {})
    for line in sys.stdin:
        say(reply(line.strip()))
