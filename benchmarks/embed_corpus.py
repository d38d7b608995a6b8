"""How fast does `kerascola embed` go through a corpus, and does its memory stay flat?

    python benchmarks/embed_corpus.py [--minutes 20] [--rounds 3] [--many 1000000] [--hours 10]

The command itself, from its start to its end, writes Parquet from synthesised sounds at 16 kHz mono that lie in the
page cache. By two models: EfficientNet-B0 at random weights, exported to ONNX, and one that takes nothing but the mean
of a window, so that reading, cutting and writing are left. Beside the first what one usually writes: librosa and
PyTorch, file after file (`usual_pipeline.py`). Of each, hours of audio a minute, files a second, and the most memory
that the process had; `times_usual` is the median over rounds of the ratio to the usual pipeline in the same round.

- speed: --minutes of audio in each format (thirty times that by the mean) in files of 1, 10 and 600 seconds.
- count: by the mean, a hundredth, a tenth and all of --many wav files of 0.1 s.
- length: by the mean, one wav file of a hundredth, a tenth and all of --hours, a row for each window.

Each figure is the median of the rounds, in which all take turns. Writes benchmarks/results/embed_corpus.csv and .png;
with --out, elsewhere.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import onnx
import soundfile
from extraction import exported
from machine import machine, write_table
from onnx import TensorProto, helper

from kerascola.data.events import sounds
from kerascola.runtime.metadata import Metadata

SCRIPTS = Path(__file__).parent
RESULTS = SCRIPTS / "results"
RATE = 16000
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III"}
LENGTHS = (1, 10, 600)  # seconds
B0, MEAN, USUAL = "EfficientNet-B0", "mean", "librosa + PyTorch"
LINKS = 100_000  # to eight files, of which ext4 allows each 65,000
MORE = 30  # times the audio that the mean is taken of
Taken = tuple[float, float]  # seconds, and MB of resident memory at most


class Case(NamedTuple):
    what: str
    model: str
    format: str
    seconds: float  # of a file
    files: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = {B0: exported(folder), MEAN: mean_model(folder / "mean.onnx")}
        cases = list(cases_of(args.minutes, args.many, args.hours))
        for case in cases:
            write(folder, case)
        taken: dict[Case, list[Taken]] = {case: [] for case in cases}
        for _ in range(args.rounds):
            for case in cases:
                taken[case].append(embed(models, folder, case))
                print(*case, *(f"{value:.1f}" for value in taken[case][-1]), flush=True)
    rows = [row(case, taken[case], taken.get(case._replace(model=USUAL), [])) for case in cases]
    write_table(args.out / "embed_corpus.csv", machine("16 kHz mono from the page cache"), rows, list(rows[0]))
    draw(rows, args.out / "embed_corpus.png")


def cases_of(minutes: float, many: int, hours: float) -> Iterator[Case]:
    for kind in FORMATS:
        for seconds in LENGTHS:
            for model, more in ((B0, 1), (USUAL, 1), (MEAN, MORE)):
                yield Case("speed", model, kind, seconds, max(1, round(more * minutes * 60 / seconds)))
    for share in (0.01, 0.1, 1):
        yield Case("count", MEAN, "wav", 0.1, max(1, round(share * many)))
    for share in (0.01, 0.1, 1):
        yield Case("length", MEAN, "wav", float(round(share * hours * 3600)), 1)


def row(case: Case, taken: list[Taken], usual: list[Taken]) -> dict[str, str | int]:
    wall, megabytes = map(median, zip(*taken, strict=True))
    ratios = [its / mine for (mine, _), (its, _) in zip(taken, usual, strict=False)]
    return {
        "what": case.what,
        "model": case.model,
        "format": case.format,
        "file_seconds": f"{case.seconds:g}",
        "files": case.files,
        "audio_hours_a_minute": f"{case.seconds * case.files / 60 / wall:.3g}",
        "files_a_second": f"{case.files / wall:.3g}",
        "seconds": f"{wall:.2f}",
        "times_usual": f"{median(ratios):.2f}" if ratios else "",
        "peak_mb": round(megabytes),
    }


def place_of(folder: Path, case: Case) -> Path:
    return folder / f"{case.format}-{case.seconds:g}-{case.files}"


def write(folder: Path, case: Case) -> None:
    """A few files, and links to them: all have to be read and decoded."""
    place = place_of(folder, case)
    if place.exists():
        return
    place.mkdir()
    tens = [sound for _, sound in sounds(8, min(10.0, max(1.0, case.seconds)), seed=0)]
    for number in range(case.files):
        which = number % LINKS % len(tens)
        path, like = place / f"{number:07}.{case.format}", place / f"{number - number % LINKS + which:07}.{case.format}"
        if path != like:
            path.hardlink_to(like)
            continue
        left = round(case.seconds * RATE)
        with soundfile.SoundFile(path, "w", RATE, 1, FORMATS[case.format]) as file:
            while left:
                piece = tens[which][:left]
                file.write(piece)
                left -= len(piece)


def embed(models: dict[str, Path], folder: Path, case: Case) -> Taken:
    place = str(place_of(folder, case))
    if case.model == USUAL:
        command = [sys.executable, str(SCRIPTS / "usual_pipeline.py"), place, str(folder / "out.npy")]
    else:
        arguments = [str(models[case.model]), place, "--out", str(folder / "out.parquet"), "--overwrite"]
        command = [sys.executable, "-m", "kerascola.cli", "embed", *arguments, *["--frames"] * (case.what == "length")]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took, usage.ru_maxrss / 1024


def mean_model(path: Path) -> Path:
    nodes = [helper.make_node("ReduceMean", ["waveform"], ["embedding"], axes=[1], keepdims=1)]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "samples"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, Metadata(RATE, RATE, RATE // 2, 400, 1).to_props())
    onnx.save(model, str(path))
    return path


def draw(rows: list[dict], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    for model, style in ((B0, "-"), (USUAL, ":"), (MEAN, "--")):
        for kind, colour in zip(FORMATS, ("C0", "C1", "C2"), strict=True):
            found = [r for r in rows if (r["what"], r["model"], r["format"]) == ("speed", model, kind)]
            lengths = [float(r["file_seconds"]) for r in found]
            heights = [float(r["audio_hours_a_minute"]) for r in found]
            speed.plot(lengths, heights, style, marker="o", color=colour, label=f"{model}, {kind}")
    speed.set_xscale("log")
    speed.set_yscale("log")
    speed.set_xlabel("seconds of a file")
    speed.set_title("hours of audio a minute")
    figure.legend(loc="outside left center", fontsize=7, handlelength=4)
    for what, label in (("count", "more and more files"), ("length", "one file, longer and longer")):
        found = [r for r in rows if r["what"] == what]
        hours = [float(r["file_seconds"]) * r["files"] / 3600 for r in found]
        memory.plot(hours, [r["peak_mb"] for r in found], "o-", label=label)
    memory.set_xscale("log")
    memory.set_ylim(0, 1.3 * max(r["peak_mb"] for r in rows if r["what"] != "speed"))
    memory.set_xlabel("hours of audio")
    memory.set_title("MB of memory at most")
    memory.legend(fontsize=7)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
