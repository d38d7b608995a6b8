"""How long from nothing to a first embedding, and in how much memory?

    python benchmarks/startup.py [--rounds 15]

A fresh process each time, files in the page cache: Python starts, imports, loads a model and embeds a wav file of one
second at 44.1 kHz. `Embedder` of the zoo's small.synth, and of EfficientNet-B0 at random weights, exported to ONNX; of
the latter also onnxruntime alone, given an array at 16 kHz (a lower bound), and as it is usually served, by librosa's
log-mel and PyTorch's own modules. All take turns in each round. The goal: 0.5 s and 250 MB by `Embedder`.

Then what onnxruntime's threads cost that wait busily ("spinning", as it has them unless told) or sleep (as `Embedder`
has them): milliseconds of a run of 32 windows, alone and beside a thread that computes, and of the processor in the
second after one.

Times are those from the start of the process; beside them the processor's, which others on the machine change less.
Medians, and the least. Writes benchmarks/results/startup.csv, startup-threads.csv and startup.png.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from extraction import exported
from machine import machine, write_table

RESULTS = Path(__file__).parent / "results"
SECONDS, MEGABYTES = 0.5, 250  # the goal
SMALL = Path(__file__).parents[1] / "zoo" / "checkpoints" / "small.synth.onnx"

END = """
import json, os, resource, sys, time
def tell(imported, loaded):
    used = resource.getrusage(resource.RUSAGE_SELF)
    scale = 2**20 if sys.platform == "darwin" else 2**10
    print(json.dumps([imported, loaded, time.time(), used.ru_utime + used.ru_stime, used.ru_maxrss / scale]))
    sys.stdout.flush()
    os._exit(0)
"""

EMBEDDER = """
import sys, time
from kerascola import Embedder
imported = time.time()
embed = Embedder(sys.argv[1])
loaded = time.time()
embed(sys.argv[2])
"""

ALONE = """
import sys, time
import numpy, onnxruntime
imported = time.time()
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
loaded = time.time()
session.run(None, {"waveform": numpy.zeros((1, 16000), numpy.float32)})
"""

USUAL = """
import sys, time
import librosa, numpy, torch
from plain_pytorch import efficientnet
imported = time.time()
with torch.device("meta"):
    network = efficientnet().eval()
network.load_state_dict(torch.load(sys.argv[1], weights_only=True), assign=True)
loaded = time.time()
with torch.inference_mode():
    sound, _ = librosa.load(sys.argv[2], sr=16000)
    power = librosa.feature.melspectrogram(y=sound, sr=16000, n_fft=1024, win_length=400, hop_length=160, n_mels=64)
    network(torch.from_numpy(numpy.log(power.T + 1e-5)).float()[None, None]).amax((2, 3)).numpy()
"""

PYTORCH = (
    "import sys, torch; from plain_pytorch import efficientnet; torch.save(efficientnet().state_dict(), sys.argv[1])"
)

THREADS = """
import json, sys, threading, time
import numpy, onnxruntime
waves = (0.1 * numpy.random.default_rng(0).standard_normal((32, 16000))).astype("float32")
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.intra_op.allow_spinning", sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
def timed():
    began = time.perf_counter()
    session.run(None, {"waveform": waves})
    return 1000 * (time.perf_counter() - began)
def busy():
    square = numpy.ones((512, 512), "float32")
    while not stop.is_set():
        numpy.sin(square)
