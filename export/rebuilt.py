"""A plain Keras embedder -> the formats that one backend writes, whichever is at hand.

Keras is bound to a backend when it is imported, but the file is plain Keras: a process of its own loads it under the
backend that writes the format. Another process reopens what was written in the runtime that will serve it, without
Keras (`serving.py`), and what it gives is compared with the model on the backend at hand.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np

import kerascola
from kerascola.errors import ExportError
from kerascola.export import probes, serving
from kerascola.export.formats import FORMATS, NotMade, check_installed
from kerascola.export.heads import Heads, check_fused
from kerascola.export.place import put
from kerascola.export.verify import FLOAT32, Bounds, Measure, Waves, verify
from kerascola.runtime.metadata import MEMBER, Metadata
from kerascola.runtime.session import OUTPUT

# Where each format leaves room for files of others.
ROOM = {"saved_model": f"assets.extra/{MEMBER}", "openvino": MEMBER, "torch": f"model/extra/{MEMBER}", "litert": MEMBER}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def export_rebuilt(format: str, measure: Measure, out: Path, say: Callable[[str], None] = print) -> Metadata:
    """`out` is there, verified, when this returns, and not otherwise."""
    check_installed(format)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=out.parent) as folder:
        work = Path(folder)
        say(f"writing {FORMATS[format].title} from {FORMATS[format].backend} and comparing it with Keras")
        write([format], measure, work)
        metadata = finish(format, made(format, work), measure)
        put(made(format, work), out)
    return metadata


def made(format: str, work: Path) -> Path:
    """Where a format is written; raises NotMade where it cannot hold the model."""
    path = work / f"model{FORMATS[format].ending}"
    told = work / f"{format}.txt"
    if told.exists():
        raise NotMade(told.read_text(encoding="utf-8"))
    return path


def write(formats: Sequence[str], measure: Measure, *work: Path) -> None:
    """Each of one backend's formats into each of the folders, of the `model.keras` that is there or of the model."""
    for folder in work:
        if not (folder / "model.keras").exists():
            measure.model.save(folder / "model.keras")
    jobs = [(str(folder), measure.metadata.min_samples) for folder in work]
    rebuild(formats, jobs)


def rebuild(formats: Sequence[str], jobs: Iterable[Sequence[str | int]]) -> None:
    """The Keras file of each (folder, least length)."""
    (backend,) = {FORMATS[format].backend for format in formats}
    what = " and ".join(FORMATS[format].title for format in formats)
    program = ["-m", "kerascola.export.rebuilt", *formats]
    run(program, json.dumps(list(jobs)), f"{backend} could not write {what}", {"KERAS_BACKEND": backend})


def run(program: Sequence[str], told: str, failed: str, more: dict[str, str] | None = None) -> str:
    environment = os.environ | QUIET | (more or {})
    command = [sys.executable, *program]
    done = subprocess.run(command, input=told, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        ended = f" (ended by signal {-done.returncode})" * (done.returncode < 0)
        raise ExportError(f"{failed}{ended}:\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def finish(
    format: str, artefact: Path, measure: Measure, bounds: Bounds = FLOAT32, heads: Heads = MappingProxyType({})
) -> Metadata:
    """Verified in its own runtime, and told of itself."""
    runtime, outputs = served(format, artefact, measure.waves)
    errors = verify(measure, lambda waves: {name: outputs[name][OUTPUT] for name in waves}, bounds)
    if heads:
        errors["head_max_difference"] = check_fused(
            {name: outputs[name] for name in probes.heard(measure.metadata)}, heads
        )
    package, _, number = runtime.partition(" ")
    metadata = measure.metadata
    versions = {**metadata.versions, "exported by": exporter(format), package: number}
    known = {name: classes for name, (_, classes) in heads.items()}
    metadata = dataclasses.replace(metadata, verified=errors, versions=versions, heads=known)
    note(format, artefact, metadata)
    return metadata


def exporter(format: str) -> str:
    here, other = keras.backend.backend(), FORMATS[format].backend
    return f"kerascola {kerascola.__version__} from {here}" + f", rebuilt under {other}" * (other not in ("", here))


def served(format: str, artefact: Path, waves: Waves) -> tuple[str, dict[str, Waves]]:
    """(the runtime and its version, what it gives for each of the waveforms: outputs by name)"""
    with tempfile.TemporaryDirectory() as folder:
        (runtime, (outputs,)) = serve_each(format, [(artefact, waves)], Path(folder))
    return runtime, outputs


def serve_each(format: str, jobs: Sequence[tuple[Path, Waves]], work: Path) -> tuple[str, list[dict[str, Waves]]]:
    """Of several artefacts of one format, in one process; its files go into `work`."""
    told = []
    for number, (artefact, waves) in enumerate(jobs):
        save_arrays(work / f"{number}-waves.npz", waves)
        told.append([str(artefact), str(work / f"{number}-waves.npz"), str(work / f"{number}-outputs.npz")])
    failed = f"what was written does not run in {FORMATS[format].modules[-1]}"
    runtime = run(["-P", serving.__file__, format], json.dumps(told), failed).splitlines()[-1]
    found: list[dict[str, Waves]] = []
    for (_, waves), (*_, outputs) in zip(jobs, told, strict=True):
        answers: dict[str, Waves] = {name: {} for name in waves}
        with np.load(outputs) as held:
            for key in held:
                output, _, name = key.partition("/")
                answers[name][output] = held[key]
        found.append(answers)
    return runtime, found


def note(format: str, artefact: Path, metadata: Metadata) -> None:
    """A file and a program of torch are archives, or become ones by what is appended, which their runtimes allow."""
    text = json.dumps(dataclasses.asdict(metadata), indent=1)
    if artefact.is_dir():
        (artefact / ROOM[format]).parent.mkdir(exist_ok=True)
        (artefact / ROOM[format]).write_text(text, encoding="utf-8")
        return
    with zipfile.ZipFile(artefact, "a") as archive:
        archive.writestr(ROOM[format], text)
    shortest = np.zeros((1, metadata.min_samples), np.float32)
    served(format, artefact, {"": shortest})  # opens as its users will open it


def save_arrays(path: Path, arrays: Waves) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes every keyword for `allow_pickle`


def main(formats: Sequence[str], jobs: Iterable[tuple[str, int]]) -> None:
    """In the process of the backend that writes them."""
    writers = import_module(f"kerascola.export.rebuild_{keras.backend.backend()}")
    for folder, least in jobs:
        work = Path(folder)
        model = keras.saving.load_model(work / "model.keras", compile=False, safe_mode=True)
        for format in formats:
            try:
                getattr(writers, format)(model, made(format, work), least)
            except NotMade as error:
                (work / f"{format}.txt").write_text(str(error), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:], json.load(sys.stdin))
