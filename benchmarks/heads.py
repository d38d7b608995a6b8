"""What do heads cost? The embedder alone, and with 1 to 100 linear, MLP and kNN heads, in its file and in their own.

    python benchmarks/heads.py [--heads 1 10 100] [--rounds 7] [--threads 1]

Clips of one second at 16 kHz through the zoo's light CNN and EfficientNet-B0 at random weights, in onnxruntime. A head
tells ten classes apart: `linear` by one matrix, `mlp` by a hidden layer of 256, `knn` by a thousand embeddings that it
knows. Fused heads are run with the embedder in one call that asks for all scores; separate ones, each a file of its
own, after it. All take their turns in every round; `head_share` is what the heads take of the whole, the median over
rounds.
Writes benchmarks/results/heads.csv and .png.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from machine import machine, write_table
from throughput import B0, SMALL, networks

RESULTS = Path(__file__).parent / "results"
KINDS = ("linear", "mlp", "knn")
CLASSES, HIDDEN, KNOWN = 10, 256, 1000
BATCHES = (1, 32)
TURN = 0.2  # seconds, at least, of each turn
SAMPLES = 16000
ALONE, FUSED, SEPARATE = "embedder alone", "fused", "separate"


class Way(NamedTuple):
    network: str
    place: str
    kind: str
    heads: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for network, model in networks(Path(place), None).items():
            ways = dict(make(network, model, Path(place), args))
            for batch in BATCHES:
                rows += measure(ways, batch, args.rounds)
    about = f"{args.threads} threads; onnxruntime {onnxruntime.__version__}; load {os.getloadavg()[0]:.1f}"
    write_table(RESULTS / "heads.csv", machine(about), rows, list(rows[0]))
    draw(rows, RESULTS / "heads.png")


def make(network: str, model: Path, folder: Path, args: argparse.Namespace):
    """Each way, and what runs it."""
    from kerascola.export.artefact import export_file
    from kerascola.export.heads import attach
    from kerascola.export.onnx_file import lower_one
    from kerascola.models.embedder import metadata_of
    from kerascola.models.heads import load_head, save_head
    from kerascola.runtime.metadata import Classes
    from kerascola.runtime.session import outputs_of

    def quiet(line: str) -> None: ...

    name, alone = model.stem, folder / f"{model.stem}.onnx"
    known, classes = metadata_of(model), Classes(tuple(f"class {n}" for n in range(CLASSES)))
    export_file(model, alone, "onnx", quiet, {})
    embedder = opened(alone, args.threads)
    yield Way(network, ALONE, "", 0), lambda waves: embedder.run(None, {"waveform": waves})
    for kind in KINDS:
        keras_file, own_file = folder / f"{name}-{kind}.keras", folder / f"{name}-{kind}.onnx"
        save_head(head(kind, known.dimension), classes, known, keras_file)
        export_file(keras_file, own_file, "onnx", quiet, {})
        lowered = lower_one(load_head(keras_file)[0], 1)  # once: a hundred of them differ in their numbers alone
        for count in args.heads:
            print(f"{network}: {count} {kind} heads", file=sys.stderr, flush=True)
            names = [f"h{n}" for n in range(count)]
            fused_file, proto = folder / f"{name}-{kind}-{count}.onnx", onnx.load(alone)
            for each in names:
                proto = attach(proto, lowered, classes, each)
            onnx.save(proto, fused_file)
            wanted = ["embedding", *(outputs_of(each)[1] for each in names)]
            yield Way(network, FUSED, kind, count), fused(opened(fused_file, args.threads), wanted)
            own = [opened(own_file, args.threads) for _ in range(count)]
            yield Way(network, SEPARATE, kind, count), separate(embedder, own)


def head(kind: str, dimension: int):
    from kerascola.models.heads import dense, hidden, nearest

    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=dimension), rng.uniform(1, 2, dimension)
    if kind == "linear":
        return dense(rng.normal(size=(dimension, CLASSES)), rng.normal(size=CLASSES), mean, scale)
    if kind == "mlp":
        layers = [rng.normal(0, 0.05, size) for size in ((dimension, HIDDEN), (HIDDEN, CLASSES))]
        return hidden(layers, [rng.normal(size=HIDDEN), rng.normal(size=CLASSES)], mean, scale)
    votes = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, KNOWN)]
    return nearest(rng.normal(size=(KNOWN, dimension)).astype(np.float32), votes, 10, 0.07, False)


def opened(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # hundreds of sessions in one process
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def fused(session: onnxruntime.InferenceSession, wanted: list[str]) -> Callable[[np.ndarray], Any]:
    return lambda waves: session.run(wanted, {"waveform": waves})


def separate(embedder: Any, heads: list[Any]) -> Callable[[np.ndarray], Any]:
    def run(waves: np.ndarray) -> list[np.ndarray]:
        (vectors,) = embedder.run(["embedding"], {"waveform": waves})
        return [each.run(["scores"], {"embedding": vectors})[0] for each in heads]

    return run


def measure(ways: dict[Way, Callable[[np.ndarray], Any]], batch: int, rounds: int) -> list[dict[str, Any]]:
    waves = (0.1 * np.random.default_rng(0).standard_normal((batch, SAMPLES))).astype(np.float32)
    turns: dict[Way, list[list[float]]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            seconds: list[float] = []
            while sum(seconds) < TURN or len(seconds) < 2:
                began = time.perf_counter()
                run(waves)
                seconds.append(time.perf_counter() - began)
            if number:  # the first round warms up
                turns[way].append(seconds)
    alone = next(found for way, found in turns.items() if way.place == ALONE)
    rows = []
    for way, found in turns.items():
        own = median(median(turn) for turn in found)
        share = median(1 - median(a) / median(t) for a, t in zip(alone, found, strict=True))
        every = [1000 * each for turn in found for each in turn]
        rows.append(
            {
                **way._asdict(),
                "batch": batch,
                "clips_per_s": f"{batch / own:.4g}",
                "p50_ms": f"{np.percentile(every, 50):.4g}",
                "p99_ms": f"{np.percentile(every, 99):.4g}",
                "head_share": f"{share:.3f}" if way.heads else "",
            }
        )
        print(rows[-1], flush=True)
    return rows


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, network in zip(figure.subplots(1, 2, sharey=True), (SMALL, B0), strict=True):
        for kind, colour in zip(KINDS, ("C0", "C1", "C2"), strict=True):
            for place, style in ((FUSED, "o-"), (SEPARATE, "s--")):
                found = [r for r in rows if (r["network"], r["place"], r["kind"]) == (network, place, kind)]
                found = [r for r in found if r["batch"] == max(BATCHES)]
                shares = [100 * float(r["head_share"]) for r in found]
                axes.plot([r["heads"] for r in found], shares, style, color=colour, label=f"{kind}, {place}")
        axes.set_xscale("log")
        axes.set_title(f"{network}, batches of {max(BATCHES)}")
        axes.set_xlabel("heads")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    figure.axes[0].set_ylabel("% of the time that the heads take")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
