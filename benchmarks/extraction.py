"""Do judged encoders wait for anything but the network? Recordings a second of `evaluation.embeddings`.

    python benchmarks/extraction.py [--recordings 1500] [--rounds 5]

EfficientNet-B0 at random weights, exported to ONNX; wav files of one second at 16 kHz. By turns: the runtime alone, on
windows that lie in memory, 32 at a time; `Embedder` on a list of the files; and `embeddings`, which reads, checks,
embeds and keeps them, into an empty cache. Writes benchmarks/results/extraction.csv.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from export_speed import MAKE
from machine import machine, write_table

from kerascola import Embedder
from kerascola.data.made import write_sounds
from kerascola.data.recordings import Recordings
from kerascola.evaluation.embeddings import embeddings

RESULTS = Path(__file__).parent / "results"
RATE, BATCH = 16000, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = list(write_sounds(folder / "sounds", args.recordings, 10, 1.0, RATE, 0.1, seed=0))
        embedder = Embedder(exported(folder))
        windows = [soundfile.read(path, dtype="float32")[0] for path in files]
        recordings = Recordings(str(folder / "sounds"), RATE)

        def alone() -> None:
            for begin in range(0, len(windows), BATCH):
                embedder.run(windows[begin : begin + BATCH])

        def kept() -> None:
            with tempfile.TemporaryDirectory() as cache:
                embeddings(embedder, recordings, Path(cache))

        ways = {
            "the runtime alone": alone,
            "Embedder, of files": lambda: np.asarray(embedder([str(path) for path in files])),
            "embeddings, of files": kept,
        }
        alone()
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - began)
    rows = []
    for name, found in seconds.items():
        share = median(first / own for first, own in zip(seconds["the runtime alone"], found, strict=True))
        rate = f"{args.recordings / median(found):.1f}"
        rows.append({"way": name, "recordings a second": rate, "of the runtime alone": f"{share:.3f}"})
        print(rows[-1])
    write_table(RESULTS / "extraction.csv", machine(f"{args.recordings} recordings of 1 s"), rows, list(rows[0]))


def exported(folder: Path) -> Path:
    made, path = folder / "model.keras", folder / "model.onnx"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", MAKE, str(made), "{}"], check=True, env=environment)
    export = [sys.executable, "-m", "kerascola.export.cli", str(made), "--format", "onnx", "--out", str(path)]
    subprocess.run(export, check=True, env=environment)
    return path


if __name__ == "__main__":
    main()
