"""Keras is bound to one backend when it is imported, so the suite runs once per backend, in a process each."""

import errno
import os
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

# Some tests compare a run of the command, which asks XLA for sums in any order, with one that does not.
os.environ.setdefault("XLA_FLAGS", XLA_FLAGS.replace("true", "false"))


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


LONGEST = ("readme", "demo", "pretrain", "systems", "kills", "finetune", "pretrain_options")


def pytest_report_header() -> str:
    return f"Keras backend: {os.environ['KERAS_BACKEND']}"


def pytest_collection_modifyitems(items) -> None:
    """The longest files first, so that neither of two processes is left with one at the end."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)
