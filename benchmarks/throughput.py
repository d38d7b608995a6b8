"""From waveform to embedding: how many clips a second, beside Keras and beside the usual pipeline?

    python benchmarks/throughput.py [--rounds 7] [--threads 1 2] [--batches 1 8 32 128] [--only PART ...]

Clips of one second at 16 kHz. The zoo's light CNN, and EfficientNet-B0: --b0 as `kerascola pretrain synth-effnetb0
--data synth` makes it, or else at random weights, which int8 does not bear. Exported from each backend in float32, and
from TensorFlow with fp16 weights and in int8 where the export's gate lets it pass; served by onnxruntime and, in two
precisions, by OpenVINO. Beside them Keras `predict` on each backend; the usual pipeline, librosa's log-mel and
EfficientNet-B0 as one writes it in PyTorch; that network alone, on log-mels that are there already; and the front end's
graph alone. Each competitor lives in a process of its own, on so many cores, and takes its turn in every round, so that
a machine that slows down slows all. `times_usual` and `times_encoder` are medians over rounds of the ratio to the usual
pipeline and to its network alone in the same round; `of_peak` is the network's multiplications and additions a second,
as a share of those of a large float32 matrix product on as many cores.
The goals, on 2 cores: 6 times the usual pipeline and 3 times its network alone in float32, 10 times the usual pipeline
by the fastest artefact that passes its gate, the front end under 12 % of the whole.
Writes benchmarks/results/throughput.csv and .png.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from export_speed import MAKE
from machine import machine, write_table
from workers import Worker, serve

from kerascola.runtime.models import model_file

RESULTS = Path(__file__).parent / "results"
BACKENDS = ("tensorflow", "jax", "torch")
B0, SMALL = "EfficientNet-B0", "light CNN"
SMALL_FILE = "small.synth"
RATE = SAMPLES = 16000
TURN = 0.3  # seconds, at least, of a competitor's turn
USUAL, ALONE, FRONT = "librosa + PyTorch", "PyTorch, network alone", "front end alone"


class Way(NamedTuple):
    """A competitor: who serves which network, from which file."""

    runtime: str
    network: str
    precision: str
    backend: str  # that exported it, or on which Keras predicts
    file: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128])
    parser.add_argument("--b0", metavar="MODEL.keras")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help="of the competitors' names")
    parser.add_argument("--worker", nargs=len(Way._fields), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(Way(*args.worker))
    with tempfile.TemporaryDirectory() as place:
        ways = [
            way
            for way in make(Path(place), args.b0)
            if not args.only or any(part in " ".join(way) for part in args.only)
        ]
        rows = [row for threads in args.threads for row in measure(ways, threads, args)]
    about = f"onnxruntime {onnxruntime.__version__}; clips of 1 s at 16 kHz; load {os.getloadavg()[0]:.1f}"
    write_table(RESULTS / "throughput.csv", machine(about), list(map(readable, rows)), list(rows[0]))
    draw(rows, RESULTS / "throughput.png")


# ---- the files ----


def make(folder: Path, b0: str | None) -> list[Way]:
    ways = []
    for network, model in networks(folder, b0).items():
        name = model.stem
        for backend in BACKENDS:
            file = export(model, folder / f"{name}-{backend}.onnx", backend)
            ways.append(Way("onnxruntime", network, "fp32", backend, file))
        for precision in ("fp16", "int8"):
            file = export(model, folder / f"{name}-{precision}.onnx", BACKENDS[0], "--quantize", precision)
            if file:
                ways.append(Way("onnxruntime", network, precision, BACKENDS[0], file))
        exact = ways[-1]._replace(precision="fp32", file=str(folder / f"{name}-{BACKENDS[0]}.onnx"))
        for precision in ("fp32", "bf16"):
            ways.append(exact._replace(runtime="OpenVINO", precision=precision))
        ways += [Way("Keras predict", network, "fp32", backend, str(model)) for backend in BACKENDS]
    front = folder / "front.onnx"
    python("tensorflow", "-c", FRONT_END, str(front))
    rest = [Way(FRONT, "log-mel", "fp32", "", str(front))]
    return [Way(USUAL, B0, "fp32", "", ""), Way(ALONE, B0, "fp32", "", ""), *rest, *ways]


def networks(folder: Path, b0: str | None) -> dict[str, Path]:
    made = folder / "effnetb0.keras"
    if not b0:
        python("tensorflow", "-c", MAKE, str(made), "{}")
    return {B0: Path(b0) if b0 else made, SMALL: model_file(SMALL_FILE, "keras")}


FRONT_END = """
import sys, onnx
from kerascola.dsp.log_mel import LogMel
from kerascola.export.log_mel_graph import log_mel_graph
onnx.save(log_mel_graph(LogMel()), sys.argv[1])
"""


def export(model: Path, out: Path, backend: str, *options: str) -> str:
    """The file; none where the export refuses to write it."""
    done = python(backend, "-m", "kerascola.export.cli", str(model), "--out", str(out), *options, check=not options)
    if done.returncode == 0:
        return str(out)
    print(f"{out.name}: not written: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr, flush=True)
    return ""


def python(backend: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    if check and done.returncode:
        sys.exit(f"{backend}: {done.stderr[-2000:]}")
    return done


# ---- the rounds ----


def measure(ways: list[Way], threads: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        workers, flops, peak = dict[Way, Worker](), dict[str, float](), 0.0
        for way in ways:
            environment = {"KERAS_BACKEND": way.backend or "torch"}
            workers[way] = Worker(__file__, ["--worker", *way], threads, environment)
            stack.callback(workers[way].kill)
            told = workers[way].answer()
            flops |= {way.network: told["flops"]} if "flops" in told else {}
            print(f"{threads} threads: {' '.join(way[:4])} is ready", file=sys.stderr, flush=True)
        if ways[0].runtime == USUAL:
            peak = max(workers[ways[0]].ask("peak")["peak"] for _ in range(3))
        rows = []
        for batch in args.batches:
            turns: dict[Way, list[list[float]]] = {way: [] for way in ways}
            for _ in range(args.rounds):
                for way, worker in workers.items():
                    turns[way].append(worker.ask(str(batch))["seconds"])
            for way in ways:
                rows.append(row(way, threads, batch, turns, flops.get(way.network, 0.0), peak))
                print({k: v for k, v in readable(rows[-1]).items() if v != ""}, flush=True)
    return rows


def row(way: Way, threads: int, batch: int, turns: dict[Way, list[list[float]]], flops: float, peak: float) -> dict:
    clips = [batch / median(turn) for turn in turns[way]]

    def times(runtime: str) -> float | str:
        found = next((batches for other, batches in turns.items() if other.runtime == runtime), None)
        return median(a * median(t) / batch for a, t in zip(clips, found, strict=True)) if found else ""

    rate, single = median(clips), [1000 * seconds for turn in turns[way] for seconds in turn]
    counted = flops and peak and way.runtime != FRONT
    return {
        **dict(zip(("runtime", "network", "precision", "backend"), way, strict=False)),
        "threads": threads,
        "batch": batch,
        "clips_per_s": rate,
        "ms_per_clip": 1000 / rate,
        "p50_ms": float(np.percentile(single, 50)) if batch == 1 else "",
        "p99_ms": float(np.percentile(single, 99)) if batch == 1 else "",
        "times_usual": times(USUAL),
        "times_encoder": times(ALONE),
        "of_peak": flops * rate / peak if counted else "",
    }


# ---- in a competitor's process ----


def work(way: Way) -> None:
    threads = len(os.sched_getaffinity(0))
    makers: dict[str, Callable] = {"onnxruntime": by_onnxruntime, FRONT: by_onnxruntime, "OpenVINO": by_openvino}
    run, facts = makers.get(way.runtime, by_keras if way.runtime == "Keras predict" else by_pytorch)(way, threads)
    rng, ready = np.random.default_rng(0), set[int]()

    def turn(what: str) -> dict[str, Any]:
        if what == "peak":
            return {"peak": matrix_peak()}
        waves = (0.1 * rng.standard_normal((int(what), SAMPLES))).astype(np.float32)
        if len(waves) not in ready:  # compiled, and warm
            run(waves), run(waves)
            ready.add(len(waves))
        seconds: list[float] = []
        while sum(seconds) < TURN or len(seconds) < 2:
            began = time.perf_counter()
            run(waves)
            seconds.append(time.perf_counter() - began)
        return {"seconds": seconds}

    serve(turn, facts)


def by_onnxruntime(way: Way, threads: int):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(way.file, options, providers=["CPUExecutionProvider"])
    return lambda waves: session.run(None, {"waveform": waves}), {}


def by_openvino(way: Way, threads: int):
    import openvino

    precision = {"fp32": "f32", "bf16": "bf16"}[way.precision]
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(way.file, "CPU", settings)
    return lambda waves: compiled({"waveform": waves}), {}


def by_keras(way: Way, threads: int):
    import keras

    from kerascola.models.embedder import split

    if way.backend == "torch":
        import torch

        torch.set_num_threads(threads)
    model = keras.saving.load_model(way.file, compile=False, safe_mode=True)
    facts = {}
    if way.network == B0:
        from train_step import flops

        facts = {"flops": flops(split(model)[1])}
    return lambda waves: model.predict(waves, batch_size=len(waves), verbose=0), facts


def by_pytorch(way: Way, threads: int):
    from usual_pipeline import log_mels, network

    embed = network(threads)
    kept: dict[int, Any] = {}

    def alone(waves: np.ndarray) -> np.ndarray:
        if len(waves) not in kept:
            kept[len(waves)] = log_mels(waves)
        return embed(kept[len(waves)])

    return alone if way.runtime == ALONE else lambda waves: embed(log_mels(waves)), {}


def matrix_peak(size: int = 2048) -> float:
    """Floating-point operations a second of a large float32 product."""
    import torch

    a, b, best = torch.ones(size, size), torch.ones(size, size), float("inf")
    for _ in range(6):
        began = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


# ---- what was seen ----


def readable(row: dict[str, Any]) -> dict[str, Any]:
    return {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    threads, batch = max(row["threads"] for row in rows), 32 if any(row["batch"] == 32 for row in rows) else 1
    shown = [row for row in rows if (row["threads"], row["batch"]) == (threads, batch) and row["runtime"] != FRONT]
    shown.sort(key=lambda row: row["clips_per_s"])
    labels = [
        f"{r['network']}: {r['runtime']}{' ' + r['precision'] if r['precision'] != 'fp32' else ''}"
        f"{' (' + r['backend'] + ')' if r['backend'] else ''}"
        for r in shown
    ]
    colours = {USUAL: "C3", ALONE: "C1", "Keras predict": "C7", "onnxruntime": "C0", "OpenVINO": "C2"}
    figure = Figure(figsize=(9, 1 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(labels, [r["clips_per_s"] for r in shown], color=[colours[r["runtime"]] for r in shown])
    told = [f" {r['times_usual']:.1f} x" if r["times_usual"] != "" else "" for r in shown]
    axes.bar_label(bars, told, fontsize=8)
    axes.set(xlabel=f"clips of 1 s a second; batches of {batch}, {threads} threads; times the usual pipeline")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
