"""How many clips a second does pre-training take from files on disk, and what of the time is not the model's step?

    python benchmarks/pretrain.py [--recipes cola clar-2d] [--batch 32] [--rounds 3] [--backends tensorflow jax torch]

64 synthesised sounds of 10 s at 16 kHz in wav files. Each recipe on each backend is a process of its own, as `kerascola
pretrain` starts it. `clips_s` is of the whole loop, reading, cropping and drawing included; `outside` the share of its
time beyond that of the same steps on a batch that is there; `cached` what a clip costs where a batch three times as
large goes through the encoder in three parts (gradient caching), times what it costs in one of this size; `peak_gb` the
process's peak of memory, caching aside. The loop and its steps alone take turns, as a machine may slow down; medians.
Writes benchmarks/results/pretrain.csv.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from machine import machine, write_table

RESULTS = Path(__file__).parent / "results"
SOUNDS, SECONDS, PARTS = 64, 10.0, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["cola", "clar-2d"])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=2, metavar=("RECIPE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(*args.worker, args.batch, args.rounds)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        from kerascola.data.events import write_sounds

        write_sounds(Path(folder), SOUNDS, SECONDS, seed=0)
        for recipe in args.recipes:
            for backend in args.backends:
                command = [sys.executable, __file__, "--worker", recipe, folder]
                command += ["--batch", str(args.batch), "--rounds", str(args.rounds)]
                environment = {**os.environ, "KERAS_BACKEND": backend}
                done = subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE)
                rows.append({"recipe": recipe, "backend": backend, **json.loads(done.stdout.splitlines()[-1])})
                print(rows[-1], file=sys.stderr)
    write_table(RESULTS / "pretrain.csv", machine(f"batches of {args.batch} clips"), rows, list(rows[0]))


def measure(name: str, folder: str, size: int, rounds: int) -> dict:
    from kerascola.cli.quiet import import_keras

    import_keras(training=True)
    from kerascola import recipes
    from kerascola.data.pipeline import AHEAD, Batches
    from kerascola.data.recordings import Recordings
    from kerascola.training.assembly import build
    from kerascola.training.pretrain import labels_of
    from kerascola.training.step import Step, give_weights
    from kerascola.training.swap import faster

    recipe = recipes.load(name, [f"train.batch_size={size}"])
    sounds = Recordings(folder, recipe.frontend.sample_rate)
    labels = labels_of(sounds, recipe)
    batches = Batches(sounds, size, recipe.clip_samples, recipe.augmented_views(), 0, labels)
    pretrainer, _ = build(recipe, batches.steps_per_pass, 1)
    stream = batches.from_step(0)
    batch = next(stream)
    give_weights(pretrainer, batch)
    with faster(pretrainer):
        step = Step(pretrainer)
        timed(lambda: float(step(batch)["loss"]), 2)  # compiles
        whole, alone, parts, again = ([] for _ in range(4))
        for _ in range(rounds):
            whole += timed(lambda: float(step(next(stream))["loss"]), 3 + AHEAD)[AHEAD + 1 :]  # after what was ahead
            time.sleep(2)  # until it is ahead again, and reads no more
            alone += timed(lambda: float(step(batch)["loss"]), 2)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        step.sync()
        cached = Step(pretrainer, size)
        larger = {key: np.concatenate([values] * PARTS) for key, values in batch.items()}
        timed(lambda: float(cached(larger)["loss"]), 2)
        for _ in range(rounds):
            parts += timed(lambda: float(cached(larger)["loss"]), 1)
            again += timed(lambda: float(step(batch)["loss"]), 1)
    return {
        "clips_s": round(size / median(whole), 1),
        "outside": round(max(0.0, 1 - median(alone) / median(whole)), 3),
        "cached": round(median(parts) / PARTS / median(again), 2),
        "peak_gb": round(peak, 2),
    }


def timed(call, steps: int) -> list[float]:
    spent = []
    for _ in range(steps):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return spent


if __name__ == "__main__":
    main()
