"""Does every encoder export from every backend, and how fast is what comes out?

    python benchmarks/export_matrix.py [--encoders efficientnet-b0 resnet-18 ...] [--backends tensorflow jax torch]

Each encoder at its published size behind the front end that its system uses, exported to ONNX from each backend in a
process of its own and verified there as every export is; then all files of an encoder are timed in turn, round by
round, on one thread. A SavedModel is written once for each, from TensorFlow, as it is from every backend. Rows are
added to benchmarks/results/export_matrix.csv as they are measured, a row that is there is not measured again, and the
picture is drawn from the whole table. Rows of one encoder compare; on another `day` the machine may be half as fast.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from export_speed import BACKENDS, RESULTS
from machine import machine, write_table

# name -> (front end, encoder, its options)
ENCODERS: dict[str, tuple[str, str, dict]] = {
    "small": ("cola", "small", {}),
    "efficientnet-lite0": ("cola", "efficientnet", {"variant": "lite0"}),
    "efficientnet-b0": ("cola", "efficientnet", {}),
    "efficientnet-b1": ("cola", "efficientnet", {"variant": "b1"}),
    "efficientnet-b2": ("cola", "efficientnet", {"variant": "b2"}),
    "efficientnet-b3": ("cola", "efficientnet", {"variant": "b3"}),
    "efficientnet-b0, leaf": ("leaf", "efficientnet", {}),
    "efficientnet-b0, sincnet": ("sincnet", "efficientnet", {}),
    "efficientnet-b0, cola-fma": ("cola-fma", "efficientnet", {}),
    "vgg": ("uclser20", "vgg", {}),
    "crnn": ("uclser20", "crnn", {}),
    "resnet-18": ("uclser20", "resnet", {}),
    "resnet-34": ("uclser20", "resnet", {"depth": 34}),
    "resnet-50": ("uclser20", "resnet", {"depth": 50}),
    "resnet-18, spectra": ("spectra", "resnet", {}),
    "resnet1d-18": ("waveform", "resnet1d", {}),
    "convnext-tiny": ("audax", "convnext", {}),
    "convnext-small": ("audax", "convnext", {"variant": "small"}),
    "convnext-base": ("audax", "convnext", {"variant": "base"}),
    "convnext-large": ("audax", "convnext", {"variant": "large"}),
}
TABLE = RESULTS / "export_matrix.csv"
FIELDS = ["encoder", "front_end", "backend", "format", "parameters", "mb", "export_s", "max_difference", "min_cosine"]
FIELDS += ["ms_batch_1", "ms_batch_8", "day"]

MAKE = """
import dataclasses, sys, json, keras, numpy as np
from kerascola.dsp.leaf import Leaf
from kerascola.dsp.log_mel import PRESETS
from kerascola.dsp.sincnet import SincNet
from kerascola.dsp.spec import Waveform
from kerascola.dsp.spectra import Spectra
from kerascola.encoders.build import build
from kerascola.export.probes import sounds
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, save_embedder
from kerascola.runtime.metadata import Metadata
front, name, options = json.loads(sys.argv[2])
others = {"leaf": Leaf(filters=64), "sincnet": SincNet(filters=64), "spectra": Spectra(), "waveform": Waveform()}
spec = {**PRESETS, **others}[front]
keras.utils.set_random_seed(0)
encoder, frames = build(name, spec.shape, **options)
model = embedder(frontend(spec), encoder)
norms = [layer for layer in encoder._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
for layer in norms:  # statistics of sounds and of silence, as training leaves them: without, embeddings are nothing
    layer.momentum = 0.0
batch = sounds(16, 2 * spec.sample_rate, spec.sample_rate)
model(np.concatenate([batch, 0 * batch[:2]]), training=True)
least = spec.samples(frames)
window = max(spec.sample_rate, least)
known = dict(frontend=dataclasses.asdict(spec), recipe="benchmark")
save_embedder(model, Metadata(spec.sample_rate, window, window, least, model.output.shape[-1], **known), sys.argv[1])
print(json.dumps({"parameters": model.count_params(), "sample_rate": spec.sample_rate, "window": window}))
"""

EXPORT = """
import sys, json, time
from kerascola.export import export
began = time.monotonic()
made = export(sys.argv[1], sys.argv[2], sys.argv[3], say=lambda line: None)
print(json.dumps({"export_s": time.monotonic() - began, **made.verified}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS), metavar="NAME")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    done = read()
    for name in args.encoders:
        wanted = [(b, "onnx") for b in args.backends] + [("tensorflow", "saved_model")]
        if all((name, *key) in done for key in wanted):
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(name, wanted, Path(folder), args.rounds)
        done.update({(row["encoder"], row["backend"], row["format"]): row for row in rows})
        write(list(done.values()))
    draw(list(done.values()), TABLE.with_suffix(".png"))


def measure(name: str, wanted: list[tuple[str, str]], folder: Path, rounds: int) -> list[dict]:
    front, encoder, options = ENCODERS[name]
    model = folder / "model.keras"
    about = python("tensorflow", MAKE, str(model), json.dumps([front, encoder, options]))
    rows, files = [], {}
    for backend, format in wanted:
        out = folder / (f"{backend}.onnx" if format == "onnx" else "saved_model")
        found = python(backend, EXPORT, str(model), str(out), format)
        size = sum(p.stat().st_size for p in ([out] if out.is_file() else out.rglob("*")) if p.is_file())
        row = {"encoder": name, "front_end": front, "backend": backend, "format": format, "mb": f"{size / 1e6:.1f}"}
        row["day"] = time.strftime("%Y-%m-%d")
        row |= {"parameters": about["parameters"], "export_s": f"{found['export_s']:.0f}"}
        row |= {"max_difference": f"{found['max_difference']:.1e}", "min_cosine": f"{found['min_cosine']:.7f}"}
        rows.append(row)
        if format == "onnx":
            files[backend] = out
    for batch in (1, 8):
        for backend, ms in times(files, batch, about, rounds).items():
            next(r for r in rows if (r["backend"], r["format"]) == (backend, "onnx"))[f"ms_batch_{batch}"] = f"{ms:.2f}"
    for row in rows:
        print("  ".join(f"{row.get(field, '')!s}" for field in FIELDS), flush=True)
    return rows


def times(files: dict[str, Path], batch: int, about: dict, rounds: int) -> dict[str, float]:
    """Milliseconds per second of sound on one thread, the median of the rounds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    waves = (0.1 * np.random.default_rng(0).standard_normal((batch, about["window"]))).astype(np.float32)
    sessions = {
        b: onnxruntime.InferenceSession(str(p), options, providers=["CPUExecutionProvider"]) for b, p in files.items()
    }
    seen: dict[str, list[float]] = {backend: [] for backend in sessions}
    for _ in range(rounds + 1):
        for backend, session in sessions.items():
            began = time.perf_counter()
            session.run(None, {"waveform": waves})
            seen[backend].append(time.perf_counter() - began)
    seconds = batch * about["window"] / about["sample_rate"]
    return {backend: 1000 * float(np.median(spent[1:])) / seconds for backend, spent in seen.items()}


def python(backend: str, script: str, *arguments: str) -> dict:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{backend} {arguments}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def read() -> dict[tuple, dict]:
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {(row["encoder"], row["backend"], row["format"]): row for row in rows}


def write(rows: list[dict]) -> None:
    order = list(ENCODERS)
    ordered = sorted(rows, key=lambda row: order.index(row["encoder"]))
    write_table(TABLE, machine(f"one thread; onnxruntime {onnxruntime.__version__}"), ordered, FIELDS)


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    names = [name for name in ENCODERS if any(row["encoder"] == name for row in rows)]
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(names)), layout="constrained")
    axes = figure.subplots()
    for offset, backend in enumerate(BACKENDS):
        found = {r["encoder"]: float(r["ms_batch_8"]) for r in rows if (r["backend"], r["format"]) == (backend, "onnx")}
        there = [(place, found[name]) for place, name in enumerate(names) if name in found]
        axes.plot([v for _, v in there], [p + 0.2 * (offset - 1) for p, _ in there], "o", label=backend)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", which="both", alpha=0.3)
    axes.set(
        xlabel="ms per second of sound, batch 8, one thread", title="ONNX files of one model, by exporting backend"
    )
    axes.legend(frameon=False, title="exported from")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
