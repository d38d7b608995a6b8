"""Shards: files of packed recordings, one after another, of which any part is read without decoding the rest.

A shard is an ArrayRecord file: a record of JSON, {"rate": 16000, "chunk": 16000}, and then the sound in chunks of so
many samples, the last one shorter: float32 that full scale stands for, a power of two, and int16. Every record carries
a checksum that is verified when it is read.
"""

import functools
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerascola.audio import read as files
from kerascola.audio.read import Header
from kerascola.audio.resample import check_rate
from kerascola.errors import AudioError, DataError

SUFFIX, FORMAT = ".array_record", "ArrayRecord PCM_16"
CHUNK = 16_000  # samples
MOST_CHUNK = 1 << 20
OPEN = 512  # shards at a time
SCALE = np.dtype("<f4")
SAMPLE = np.dtype("<i2")
FULL = 2**15  # what a sample of full scale is
WRITER = "group_size:1,uncompressed"  # sound hardly gets smaller, and a record is read alone
READER = "readahead_buffer_size:0,max_parallelism:0"


class Shard(NamedTuple):
    name: str
    records: Any
    rate: int
    chunk: int
    samples: int
    lock: threading.Lock  # reading goes on from a place


def read(path: Path, rate: int, start: float = 0.0, seconds: float | None = None) -> np.ndarray:
    """As `audio.read.read`, of a shard or of any other sound file."""
    if path.suffix != SUFFIX:
        return files.read(path, rate, start, seconds)
    shard = opened(path, rate)
    return part(shard, *bounds(shard, start, seconds))


def stream(path: Path, rate: int, start: float = 0.0, seconds: float | None = None) -> Iterator[np.ndarray]:
    """As `audio.read.stream`, of a shard or of any other sound file."""
    if path.suffix != SUFFIX:
        yield from files.stream(path, rate, start, seconds)
        return
    shard = opened(path, rate)
    first, stop = bounds(shard, start, seconds)
    for begin in range(first, stop, files.BLOCK):
        yield part(shard, begin, min(begin + files.BLOCK, stop))


def bounds(shard: Shard, start: float, seconds: float | None) -> tuple[int, int]:
    """The first sample, and that behind the last."""
    files.check_part(shard.name, start, seconds)
    first = round(start * shard.rate)
    stop = shard.samples if seconds is None else min(shard.samples, first + max(1, round(seconds * shard.rate)))
    if first >= stop:
        raise AudioError(files.silent(shard.name, start))
    return first, stop


def header(path: Path) -> Header:
    """As `audio.read.header`, of a shard or of any other sound file."""
    if path.suffix != SUFFIX:
        return files.header(path)
    shard = opened(path)
    return Header(shard.samples / shard.rate, shard.rate, 1, FORMAT)


def blocks(path: Path) -> Iterator[np.ndarray]:
    """As `audio.read.blocks`, of a shard or of any other sound file."""
    if path.suffix != SUFFIX:
        yield from files.blocks(path)
        return
    shard = opened(path)
    for first in range(0, shard.samples, shard.chunk):
        yield part(shard, first, min(first + shard.chunk, shard.samples))


def part(shard: Shard, first: int, stop: int) -> np.ndarray:
    number, skip = divmod(first, shard.chunk)
    samples = np.empty(stop - first, np.float32)
    done = 0
    try:
        with shard.lock:
            shard.records.seek(1 + number)
            while done < len(samples):  # one after another: more than twice as fast as by their numbers
                record = shard.records.read()
                chunk = np.frombuffer(record, SAMPLE, offset=SCALE.itemsize)[skip : skip + len(samples) - done]
                scale = np.frombuffer(record, SCALE, 1) / SCALE.type(FULL)
                np.multiply(chunk, scale, out=samples[done : done + len(chunk)])
                done, skip = done + len(chunk), 0
    except (RuntimeError, ValueError, IndexError) as error:
        raise AudioError(f"{shard.name}: damaged ({error}). Pack the recordings again") from error
    return samples


