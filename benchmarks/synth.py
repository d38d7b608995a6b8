"""How much sound does the synthesiser make a second, on each backend, and beside a training step on it?

    python benchmarks/synth.py [--batch 64] [--rounds 5] [--cores 1] [--accelerator]

Renders batches of one second at 16 kHz, in a process for each backend that lives through all rounds, by turns; a figure
is the median over rounds of sound per second of processor time, or of the wall clock with --accelerator. `step` is a
step of EfficientNet-B0 under COLA on as many pairs, --batch / 2, and `share` what rendering is of a step that renders
and trains. The goals: 60 times real time on a processor's core, and under a quarter of a step on an accelerator.
Writes benchmarks/results/synth.csv and .png (synth-accelerator with --accelerator).
"""

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
from machine import machine, write_table
from workers import Worker, serve

from kerascola.cli.quiet import XLA_FLAGS

RESULTS = Path(__file__).parent / "results"
WAYS = ("numpy", "tensorflow", "jax", "torch")
RATE = SAMPLES = 16000
GOAL = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64, help="sounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--backends", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--accelerator", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(args.worker, args.batch, args.accelerator)
    workers = {way: start(way, args) for way in args.backends if way != "numpy" or not args.accelerator}
    rounds: dict[str, list[dict]] = {way: [] for way in workers}
    for _ in range(args.rounds):
        for way, worker in workers.items():
            rounds[way].append(worker.ask("again"))
            print(way, rounds[way][-1], flush=True)
    for worker in workers.values():
        worker.kill()
    rows = [row(way, found, args.batch) for way, found in rounds.items()]
    name = "synth-accelerator" if args.accelerator else "synth"
    about = f"{'an accelerator' if args.accelerator else f'{args.cores} of the cores'}; {args.batch} sounds of 1 s"
    write_table(RESULTS / f"{name}.csv", machine(about), rows, list(rows[0]))
    draw(rows, RESULTS / f"{name}.png", "wall clock" if args.accelerator else "processor time")


def row(way: str, found: list[dict], batch: int) -> dict[str, str]:
    made = median(one["render"] for one in found)
    told = {"renders on": way, "sound per second": f"{batch / made:.0f}"}
    if "step" not in found[0]:
        return {**told, "render, ms": f"{1000 * made:.1f}", "step, ms": "", "share": ""}
    step = median(one["step"] for one in found)
    share = median(one["render"] / (one["render"] + one["step"]) for one in found)
    return {**told, "render, ms": f"{1000 * made:.1f}", "step, ms": f"{1000 * step:.1f}", "share": f"{share:.3f}"}


def start(way: str, args: argparse.Namespace) -> Worker:
    environment = {"KERAS_BACKEND": way} if way != "numpy" else {}
    if way == "jax" and not args.accelerator:
        environment["XLA_FLAGS"] = XLA_FLAGS  # as `kerascola pretrain` does
    options = ["--worker", way, "--batch", str(args.batch), *["--accelerator"] * args.accelerator]
    worker = Worker(__file__, options, None if args.accelerator else args.cores, environment)
    worker.answer()
    return worker


# ---- a process for each backend ----


def work(way: str, batch: int, accelerator: bool) -> None:
    clock = time.perf_counter if accelerator else time.process_time
    render, step = in_numpy(batch) if way == "numpy" else by_keras(batch)
    ways = {"render": render} | ({"step": step} if step else {})
    for make in ways.values():
        make(), make()  # compiled, and warm

    def again(_: str) -> dict[str, float]:
        told = {}
        for name, make in ways.items():
            began = clock()
            make()
            told[name] = clock() - began
        return told

    serve(again)


def sounds(batch: int) -> dict[str, np.ndarray]:
    from kerascola.data import voices

    drawn = [voices.draw(np.random.default_rng(n)) for n in range(batch)]
    return {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}


def in_numpy(batch: int):
    from kerascola.data import arrays, synth

    made_of, rng = sounds(batch), np.random.default_rng(0)

    def normal(shape):
        return rng.standard_normal(shape, np.float32)

    return lambda: synth.render(made_of, SAMPLES, RATE, normal, arrays), None


def by_keras(batch: int):
    """Both as the training step has them: what is rendered goes on to the device's next operation."""
    import keras
    from keras import ops

    from kerascola import recipes
    from kerascola.data.synthesised import Synthesised
    from kerascola.training.assembly import build
    from kerascola.training.step import Step, give_weights
    from kerascola.training.swap import faster

    recipe = recipes.load("cola", ["data.clip_seconds=1", f"train.batch_size={batch // 2}"])
    batches = Synthesised(recipe.data.synth, batch // 2, SAMPLES, recipe.augmented_views(), 0)
    made_of, _ = batches.read(0)
    pretrainer, _ = build(recipe, 1)
    give_weights(pretrainer, batches.few())
    backend, run = keras.backend.backend(), pretrainer.render
    if backend == "tensorflow":
        import tensorflow as tf

        gpu = bool(tf.config.get_visible_devices("GPU"))
        compiled = tf.function(lambda numbers: run(numbers, pretrainer.normal)[0], jit_compile=gpu)

        def made(numbers):
            return compiled({name: tf.constant(value) for name, value in numbers.items()})
    elif backend == "jax":
        import jax

        def pure(numbers, seed):
            with keras.StatelessScope([(pretrainer.noise_seed.state, seed)]):
                return run(numbers, pretrainer.normal)[0]

        compiled = jax.jit(pure)

        def made(numbers):
            return compiled(numbers, pretrainer.noise_seed.state.value).block_until_ready()
    else:
        import torch

        def made(numbers):
            with torch.no_grad():
                found = run({name: ops.convert_to_tensor(value) for name, value in numbers.items()}, pretrainer.normal)
            return found[0]

    swapped = faster(pretrainer)
    swapped.__enter__()
    trains, clips = Step(pretrainer), keras.ops.convert_to_numpy(made(made_of))
    starts = {name: value for name, value in made_of.items() if not name.startswith("synth.")}
    plain = {"clips": clips[: batch // 2], **starts}
    return (
        lambda: float(ops.convert_to_numpy(made(made_of)[0, 0])),
        lambda: float(ops.convert_to_numpy(trains(plain)["loss"])),
    )


def draw(rows: list[dict], path: Path, clock: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.2 + 0.5 * len(rows)), layout="constrained")
    axes = figure.subplots()
    names = [row["renders on"] for row in rows]
    bars = axes.barh(names, [float(row["sound per second"]) for row in rows], 0.6)
    said = [
        f" {row['sound per second']}" + (f", {float(row['share']):.0%} of a step" if row["share"] else "")
        for row in rows
    ]
    axes.bar_label(bars, said, fontsize=8)
    axes.axvline(GOAL, color="grey", linestyle=":", label=f"goal: {GOAL}")
    axes.invert_yaxis()
    axes.margins(x=0.3)
    axes.set(xlabel=f"seconds of sound a second of {clock}", title="The synthesiser")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
