"""Recordings decoded once, at the rate that a model takes, and packed into shards.

A pack is a folder of shards, of `packed.jsonl`, a list as any other whose paths, starts and ends are of shards, and of
`pack.json`, which says how it was made. Beside each shard a note says what is where in it: what was begun is gone on
with, what is damaged is made anew, and it all ends with the same bytes.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import numpy as np

import kerascola
from kerascola.audio.read import stream
from kerascola.audio.resample import check_rate
from kerascola.data import shards
from kerascola.data.files import alone, content, write_whole
from kerascola.data.manifest import ABOUT_PACK, PACKED, PACKED_FROM, Row, columns, rows
from kerascola.data.recordings import FAIL, SKIP, Track, headers, untracked
from kerascola.errors import AudioError, DataError

MEGABYTE = 1_000_000
LOCK = ".lock"
Chosen = tuple[Row, dict[str, Any], float]  # and its seconds
Say = Callable[[str], None]


@dataclass
class Part:
    """A shard's recordings, and where in it they are: nowhere where one could not be read."""

    name: str
    chosen: list[Chosen]
    places: list[tuple[float, float] | None] = field(default_factory=list)  # seconds
    left_out: list[str] = field(default_factory=list)
    digest: str = ""


def pack(
    data: str,
    folder: str | Path,
    rate: int,
    on_bad_file: str = FAIL,
    shard_megabytes: int = 64,
    track: Track = untracked,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Returns what `pack.json` says. Where all is packed already, shards are verified and the list is renewed."""
    folder, rate = Path(folder), check_rate(rate, "the rate to pack at")
    if shard_megabytes < 1:
        raise DataError(f"expected shards of 1 megabyte or more, received {shard_megabytes}")
    found = rows(data, multi=True)
    if any(row.path.suffix == shards.SUFFIX for row in found):
        raise DataError(f"{data} is packed already. Pack the recordings that it was made from")
    known = headers(found, data, on_bad_file, track)
    broken = [str(error) for error in known if isinstance(error, AudioError)]
    listed = zip(found, columns(data, found), known, strict=True)
    chosen: list[Chosen] = [(row, record, h.seconds) for row, record, h in listed if not isinstance(h, AudioError)]
    plan = {
        "rate": rate,
        "shard_megabytes": shard_megabytes,
        "content": content((row.path, row.start, row.end) for row, _, _ in chosen),
        "made_by": f"kerascola {kerascola.__version__}",
        "made_from": data,
    }
    folder.mkdir(parents=True, exist_ok=True)
    otherwise = f"another process is packing into {folder}: wait for it, or choose another --to"
    with alone(folder / LOCK, otherwise):
        begin(folder, plan)
        parts = divided(chosen, rate, shard_megabytes * MEGABYTE)
        missing = [part for part in track(parts, len(parts), "shards looked at") if not is_whole(folder, part)]
        forecast(folder, parts, missing, rate, say)
        total = sum(len(part.chosen) for part in missing)
        for _ in track(packed(folder, missing, rate, on_bad_file == SKIP), total, "recordings"):
            pass
        return finish(folder, plan, parts, broken)


def begin(folder: Path, plan: dict[str, Any]) -> None:
    """A new folder says the plan from now on; one of another plan is left alone."""
    file = folder / ABOUT_PACK
    if not file.exists():
        if {path.name for path in folder.iterdir()} - {LOCK}:
            raise DataError(f"{folder} is not empty: choose a new folder for the pack (--to)")
        write_whole(file, as_json(plan))
    about = json.loads(file.read_bytes())
    names = {"content": "recordings", "rate": "the rate", "shard_megabytes": "the size of shards"}
    other = [what for key, what in names.items() if about.get(key) != plan[key]]
    if other:
        raise DataError(
            f"{folder} holds another pack (it differs in {' and '.join(other)}). Choose another folder (--to), or "
            "remove it"
        )


def divided(chosen: list[Chosen], rate: int, most: int) -> list[Part]:
    """In order, a shard as full as it gets below `most` bytes; a recording is never divided."""
    groups: list[list[Chosen]] = []
    size = float("inf")
    for one in chosen:
        added = one[2] * rate * shards.SAMPLE.itemsize
        if size + added > most:
            groups.append([])
            size = 0.0
        groups[-1].append(one)
        size += added
    return [Part(f"{number:05}{shards.SUFFIX}", group) for number, group in enumerate(groups)]


def is_whole(folder: Path, part: Part) -> bool:
    """Whether it was written before, and is what was written; then it knows what is where."""
    note = note_of(folder, part)
    if not note.is_file() or not (folder / part.name).is_file():
        return False
    said = json.loads(note.read_bytes())
    part.places, part.left_out, part.digest = said["places"], said["left_out"], said["digest"]
    return shards.digest(folder / part.name) == part.digest


def note_of(folder: Path, part: Part) -> Path:
    return folder / f"{part.name}.json"


def forecast(folder: Path, parts: list[Part], missing: list[Part], rate: int, say: Say) -> None:
    left = sum(seconds for part in missing for _, _, seconds in part.chosen) * rate * shards.SAMPLE.itemsize
    free = shutil.disk_usage(folder).free
    if not missing:
        return say(f"{folder}: all of its {len(parts)} shards are there and whole")
    there = f"{len(parts) - len(missing)} of {len(parts)} shards are there, " if len(missing) < len(parts) else ""
    say(f"{folder}: {there}{left / 1e6:,.0f} MB in {len(missing)} to come; {free / 1e6:,.0f} MB are free")
    if left * 1.01 > free:
        raise DataError(f"{folder}: expected {left / 1e6:,.0f} MB of free space, there are {free / 1e6:,.0f}")


def packed(folder: Path, parts: list[Part], rate: int, skip: bool) -> Iterator[Any]:
    """Shards in threads of their own; yields once for each recording."""
    done: SimpleQueue = SimpleQueue()
    stop = Event()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        futures = [threads.submit(write_part, folder, part, rate, skip, done.put, stop) for part in parts]
        for future in futures:
            future.add_done_callback(done.put)
        try:
            finished = 0
            while finished < len(futures):
                one = done.get()
                if isinstance(one, Future):
                    one.result()
                    finished += 1
                else:
                    yield one
        finally:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)


def write_part(folder: Path, part: Part, rate: int, skip: bool, done: Callable[[Path], None], stop: Event) -> None:
    partial = folder / f".partial-{part.name}"
    part.places, part.left_out = [], []
    try:
        part.digest = shards.write(partial, rate, sound_of(part, rate, skip, done, stop))
        if shards.digest(partial) != part.digest:
            raise DataError(f"{partial}: what was written is not what is read. Is the disk in order?")
        os.replace(partial, folder / part.name)
    finally:
        partial.unlink(missing_ok=True)
    said = {"places": part.places, "left_out": part.left_out, "digest": part.digest}
    write_whole(note_of(folder, part), as_json(said))


def sound_of(part: Part, rate: int, skip: bool, done: Callable[[Path], None], stop: Event) -> Iterator[np.ndarray]:
    """All of its recordings; where one breaks, what was read of it stays in the shard and no list names it."""
    at = 0
    for row, _, _ in part.chosen:
        first = at
        try:
            for piece in stream(row.path, rate, row.start, None if row.end is None else row.end - row.start):
                if stop.is_set():
                    raise KeyboardInterrupt
                at += len(piece)
                yield piece
            part.places.append((first / rate, at / rate))
        except AudioError as error:
            if not skip:
                raise DataError(f"{error}\nMend or remove it, or go on without: --on-bad-file skip") from error
            part.left_out.append(str(error))
            part.places.append(None)
        done(row.path)


def finish(folder: Path, plan: dict[str, Any], parts: list[Part], broken: list[str]) -> dict[str, Any]:
    listed = [
        record_of(part.name, one, place)
        for part in parts
        for one, place in zip(part.chosen, part.places, strict=True)
        if place is not None
    ]
    if not listed:
        raise DataError(f"{plan['made_from']}: none of its recordings can be read")
    about = {
        **plan,
        "recordings": len(listed),
        "hours": sum(record["end"] - record["start"] for record in listed) / 3600,
        "shards": {part.name: part.digest for part in parts},
        "left_out": [*broken, *(reason for part in parts for reason in part.left_out)],
    }
    write_whole(folder / ABOUT_PACK, as_json(about))
    write_whole(folder / PACKED, "".join(f"{json.dumps(record, default=str)}\n" for record in listed).encode())
    return about


def record_of(shard: str, chosen: Chosen, place: tuple[float, float]) -> dict[str, Any]:
    """All that the list says of it, but that its place is now in the shard."""
    row, record, _ = chosen
    before = {PACKED_FROM: os.path.abspath(row.path)}
    before |= {f"{PACKED_FROM}_{key}": record[key] for key in ("start", "end") if record.get(key) not in (None, "")}
    return {**record, "path": shard, "start": place[0], "end": place[1], **before}


def as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode()