def opened(path: Path, rate: int | None = None) -> Shard:
    """At that rate, or at whatever it has."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise AudioError(f"{path}: expected a shard of packed sound, received: {error.strerror}") from error
    shard = _opened(str(path), status.st_mtime_ns, status.st_size)
    if rate not in (None, shard.rate):
        raise DataError(
            f"{path}: expected sound at {rate} Hz, as the model takes it, received a pack at {shard.rate} Hz. "
            f"Pack the recordings again: kerascola data pack ... --rate {rate}"
        )
    return shard


@functools.lru_cache(OPEN)
def _opened(name: str, written: int, size: int) -> Shard:
    records = array_record().ArrayRecordReader(name, READER)
    try:
        count = records.num_records()
        known = json.loads(records.read([0])[0])
        rate, chunk = check_rate(known["rate"], f"{name}: its rate"), int(known["chunk"])
        last = (len(records.read([count - 1])[0]) - SCALE.itemsize) // SAMPLE.itemsize
        if count < 2 or not 0 < last <= chunk <= MOST_CHUNK:
            raise ValueError(f"{count} records, {last} samples in the last one of {chunk}")
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise AudioError(f"{name}: expected a whole shard of packed sound, received: {error}. Pack again") from error
    return Shard(name, records, rate, chunk, (count - 2) * chunk + last, threading.Lock())


def write(path: Path, rate: int, pieces: Iterable[np.ndarray]) -> str:
    """Mono float32 pieces, one after another; the digest of what was written."""
    digest = hashlib.blake2b(digest_size=16)
    with full_disk_said(path):
        writer = array_record().ArrayRecordWriter(str(path), WRITER)
    for record in records_of(rate, pieces):
        digest.update(record)
        with full_disk_said(path):
            writer.write(record)
    with full_disk_said(path):
        writer.close()
    return digest.hexdigest()


@contextmanager
def full_disk_said(path: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise DataError(f"{path} cannot be written: {error}. Started again, it goes on") from error


def digest(path: Path) -> str:
    """As `write` gives it, of what is there; "" where it is damaged."""
    records = array_record().ArrayRecordReader(str(path), READER)
    found = hashlib.blake2b(digest_size=16)
    try:
        records.seek(0)
        for _ in range(records.num_records()):
            found.update(records.read())
    except (RuntimeError, IndexError):
        return ""
    return found.hexdigest()


def records_of(rate: int, pieces: Iterable[np.ndarray]) -> Iterator[bytes]:
    yield json.dumps({"rate": rate, "chunk": CHUNK}).encode()
    for chunk in even(pieces, CHUNK):
        scale = least_power_of_two(chunk)
        samples = np.clip(np.rint(chunk * SCALE.type(FULL / scale)), -FULL, FULL - 1)
        yield SCALE.type(scale).tobytes() + samples.astype(SAMPLE).tobytes()


def least_power_of_two(chunk: np.ndarray) -> float:
    """That it fits below: what is quiet has 16 bits, too, and what was of 16 bits those very ones.

    Integers reach -2**15 and not 2**15, so a negative peak may be the power itself.
    """
    peak = max(float(chunk.max()), -float(chunk.min()) * (1 - 2**-17))
    return math.ldexp(1.0, max(-60, math.frexp(peak)[1]))


def even(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same samples in pieces of one size, the last one shorter."""
    kept = np.zeros(0, np.float32)
    for piece in pieces:
        kept = np.concatenate([kept, piece])
        whole = len(kept) - len(kept) % size
        yield from kept[:whole].reshape(-1, size)
        kept = kept[whole:]
    if len(kept):
        yield kept


def array_record() -> Any:
    try:
        from array_record.python import array_record_module
    except ImportError as error:
        raise DataError("packed recordings need array_record: pip install 'kerascola[train]'") from error
    return array_record_module
