"""How many clips a second does each augmentation change, on one core, beside librosa and audiomentations?

    pip install audiomentations==0.43.0    # for its columns; without it they stay empty
    python benchmarks/augment.py [--batch 32] [--backends tensorflow jax torch] [--rounds 5]

Batches of clips of one second at 16 kHz. Each backend, and the two peers, live in processes of their own, all bound to
the same core, and take their turns in every round; a figure is the median of the rounds. kerascola's augmentations run
as they do inside a training step: compiled, on tensors that are there, with parameters drawn beforehand as the loader
does in its threads. The peers draw as they go, which costs them next to nothing. `views` is the waveform chain of
`CHAIN` on both views of a clip, `step` a training step of the ResNet-18 on CLAR's spectra of those views, also on one
core.
Writes benchmarks/results/augment.csv and .png; with --only it prints alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from machine import machine, write_table

from kerascola.recipes.schema import parts

RESULTS = Path(__file__).parent / "results"
RATE, SAMPLES, FRAMES, BANDS = 16000, 16000, 126, 128
WAVEFORM, SPECTROGRAM = parts("views.waveform"), parts("views.spectrogram")
CHAIN = ["pitch_shift", "fade", "time_mask", "time_shift", "time_stretch", "noise"]  # all that CLAR's paper tries
PEERS = ["librosa", "audiomentations"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="some augmentations")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        (serve_peer if args.worker in PEERS else serve)(args)
        return
    names = args.only or [*WAVEFORM, *SPECTROGRAM, "views", "step"]
    labels = [*args.backends, *PEERS]
    seconds: dict[str, dict[str, list[float]]] = {name: {label: [] for label in labels} for name in names}
    with ExitStack() as stack:
        workers = {}
        for label in labels:
            workers[label] = start(label, args)
            stack.callback(workers[label].kill)
        for name in names:
            for label in labels:
                ask(workers[label], name)  # compiles
            for _ in range(args.rounds):
                for label in labels:
                    seconds[name][label].append(ask(workers[label], name))
            print(name, {k: f"{args.batch / np.median(v):.0f}" for k, v in seconds[name].items()}, file=sys.stderr)
    rows = [row(name, seconds[name], labels, args.batch) for name in names]
    if args.only:
        return
    about = f"one core; {args.batch} clips of {SAMPLES / RATE:g} s at {RATE} Hz; clips a second"
    write_table(RESULTS / "augment.csv", machine(about), rows, list(rows[0]))
    draw(rows, args.backends, RESULTS / "augment.png")


def row(name: str, seconds: dict[str, list[float]], labels: list[str], batch: int) -> dict:
    speeds = {label: batch / float(np.median(spent)) for label, spent in seconds.items()}
    return {
        "augmentation": name,
        **{label: f"{speeds[label]:.0f}" if np.isfinite(speeds[label]) else "" for label in labels},
    }


def start(label: str, args) -> subprocess.Popen:
    one = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    backend = {"KERAS_BACKEND": "torch" if label in PEERS else label, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--worker", label, "--batch", str(args.batch)]
    return subprocess.Popen(
        command,
        env={**os.environ, **one, **backend},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}),
    )


def ask(worker: subprocess.Popen, name: str) -> float:
    worker.stdin.write(name + "\n")
    worker.stdin.flush()
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)["seconds"] or np.nan
    sys.exit(f"a competitor ended with status {worker.wait()} at {name}")


def reply(seconds: float | None) -> None:
    print(json.dumps({"seconds": seconds}), flush=True)


# ---- in kerascola's processes ----


def serve(args) -> None:
    import keras
    from keras import ops

    from kerascola.augment import chain
    from kerascola.augment.augmentation import Sound

    rng = np.random.default_rng(0)

    class Augmented(keras.Model):
        """Compiled by Keras as it compiles every model: tf.function, jax.jit."""

        def __init__(self, augmentations, views):
            super().__init__()
            self.augmentations, self.views = augmentations, views
            self.noise_seed = keras.random.SeedGenerator(0)

        def call(self, batch):
            def normal(shape):
                return keras.random.normal(shape, dtype="float32", seed=self.noise_seed)

            x = ops.concatenate([batch["x"]] * self.views, axis=0)
            return chain.apply(self.augmentations, "a", x, batch, self.views, normal)

    def make(name):
        if name == "step":
            return training_step(args.batch)
        names = CHAIN if name == "views" else [name]
        shape = (FRAMES, BANDS) if name in SPECTROGRAM else (SAMPLES,)
        sound, views = Sound(shape, RATE, 1.0), 2 if name == "views" else 1
        augmentations = [{**WAVEFORM, **SPECTROGRAM}[n](probability=1.0) for n in names]
        drawn = [
            chain.draw(augmentations, "a", sound, views, lambda i, k=k: np.random.default_rng([k, i]))
            for k in range(args.batch)
        ]
        x = (0.1 * rng.standard_normal((args.batch, *shape))).astype(np.float32)
        batch = {"x": x, **{key: np.stack([one[key] for one in drawn]) for key in drawn[0]}}
        return compiled(Augmented(augmentations, views), batch)

    ready: dict = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in ready:
            ready = {name: make(name)}
        began = time.perf_counter()
        ready[name]()
        reply(time.perf_counter() - began)


def compiled(model, batch: dict):
    """A call of the model on tensors, waited for."""
    import keras
    from keras import ops

    batch = {name: ops.convert_to_tensor(value) for name, value in batch.items()}
    model(batch)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        call = jax.jit(lambda state, batch: model.stateless_call([], state, batch))
        state = [variable.value for variable in model.non_trainable_variables]
        return lambda: jax.block_until_ready(call(state, batch))
    if backend == "tensorflow":
        import tensorflow as tf

        call = tf.function(model)
        return lambda: call(batch)
    return lambda: model(batch)


def training_step(batch: int):
    """One step on both views' spectra, features included in neither: what the encoder, the loss and Adam take."""
    import keras
    from keras import ops

    from kerascola.encoders.resnet import resnet
    from kerascola.objectives.cola import Cola
    from kerascola.training.swap import faster

    encoder = resnet(bands=BANDS, channels=3)

    class Step(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder, self.objective = encoder, Cola("dot")

        def call(self, x, training=False):
            embeddings = self.encoder(x, training=training)
            return self.objective(ops.reshape(embeddings, (2, -1, embeddings.shape[-1])), training=training)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return y_pred["loss"]

    model = Step()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    x = np.random.default_rng(0).standard_normal((2 * batch, FRAMES, BANDS, 3)).astype(np.float32)

    def step():
        with faster(encoder):
            return model.train_on_batch(x)

    return step


# ---- in the peers' ----


def serve_peer(args) -> None:
    x = (0.1 * np.random.default_rng(0).standard_normal((args.batch, SAMPLES))).astype(np.float32)
    known = {"librosa": with_librosa, "audiomentations": with_audiomentations}[args.worker]()
    for line in sys.stdin:
        change = known.get(line.strip())
        if change is None:
            reply(None)
            continue
        began = time.perf_counter()
        for clip in x:
            change(clip)
        reply(time.perf_counter() - began)


def with_librosa() -> dict:
    import librosa

    rng = np.random.default_rng(0)
    return {
        "time_stretch": lambda clip: librosa.effects.time_stretch(clip, rate=rng.uniform(0.5, 1.5)),
        "pitch_shift": lambda clip: librosa.effects.pitch_shift(clip, sr=RATE, n_steps=rng.integers(-15, 16)),
    }


def with_audiomentations() -> dict:
    """What it has of the same, by its own defaults but for the ranges that ours has."""
    try:
        import audiomentations as am
    except ModuleNotFoundError:
        return {}
    its = {
        "gain": am.Gain(-6, 6, p=1),
        "polarity": am.PolarityInversion(p=1),
        "noise": am.AddColorNoise(0, 20, p=1),
        "time_mask": am.TimeMask(0.0, 0.125, p=1),
        "time_shift": am.Shift(-0.5, 0.5, p=1),
        "low_pass": am.LowPassFilter(150, 3500, min_rolloff=24, max_rolloff=24, p=1),
        "high_pass": am.HighPassFilter(20, 2400, min_rolloff=24, max_rolloff=24, p=1),
        "band_eq": am.PeakingFilter(100, 4000, p=1),
        "fade": am.GainTransition(p=1),
        "time_stretch": am.TimeStretch(0.5, 1.5, p=1),
        "pitch_shift": am.PitchShift(-15, 15, p=1),
    }
    return {name: lambda clip, change=change: change(clip, RATE) for name, change in its.items()}


def draw(rows: list[dict], backends: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["augmentation"] not in ("views", "step")]
    figure = Figure(figsize=(9, 1 + 0.36 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for label in [*backends, *PEERS]:
        there = [(place, float(row[label])) for place, row in enumerate(rows) if row[label]]
        marker = "x" if label in PEERS else "o"
        axes.plot([speed for _, speed in there], [place for place, _ in there], marker, label=label)
    axes.set_yticks(range(len(rows)), [row["augmentation"] for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)
    axes.set(xlabel="clips of one second a second, on one core", title="Augmentations")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
