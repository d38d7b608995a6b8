"""How fast is one training step on two threads, on each backend, beside the same step in plain PyTorch?

    python benchmarks/train_step.py [--encoder b0|narrow] [--batch 64] [--backends tensorflow jax torch]
        [--precision float32|bfloat16] [--threads 2] [--rounds 5] [--plain]

A step: 2 x batch log-mel spectrograms of 98 x 64 through the encoder, COLA's bilinear loss, Adam. Each competitor lives
in a process of its own and takes its turn in every round, so that a machine that slows down slows all. `swapped` is
kerascola.training.swap.faster; `plain` is Keras as it comes; `XLA_FLAGS` is JAX as `kerascola pretrain` starts it. The
peer is plain_pytorch.py at the better of two memory formats; kerascola's encoders are channels-last. pairs/s is of the
wall clock; where others use the machine, believe CPU-seconds a pair and the ratio to the peer in the same round (its
median). Writes benchmarks/results/train_step-ENCODER-BATCH-PRECISION-THREADS.csv and .png. With --plain at batch 64 it
is ten processes, more than 24 GB: take --batch 32.
"""

import argparse
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from machine import machine, write_table
from workers import Worker, serve

from kerascola.cli.quiet import XLA_FLAGS

RESULTS = Path(__file__).parent / "results"
FRAMES, BANDS, PROJECTION = 98, 64, 512
ENCODERS = {"b0": {}, "narrow": {"width": 0.5, "depth": 0.5}}
PEER = "plain PyTorch"
FORMATS = ("contiguous", "channels_last")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=ENCODERS, default="b0")
    parser.add_argument("--batch", type=int, default=64, help="pairs")
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--plain", action="store_true", help="Keras without the swap, too")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    modes = ["swapped", "plain"] if args.plain else ["swapped"]
    labels = [f"{PEER} {form}" for form in FORMATS]
    labels += [f"{backend} {mode}" for backend in args.backends for mode in modes]
    labels += [f"jax {mode}, XLA_FLAGS" for mode in modes if "jax" in args.backends]
    rows, peak = measure(labels, args)
    out = RESULTS / f"train_step-{args.encoder}-{args.batch}-{args.precision}-{args.threads}"
    write_table(out.with_suffix(".csv"), header(args, peak), list(map(readable, rows)), list(rows[0]))
    draw(rows, out.with_suffix(".png"), args)
    show(rows, args, peak)


# ---- the rounds ----


