"""A plain Keras embedder -> one verified TensorFlow SavedModel, whatever the backend.

Neither JAX nor torch can write one that takes any length (JAX compiles anew for each shape), but the file is plain
Keras: TensorFlow loads it, in a process of its own, writes the SavedModel, reopens it and runs the probes. The
caller compares those with the model on its own backend.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import kerascola
from kerascola.errors import ExportError
from kerascola.export.onnx_file import Say, lowering
from kerascola.export.verify import Waves, verify
from kerascola.runtime.metadata import Metadata

METADATA = "assets.extra/kerascola.json"  # where TensorFlow leaves room for files of others


def export_saved_model(model: keras.Model, metadata: Metadata, out: Path, say: Say = print) -> Metadata:
    """The folder `out` is there, verified, when this returns, and not otherwise."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        work = Path(folder)
        model.save(work / "model.keras")

        def run(waves: Waves) -> Waves:
            save_arrays(work / "waves.npz", waves)
            in_tensorflow(work)
            with np.load(work / "embeddings.npz") as received:
                return dict(received)

        say("writing the SavedModel from TensorFlow and comparing it with Keras")
        errors = verify(model, metadata, run, lowering().float64)
        versions = {**metadata.versions, "exported by": f"kerascola {kerascola.__version__}"}
        metadata = dataclasses.replace(metadata, verified=errors, versions=versions)
        member = work / "saved_model" / METADATA
        member.parent.mkdir(exist_ok=True)
        member.write_text(json.dumps(dataclasses.asdict(metadata), indent=1))
        replaced = work / "replaced"
        if out.exists():
            os.replace(out, replaced)
        try:
            os.replace(work / "saved_model", out)
        except OSError:
            if replaced.exists():
                os.replace(replaced, out)
            raise
    return metadata


def in_tensorflow(*work: Path) -> None:
    """`main` in each of the folders."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "kerascola.export.saved_model", *map(str, work)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if "No module named 'tensorflow'" in done.stderr:
        raise ExportError('a SavedModel is written by TensorFlow: pip install "kerascola[tensorflow,export]"')
    if done.returncode:
        raise ExportError(f"TensorFlow could not write the SavedModel:\n{done.stderr[-2000:]}")


def main(work: Path) -> None:
    """In TensorFlow's process: model.keras -> saved_model/, then waves.npz through it -> embeddings.npz."""
    model = keras.saving.load_model(work / "model.keras", compile=False, safe_mode=True)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda waveform: {"embedding": model(waveform, training=False)},
        input_signature=[keras.layers.InputSpec(shape=(None, None), dtype="float32", name="waveform")],
    )
    archive.write_out(str(work / "saved_model"), verbose=False)

    served = keras.layers.TFSMLayer(str(work / "saved_model"), call_endpoint="serving_default")
    with np.load(work / "waves.npz") as waves:
        embeddings = {name: np.asarray(served(waves[name])["embedding"]) for name in waves}
    save_arrays(work / "embeddings.npz", embeddings)


def save_arrays(path: Path, arrays: Waves) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes every keyword for `allow_pickle`


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        main(Path(folder))
