"""The embeddings of recordings: each of them goes through a model once.

They are kept by the model's content and that of the recordings, whatever their labels, and a block of them is written
as soon as it is done, so that what was stopped goes on.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np

from kerascola.data.files import alone, content
from kerascola.data.recordings import FAIL, Recordings, Track, untracked
from kerascola.errors import AudioError, DataError, KerascolaError, listing
from kerascola.runtime.embedder import Embedder

FORMAT = "1"  # another where the same model and recordings would give other numbers
BLOCK = 512  # recordings that are written at a time
AT_ONCE, SECONDS = 32, 600.0  # recordings that are decoded together, and at most how long they are, unless it is one


@dataclass(frozen=True)
class Embeddings:
    vectors: np.ndarray  # float32 [recordings, dimension], NaN all along where there is none
    missing: dict[int, str]  # why not


def embeddings(embedder: Embedder, recordings: Recordings, cache: Path, track: Track = untracked) -> Embeddings:
    """Of all recordings, in their order. One that gives none fails, once the others are kept, or is said."""
    folder = cache / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    name = key(embedder, recordings)
    rows, reasons = folder / f"{name}.f32", folder / f"{name}.missing.jsonl"
    with alone(folder / f"{name}.lock", "another process embeds these recordings by this model: wait for it"):
        if not rows.exists():
            extract(embedder, recordings, rows.with_suffix(".part"), reasons, track)
            os.replace(rows.with_suffix(".part"), rows)
    vectors = np.fromfile(rows, np.float32).reshape(len(recordings), embedder.dimension)
    missing = {number: reason for number, reason in map(json.loads, reasons.read_text().splitlines())}
    say(missing, recordings, embedder)
    return Embeddings(vectors, missing)


def key(embedder: Embedder, recordings: Recordings) -> str:
    with open(embedder.path, "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    ends = recordings.starts + recordings.seconds
    sounds = content(zip(recordings.paths, recordings.starts.tolist(), ends.tolist(), strict=True))
    return hashlib.blake2b(f"{FORMAT} {model} {sounds}".encode(), digest_size=16).hexdigest()


def extract(embedder: Embedder, recordings: Recordings, part: Path, reasons: Path, track: Track) -> None:
    size = 4 * embedder.dimension
    with part.open("ab") as out:
        done = out.tell() // size
        out.truncate(done * size)
    with reasons.open("a") as why, part.open("ab") as out:
        left = len(recordings) - done
        sounds = iter(track(decoded(recordings, done), left, "recordings"))
        for first in range(done, len(recordings), BLOCK):
            count = min(BLOCK, len(recordings) - first)
            vectors, missing = block(embedder, islice(sounds, count), first, count)
            why.writelines(json.dumps([number, reason]) + "\n" for number, reason in missing.items())
            why.flush()  # before what it is about
            out.write(vectors.tobytes())
            out.flush()


def block(
    embedder: Embedder, sounds: Iterator[np.ndarray | AudioError], first: int, count: int
) -> tuple[np.ndarray, dict[int, str]]:
    vectors = np.full((count, embedder.dimension), np.nan, np.float32)
    missing: dict[int, str] = {}
    places: list[int] = []

    def readable() -> Iterator[np.ndarray]:
        for place, sound in enumerate(sounds):
            if isinstance(sound, AudioError):
                missing[first + place] = str(sound)
            else:
                places.append(place)
                yield sound

    for index, found in embedder.each(readable(), embedder.sample_rate, on_error="return"):
        if isinstance(found, KerascolaError):
            missing[first + places[index]] = str(found)
        else:
            vectors[places[index]] = found
    return vectors, missing


def decoded(recordings: Recordings, first: int) -> Iterator[np.ndarray | AudioError]:
    """In order. Some are decoded, on all cores but one, then they are embedded: onnxruntime leaves none to others while
    it runs."""

    def whole(number: int) -> np.ndarray | AudioError:
        try:
            return recordings.whole(number)
        except AudioError as error:
            return error

    with ThreadPoolExecutor(max(1, (cpu_count() or 1) - 1)) as threads:
        while first < len(recordings):
            lengths = np.cumsum(recordings.seconds[first : first + AT_ONCE])
            last = first + max(1, int((lengths <= SECONDS).sum()))
            yield from list(threads.map(whole, range(first, last)))
            first = last


def say(missing: dict[int, str], recordings: Recordings, embedder: Embedder) -> None:
    if not missing:
        return
    lines = []
    for number, reason in sorted(missing.items()):
        path = str(recordings.paths[number])
        lines.append(reason if reason.startswith(path) else f"{path}: {reason}")
    message = f"{len(missing)} of {len(recordings)} recordings gave no embedding by {embedder.path}:\n{listing(lines)}"
    if len(missing) == len(recordings):
        raise DataError(f"{message}\nMend them, or take others")
    if recordings.on_bad_file == FAIL:
        raise DataError(f"{message}\nMend or remove them, or go on without: --on-bad-file skip")
    warnings.warn(message, stacklevel=3)