def measure(labels: list[str], args) -> tuple[list[dict], float]:
    workers, facts = {}, {}
    with ExitStack() as stack:
        for label in labels:
            began = time.perf_counter()
            worker = start(label, args)
            stack.callback(worker.kill)
            workers[label], facts[label] = worker, worker.answer()
            print(f"{label}: ready after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        parameters = {label: fact["parameters"] for label, fact in facts.items()}
        if len(set(parameters.values())) != 1:
            sys.exit(f"expected the same parameters everywhere, received {parameters}")
        rounds: dict[str, list[dict]] = {label: [] for label in labels}
        for _ in range(args.rounds):
            for label, worker in workers.items():
                rounds[label].append(worker.ask("step"))
        peak = max(workers[labels[0]].ask("peak")["flops"] for _ in range(3))
    peer = min(labels[: len(FORMATS)], key=lambda label: np.median([r["cpu"] for r in rounds[label]]))
    rows = []
    for label in labels:
        wall, cpu = (np.array([r[clock] for r in rounds[label]]) / args.batch for clock in ("wall", "cpu"))
        of_peer = np.array([r["cpu"] for r in rounds[peer]]) / args.batch
        wall_of_peer = np.array([r["wall"] for r in rounds[peer]]) / args.batch
        flops = max(fact["flops_per_pair"] for fact in facts.values())
        rows.append(
            {
                "step": label,
                "pairs_per_s": 1 / np.median(wall),
                "best_pairs_per_s": 1 / wall.min(),
                "cpu_s_per_pair": np.median(cpu),
                "least_cpu_s_per_pair": cpu.min(),
                "times_peer": np.median(wall_of_peer / wall),
                "times_peer_cpu": np.median(of_peer / cpu),
                "gflop_per_pair": flops / 1e9,
                "share_of_peak": flops / wall.min() / peak,
                "loss": rounds[label][-1]["loss"],
            }
        )
    return rows, peak


def start(label: str, args) -> Worker:
    backend = "torch" if label.startswith(PEER) else label.split()[0]
    environment = {"KERAS_BACKEND": backend}
    if label.endswith("XLA_FLAGS"):
        environment["XLA_FLAGS"] = XLA_FLAGS
    options = ["--encoder", args.encoder, "--batch", str(args.batch), "--precision", args.precision]
    options += ["--threads", str(args.threads), "--worker", label]
    return Worker(__file__, options, args.threads, environment)


# ---- in a competitor's process ----


def work(args) -> None:
    spectrograms = np.random.default_rng(0).normal(size=(2 * args.batch, FRAMES, BANDS)).astype(np.float32)
    with ExitStack() as stack:
        if args.worker.startswith(PEER):
            step, facts = peer_step(spectrograms, args)
        else:
            step, facts = keras_step(spectrograms, args, stack)
        step()
        step()
        serve(lambda what: timed(step) if what == "step" else {"flops": matrix_peak()}, facts)


def timed(step) -> dict:
    wall, cpu = time.perf_counter(), time.process_time()
    loss = step()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loss": loss}


def matrix_peak(size: int = 2048) -> float:
    """Floating-point operations a second of a large float32 product."""
    import torch

    a, b = torch.ones(size, size), torch.ones(size, size)
    best = min(timed(lambda: float((a @ b)[0, 0]))["wall"] for _ in range(4))
    return 2 * size**3 / best


def keras_step(spectrograms, args, stack: ExitStack):
    import keras
    from keras import ops

    from kerascola.encoders.efficientnet import efficientnet
    from kerascola.objectives.cola import Cola
    from kerascola.training.swap import faster

    keras.utils.set_random_seed(0)
    if args.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")

    class Step(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.objective = efficientnet(BANDS, **ENCODERS[args.encoder]), Cola("bilinear", PROJECTION)

        def call(self, x, training=False):
            embeddings = self.encoder(x, training=training)
            return self.objective(ops.reshape(embeddings, (2, -1, embeddings.shape[-1])), training=training)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return y_pred["loss"]

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return self.get_metrics_result()

    model = Step()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    if args.worker.split()[1].startswith("swapped"):
        stack.enter_context(faster(model.encoder))
    facts = {"flops_per_pair": 2 * 3 * flops(model.encoder)}
    model(spectrograms[:4])
    facts["parameters"] = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)

    def step() -> float:
        logs = model.train_on_batch(spectrograms, return_dict=True)
        return float(np.asarray(logs["loss"]))

    return step, facts


def flops(encoder) -> float:
    """Of the convolutions of one spectrogram, forwards; backwards costs twice that. The rest is not counted."""
    import keras

    total = 0.0
    probe = keras.Model(encoder.input, [layer.output for layer in encoder.layers])
    shapes = dict(zip(encoder.layers, probe.compute_output_shape((1, FRAMES, BANDS)), strict=True))
    for layer in encoder.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            shape = shapes[layer]
            pixels = np.prod(shape[1:]) / layer.kernel.shape[-2 if "Depthwise" in type(layer).__name__ else -1]
            total += 2 * np.prod(layer.kernel.shape) * pixels
    return float(total)


def peer_step(spectrograms, args):
    from plain_pytorch import training_step

    layout, precision = args.worker.endswith("channels_last"), args.precision == "bfloat16"
    step, parameters = training_step(spectrograms, ENCODERS[args.encoder], args.batch, layout, precision, args.threads)
    return step, {"parameters": parameters, "flops_per_pair": 0}


# ---- what was seen ----


def header(args, peak: float) -> str:
    return machine(
        f"{args.threads} threads; {args.encoder}, {args.batch} pairs of {FRAMES} x {BANDS}, {args.precision}; "
        f"float32 matrix product {peak / 1e9:.0f} GFLOP/s; load {os.getloadavg()[0]:.1f}"
    )


def readable(row: dict) -> dict:
    return {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in row.items()}


def show(rows: list[dict], args, peak: float) -> None:
    print(header(args, peak))
    columns = ("pairs/s", "best", "CPU-s/pair", "x peer", "x peer, CPU", "of peak")
    print(f"{'median of rounds':28}" + "".join(f"{column:>13}" for column in columns))
    for row in rows:
        figures = f"{row['pairs_per_s']:13.1f}{row['best_pairs_per_s']:13.1f}{row['cpu_s_per_pair']:13.4f}"
        ratios = f"{row['times_peer']:13.2f}{row['times_peer_cpu']:13.2f}{row['share_of_peak']:13.1%}"
        print(f"{row['step']:28}{figures}{ratios}")


def draw(rows: list[dict], path: Path, args) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh([row["step"] for row in rows], [1 / row["cpu_s_per_pair"] for row in rows], height=0.6)
    axes.invert_yaxis()
    title = f"One training step, {args.encoder}, {args.batch} pairs, {args.precision}"
    axes.set(xlabel="pairs per CPU-second, median of the rounds", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
