"""Keras is bound to one backend when it is imported, so the suite runs once per backend, in a process each."""

import errno
import os
from collections import Counter
from pathlib import Path

import pytest

from kerascola.cli.quiet import XLA_FLAGS

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's: two processes of as many threads as cores wait for each other

# JAX compiles for each shape. What it compiled is kept for the suite's other processes and for its next run, and the
# passes that take longest are left out: the networks here are too small to win them back.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / "build" / "jax-cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Some tests compare a run of the command, which asks XLA for sums in any order, with one that does not. Code
# that is fused by older means takes a fifth less time to compile.
OLDER = "--xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", f"{XLA_FLAGS.replace('true', 'false')} {OLDER}")


@pytest.fixture
def any_name(tmp_path) -> None:
    """Some systems take no file names but those in UTF-8; there, what becomes of others cannot be seen."""
    try:
        (tmp_path / os.fsdecode(b"\xff")).touch()
    except OSError as error:
        if error.errno != errno.EILSEQ:
            raise
        pytest.skip("this file system takes no names but UTF-8")
    (tmp_path / os.fsdecode(b"\xff")).unlink()


@pytest.fixture(autouse=True, scope="session")
def first_weights():
    """Those of a network are of many shapes, each of which JAX would compile a drawing for."""
    if BACKEND == "jax":
        from drawn_by_numpy import initialise_by_numpy

        initialise_by_numpy()


@pytest.fixture(autouse=True, scope="module")
def forget_compiled():
    """What JAX compiled for a file is of no use to the next, and would take gigabytes by the end."""
    yield
    if BACKEND == "jax":
        import jax

        jax.clear_caches()


LONGEST = ("readme", "demo", "pretrain", "systems", "kills", "finetune", "matrix", "pretrain_options")
ONCE = "torch"  # which compiles nothing, so that its run is the shortest
BACKEND = os.environ["KERAS_BACKEND"]
left: dict[str, int] = {}  # to which backend, and how many


def pytest_configure(config) -> None:
    config.addinivalue_line(
        "markers", f"once(why, backend={ONCE!r}): one backend runs it, as another would show no more"
    )


def pytest_report_header() -> str:
    return f"Keras backend: {BACKEND}"


def runs_on(why: str, backend: str = ONCE) -> str:
    return backend


def pytest_collection_modifyitems(config, items) -> None:
    """Without what another backend runs; the longest files first, so that no process is left with one at the end."""
    marks = [(item, item.get_closest_marker("once")) for item in items]
    where = [(item, runs_on(*mark.args, **mark.kwargs) if mark else BACKEND) for item, mark in marks]
    left.update(Counter(backend for _, backend in where if backend != BACKEND))
    config.hook.pytest_deselected(items=[item for item, backend in where if backend != BACKEND])
    items[:] = [item for item, backend in where if backend == BACKEND]
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


def pytest_sessionfinish(session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = left


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    left.update(getattr(node, "workeroutput", {}).get("left", {}))  # each of them collects all


def pytest_terminal_summary(terminalreporter) -> None:
    for backend, count in left.items():
        terminalreporter.write_line(f"{count} tests are run once, on {backend}: the mark `once` on each says why")