timed()
alone = [timed() for _ in range(5)]
began = time.process_time()
time.sleep(1)
after = 1000 * (time.process_time() - began)
stop = threading.Event()
thread = threading.Thread(target=busy)
thread.start()
beside = [timed() for _ in range(5)]
stop.set()
thread.join()
print(json.dumps({"alone": alone, "beside": beside, "after": [after]}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        b0, weights, sound = exported(folder), folder / "weights.pt", folder / "sound.wav"
        subprocess.run([sys.executable, "-c", PYTORCH, str(weights)], check=True, env=environment())
        soundfile.write(sound, 0.1 * np.random.default_rng(0).standard_normal(44100), 44100)
        ways = {
            "Embedder, small.synth": (EMBEDDER, SMALL),
            "Embedder, EfficientNet-B0": (EMBEDDER, b0),
            "onnxruntime alone, EfficientNet-B0": (ALONE, b0),
            "librosa and PyTorch, EfficientNet-B0": (USUAL, weights),
        }
        taken: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for number in range(args.rounds + 1):
            for way, (program, model) in ways.items():
                found = first(program, model, sound)
                if number:  # the first reads the files
                    taken[way].append(found)
        waits: dict[str, dict[str, list[float]]] = {"spinning": {}, "sleeping": {}}
        for _ in range(args.rounds):
            for name, value in (("spinning", "1"), ("sleeping", "0")):
                command = [sys.executable, "-c", THREADS, str(b0), value]
                done = subprocess.run(command, check=True, capture_output=True, env=environment())
                for what, values in json.loads(done.stdout).items():
                    waits[name].setdefault(what, []).extend(values)
    rows = [row(way, found) for way, found in taken.items()]
    show(rows)
    write_table(RESULTS / "startup.csv", machine("files in the page cache"), rows, list(rows[0]))
    lines = [
        {"threads": name} | {f"{what}_ms": f"{median(values):.2f}" for what, values in found.items()}
        for name, found in waits.items()
    ]
    show(lines)
    write_table(RESULTS / "startup-threads.csv", machine("EfficientNet-B0"), lines, list(lines[0]))
    draw(rows, RESULTS / "startup.png")


def environment() -> dict[str, str]:
    root = Path(__file__).parents[1]
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "benchmarks")])}


def first(program: str, model: Path, sound: Path) -> dict[str, float]:
    """Seconds of each part, of all of it, of the processor; MB of resident memory at most."""
    command = [sys.executable, "-c", f"{program}\n{END}\ntell(imported, loaded)", str(model), str(sound)]
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    if not done.stdout:
        sys.exit(done.stderr)
    imported, loaded, ended, processor, megabytes = json.loads(done.stdout.splitlines()[-1])
    return {
        "import": imported - began,
        "load": loaded - imported,
        "embed": ended - loaded,
        "seconds": ended - began,
        "processor": processor,
        "mb": megabytes,
    }


def row(way: str, found: list[dict[str, float]]) -> dict[str, str]:
    def of(what: str) -> list[float]:
        return [one[what] for one in found]

    return {
        "way": way,
        "seconds": f"{median(of('seconds')):.3f}",
        "least_seconds": f"{min(of('seconds')):.3f}",
        "python_and_import": f"{median(of('import')):.3f}",
        "load": f"{median(of('load')):.3f}",
        "first_embedding": f"{median(of('embed')):.3f}",
        "processor_seconds": f"{median(of('processor')):.3f}",
        "peak_mb": f"{median(of('mb')):.0f}",
    }


def show(rows: list[dict[str, str]]) -> None:
    for one in rows:
        print(", ".join(f"{key} {value}" for key, value in one.items()), flush=True)


def draw(rows: list[dict[str, str]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    seconds, memory = figure.subplots(1, 2, sharey=True)
    names, left = [one["way"] for one in rows], [0.0] * len(rows)
    for part in ("python_and_import", "load", "first_embedding"):
        widths = [float(one[part]) for one in rows]
        seconds.barh(names, widths, left=left, label=part.replace("_", " "))
        left = [a + b for a, b in zip(left, widths, strict=True)]
    seconds.axvline(SECONDS, color="black", linewidth=0.8, linestyle="--")
    seconds.set_title("seconds to a first embedding")
    seconds.legend(fontsize=7)
    memory.barh(names, [float(one["peak_mb"]) for one in rows], color="C3")
    memory.axvline(MEGABYTES, color="black", linewidth=0.8, linestyle="--")
    memory.set_title("MB of memory at most")
    memory.invert_yaxis()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
