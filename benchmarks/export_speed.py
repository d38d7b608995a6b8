"""How fast is one embedder's ONNX file, exported from each backend?

    python benchmarks/export_speed.py [--encoder tiny|b0] [--rounds 12]

Exports the same Keras file from TensorFlow, JAX and torch, each in a process of its own, then times the three files in
turn, round by round, so that a machine that slows down slows all three. The goal: medians within 5 %. Beside them,
in the same rounds, the graphs as the converters leave them (front end lowered by the backend, nothing folded), and the
front end alone. Writes benchmarks/results/export_speed-ENCODER.csv and .png.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from machine import machine, write_table

BACKENDS = ("tensorflow", "jax", "torch")
RESULTS = Path(__file__).parent / "results"
ENCODERS = {"tiny": {"width": 0.25, "depth": 0.1}, "b0": {}}
BATCHES = (1, 8, 32)
SECONDS = 1

MAKE = """
import sys, keras
from kerascola.dsp.log_mel import LogMel
from kerascola.encoders.efficientnet import MIN_FRAMES, efficientnet
from kerascola.frontends.frontend import frontend
from kerascola.models.embedder import embedder, save_embedder
from kerascola.runtime.metadata import Metadata
keras.utils.set_random_seed(0)
spec = LogMel()
model = embedder(frontend(spec), efficientnet(**eval(sys.argv[2])))
least = spec.samples(MIN_FRAMES)
save_embedder(model, Metadata(16000, 16000, 16000, least, model.output.shape[-1]), sys.argv[1])
"""

PARTS = """
import sys, onnx
from pathlib import Path
from kerascola.dsp.log_mel import LogMel
from kerascola.export.log_mel_graph import log_mel_graph, OPSET
from kerascola.export.onnx_file import lowering
from kerascola.models.embedder import load_embedder
model, metadata = load_embedder(sys.argv[1])
onnx.save(lowering().lower(model, metadata.min_samples, OPSET), sys.argv[2])
onnx.save(log_mel_graph(LogMel()), sys.argv[3])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=ENCODERS, default="b0")
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = make(Path(folder), ENCODERS[args.encoder])
        rows = measure(files, args.rounds)
    out = RESULTS / f"export_speed-{args.encoder}"
    write_table(out.with_suffix(".csv"), header(), list(map(readable, rows)), list(rows[0]))
    draw(rows, out.with_suffix(".png"), args.encoder)
    show(rows)


def make(folder: Path, encoder: dict) -> dict[str, Path]:
    """Label -> ONNX file."""
    model = folder / "model.keras"
    python("tensorflow", "-c", MAKE, str(model), repr(encoder))
    files = {}
    for backend in BACKENDS:
        print(f"exporting from {backend}", file=sys.stderr, flush=True)
        files[backend] = folder / f"{backend}.onnx"
        python(backend, "-m", "kerascola.export.cli", str(model), "--out", str(files[backend]))
        files[f"{backend}, as converted"] = folder / f"{backend}-raw.onnx"
        python(backend, "-c", PARTS, str(model), str(files[f"{backend}, as converted"]), str(folder / "front.onnx"))
    files["front end alone"] = folder / "front.onnx"
    return files


def python(backend: str, *arguments: str) -> None:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{backend}: {done.stderr[-2000:]}")


def measure(files: dict[str, Path], rounds: int) -> list[dict]:
    """Milliseconds per second of sound on one thread: the median and least of `rounds` rounds, for each batch size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {
        label: onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for label, path in files.items()
    }
    rng = np.random.default_rng(0)
    rows = []
    for batch in BATCHES:
        waves = (0.1 * rng.standard_normal((batch, 16000 * SECONDS))).astype(np.float32)
        runs = max(2, 64 // batch)  # in a round, so that each lasts a while
        times: dict[str, list[float]] = {label: [] for label in sessions}
        for _ in range(rounds + 1):
            for label, session in sessions.items():
                feed = {session.get_inputs()[0].name: waves}
                began = time.perf_counter()
                for _ in range(runs):
                    session.run(None, feed)
                times[label].append((time.perf_counter() - began) / runs / batch / SECONDS * 1000)
        for label, seen in times.items():
            kept = sorted(seen[1:])  # the first round warms up
            rows.append({"graph": label, "batch": batch, "median_ms": float(np.median(kept)), "least_ms": kept[0]})
    return rows


def spread(rows: list[dict], batch: int, figure: str) -> float:
    """The slowest of the three exports over the fastest."""
    times = [row[figure] for row in rows if row["batch"] == batch and row["graph"] in BACKENDS]
    return max(times) / min(times)


def header() -> str:
    return machine(f"one thread; onnxruntime {onnxruntime.__version__}; {SECONDS} s clips at 16 kHz")


def readable(row: dict) -> dict:
    return {**row, "median_ms": f"{row['median_ms']:.4f}", "least_ms": f"{row['least_ms']:.4f}"}


def show(rows: list[dict]) -> None:
    print(header())
    print(f"{'ms per second of sound, median (least)':40}" + "".join(f"{f'batch {batch}':>18}" for batch in BATCHES))
    for label in dict.fromkeys(row["graph"] for row in rows):
        cells = [row for row in rows if row["graph"] == label]
        print(f"{label:40}" + "".join(f"{row['median_ms']:10.3f} ({row['least_ms']:.3f})" for row in cells))
    for figure in ("median_ms", "least_ms"):
        ratios = "".join(f"{(spread(rows, batch, figure) - 1):18.1%}" for batch in BATCHES)
        print(f"{'slowest over fastest export, ' + figure.removesuffix('_ms'):40}{ratios}")


def draw(rows: list[dict], path: Path, encoder: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    labels = list(dict.fromkeys(row["graph"] for row in rows))
    for offset, batch in enumerate(BATCHES):
        times = [row["median_ms"] for row in rows if row["batch"] == batch]
        axes.barh(np.arange(len(labels)) + 0.27 * (offset - 1), times, height=0.25, label=f"batch {batch}")
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.invert_yaxis()
    axes.set(
        xlabel="ms per second of sound, one thread", title=f"One embedder ({encoder}), exported from three backends"
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
