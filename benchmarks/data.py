"""How fast is sound read: by format, by length of file, from packs; and does an epoch's memory stay flat?

    python benchmarks/data.py [--rounds 5] [--only crops loader memory]

Synthesised sounds at 16 kHz mono, written in each format to a folder that is thrown away; all of it lies in the page
cache, so it is decoding that is measured and not a disk.

- crops: microseconds of one thread for a random second of files of 1, 10 and 600 seconds, and MB/s (of int16 sound)
  where 10-second files are read whole; beside it `librosa.load` with offset and duration, and, where TensorFlow is
  installed, tf.data with tf.audio.decode_wav, which reads the whole file, on both cores.
- loader: one-second crops a second that `Batches` delivers, in threads and from 1 and 2 worker processes.
- memory: what a process has grown by (anonymous memory, workers not counted) after 10 %, half and all of an epoch of
  100,000 files, and of packs of short and of long recordings.

Each figure is the median of the rounds, in which all take turns. Writes benchmarks/results/data.csv and .png; with
--only it prints alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from machine import machine, write_table

from kerascola.augment.views import Views
from kerascola.data.events import sounds
from kerascola.data.pack import pack
from kerascola.data.pipeline import Batches
from kerascola.data.recordings import Recordings

RESULTS = Path(__file__).parent / "results"
RATE = 16000
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III", "packed": ""}
LENGTHS = {1: 200, 10: 100, 600: 4}  # seconds: files
FIELDS = ["what", "source", "of", "kerascola", "librosa", "tf_data", "unit"]
BATCH, FILES = 256, 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=[])
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        return print(json.dumps(grown(Path(args.memory_of[0]), int(args.memory_of[1]))))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only or PARTS:
            for row in PARTS[name](Path(folder), args.rounds):
                rows.append({"what": name, **row})
                print(rows[-1], flush=True)
    if not args.only:
        write_table(RESULTS / "data.csv", machine("16 kHz mono from the page cache"), rows, FIELDS)
        draw(rows)


def crops(folder: Path, rounds: int) -> list[dict]:
    import librosa

    rows = []
    for seconds in LENGTHS:
        write(folder, seconds)
        for kind in FORMATS:
            recordings = Recordings(folder / f"{kind}-{seconds}", RATE)
            places = np.random.default_rng(0).random((200, 2))

            def ours(n: int, where: float, recordings=recordings) -> None:
                recordings.stretch(n, 1.0, where)

            def theirs(n: int, where: float, recordings=recordings) -> None:
                start = where * max(0.0, recordings.seconds[n] - 1)
                librosa.load(recordings.paths[n], sr=RATE, offset=start, duration=1.0)

            callers: list[Callable] = [ours] if kind == "packed" else [ours, theirs]
            spent = [[spent_on(call, places, len(recordings)) for call in callers] for _ in range(rounds)]
            own, *peer = (median(times) * 1e6 for times in zip(*spent, strict=True))
            row = {"source": kind, "of": f"{seconds} s", "kerascola": round(own), "unit": "us a crop"}
            rows.append(row | ({"librosa": round(peer[0])} if peer else {}))
            if kind == "wav" and (speed := tf_data(recordings.paths, rounds)):
                rows[-1]["tf_data"] = round(1e6 / speed)
            if seconds == 10:
                whole = median(timed(lambda n=n, r=recordings: r.whole(n)) for _ in range(rounds) for n in range(50))
                rows.append({"source": kind, "of": "10 s", "kerascola": round(0.32 / whole), "unit": "MB/s"})
    return rows


def spent_on(call: Callable, places: np.ndarray, files: int) -> float:
    """Seconds a call."""
    call(0, 0.5)
    began = time.perf_counter()
    for file, where in places:
        call(int(file * files), where)
    return (time.perf_counter() - began) / len(places)


def timed(call: Callable) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def tf_data(paths, rounds: int) -> float | None:
    """Crops a second on all cores."""
    try:
        import tensorflow as tf
    except ImportError:
        return None

    def crop(path):
        sound = tf.audio.decode_wav(tf.io.read_file(path), 1).audio[:, 0]
        return tf.image.random_crop(sound, [RATE])

    stream = tf.data.Dataset.from_tensor_slices([str(path) for path in paths]).shuffle(1000).repeat()
    stream = iter(stream.map(crop, num_parallel_calls=os.cpu_count()).prefetch(2))
    count = max(20, len(paths))
    next(stream)
    return median(count / timed(lambda: [next(stream) for _ in range(count)]) for _ in range(rounds))


def loader(folder: Path, rounds: int) -> list[dict]:
    write(folder, 10)
    rows = []
    for kind in ("packed", "wav", "flac"):
        recordings = Recordings(folder / f"{kind}-10", RATE)
        recordings = recordings.where(np.arange(8 * BATCH) % len(recordings))
        for workers in (0, 1, 2):
            batches = Batches(recordings, BATCH, RATE, Views(crop_samples=RATE, count=1), 0, workers=workers)
            with closing(batches.from_step(0)) as stream:
                list(islice(stream, 8))
                speed = median(8 * BATCH / timed(lambda s=stream: list(islice(s, 8))) for _ in range(rounds))
            rows.append({"source": kind, "of": f"{workers} workers", "kerascola": round(speed), "unit": "crops/s"})
    return rows


def memory(folder: Path, rounds: int) -> list[dict]:
    """Once: it is not a time."""
    short, long = folder / "many", folder / "long"
    short.mkdir()
    rng = np.random.default_rng(0)
    soundfile.write(short / "0.wav", 0.1 * rng.standard_normal(RATE // 10), RATE)
    content = (short / "0.wav").read_bytes()
    for number in range(1, FILES):
        (short / f"{number}.wav").write_bytes(content)
    pack(str(short), folder / "many-packed", RATE)
    long.mkdir()
    for number, seconds in enumerate((600, 7200)):
        with soundfile.SoundFile(long / f"{number}.wav", "w", RATE, 1) as file:
            for _ in range(seconds):
                file.write(0.1 * rng.standard_normal(RATE))
    pack(str(long), folder / "long-packed", RATE)
    rows = []
    for source, steps in ((short, FILES // BATCH), (folder / "many-packed", FILES // BATCH), (long, 400)):
        rows += memory_row(source, steps, f"{source.name}")
    return rows + memory_row(folder / "long-packed", 400, "long-packed")


def memory_row(source: Path, steps: int, name: str) -> list[dict]:
    command = [sys.executable, __file__, "--memory-of", str(source), str(steps)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [{"source": name, "of": of, "kerascola": round(mb, 1), "unit": "MB"} for of, mb in found.items()]


def grown(source: Path, steps: int) -> dict[str, float]:
    """MB of this process's own memory beyond what it had before the recordings were opened."""
    before = anonymous()
    recordings = Recordings(source, RATE)
    size = min(BATCH, len(recordings))
    opened = anonymous()
    found = {"opened": opened - before}
    with closing(Batches(recordings, size, RATE, Views(crop_samples=800, count=1), 0).from_step(0)) as stream:
        marks = {1: "first batch", steps // 10: "10 %", steps // 2: "half", steps: "all"}
        for step in range(1, steps + 1):
            next(stream)
            if step in marks:
                found[marks[step]] = anonymous() - before
    return found


def anonymous() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def write(folder: Path, seconds: int) -> None:
    """Files of that length in each format, once."""
    if (folder / f"packed-{seconds}").exists():
        return
    for number, (_, sound) in enumerate(sounds(LENGTHS[seconds], float(min(seconds, 10)), seed=seconds)):
        for kind, subtype in FORMATS.items():
            if subtype:
                path = folder / f"{kind}-{seconds}/{number}.{kind}"
                path.parent.mkdir(exist_ok=True)
                with soundfile.SoundFile(path, "w", RATE, 1, subtype) as file:
                    for _ in range(max(1, seconds // 10)):
                        file.write(sound)
    pack(str(folder / f"wav-{seconds}"), folder / f"packed-{seconds}", RATE)


def draw(rows: list[dict]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    found = [row for row in rows if row["unit"] == "us a crop"]
    kinds, width = list(FORMATS), 0.13
    for n, seconds in enumerate(LENGTHS):
        for m, (who, colour) in enumerate((("kerascola", "C0"), ("librosa", "C1"))):
            values = {row["source"]: row.get(who) for row in found if row["of"] == f"{seconds} s"}
            heights = [values.get(kind) or np.nan for kind in kinds]
            places = np.arange(len(kinds)) + (n + 3 * m - 2.5) * width
            label = f"{who}, files of {seconds} s"
            left.bar(places, heights, width, color=colour, alpha=(0.4, 0.7, 1.0)[n], label=label)
    left.set_xticks(range(len(kinds)), kinds)
    left.set_yscale("log")
    left.set_ylim(30, 2e5)
    left.set_ylabel("microseconds")
    left.set_title("a random second of a file, one thread")
    left.legend(fontsize=7, ncols=2)
    speeds = [row for row in rows if row["unit"] == "crops/s"]
    for n, kind in enumerate(dict.fromkeys(row["source"] for row in speeds)):
        values = [row["kerascola"] for row in speeds if row["source"] == kind]
        right.bar(np.arange(len(values)) + (n - 1) * 0.27, values, 0.27, label=kind)
    right.set_xticks(range(3), ["threads", "1 worker", "2 workers"])
    right.set_ylabel("one-second crops a second")
    right.set_title("the loader, files of 10 s")
    right.legend(fontsize=7)
    figure.savefig(RESULTS / "data.png", dpi=120)


PARTS = {"crops": crops, "loader": loader, "memory": memory}

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
