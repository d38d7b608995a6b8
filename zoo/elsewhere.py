"""Keras files as others open them: in a process that cannot import kerascola, on any backend."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerascola.errors import ZooError

PROGRAM = """
import importlib.abc, json, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "kerascola":
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import keras, numpy
for model, sound, out in json.loads(sys.argv[1]):
    try:
        loaded = keras.saving.load_model(model, safe_mode=True)
        numpy.save(out, loaded.predict_on_batch(numpy.load(sound)[None])[0])
    except Exception as error:
        with open(out + ".txt", "w") as file:
            file.write(f"{type(error).__name__}: {error}")
assert "kerascola" not in sys.modules
"""
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def embeddings(files: Sequence[tuple[Path, np.ndarray]], backend: str) -> list[np.ndarray | ZooError]:
    """Of each file's sound, float32 [samples], under safe mode; or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for number, (model, sound) in enumerate(files):
            np.save(f"{folder}/{number}.npy", sound)
            jobs.append((str(model.resolve()), f"{folder}/{number}.npy", f"{folder}/{number}-out.npy"))
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, json.dumps(jobs)],
            env=os.environ | QUIET | {"KERAS_BACKEND": backend},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ZooError(f"expected Keras on {backend} to start without kerascola, received: {said}")
        return [given(Path(out), f"{model}: expected Keras on {backend} to load it") for model, _, out in jobs]


def given(out: Path, expected: str) -> np.ndarray | ZooError:
    failure = Path(f"{out}.txt")
    if not failure.exists():
        return np.load(out)
    return ZooError(f"{expected} without kerascola, received {failure.read_text().splitlines()[0]}")
