"""Batches of clips for pre-training. What batch number `step` holds follows from (seed, step) alone."""

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import grain
import numpy as np
from absl import flags

from kerascola.augment.views import Views
from kerascola.data.draws import collate, generator, order
from kerascola.data.recordings import FAIL, Recordings
from kerascola.errors import AudioError, DataError

AHEAD = 2  # batches being read while one is trained on
THREADS = 2
Batch = dict[str, np.ndarray]


class Stream(ABC):
    """Batches by number, made or read in the background. `workers` are processes that do so, 0 for threads of this."""

    batch_size: int
    workers: int

    @abstractmethod
    def __len__(self) -> int:
        """Of a pass: examples, of which the remainder that fills no batch is left out."""

    @abstractmethod
    def keys(self, step: int) -> list[tuple[int, int]]:
        """(pass, number) of each example of a batch."""

    @abstractmethod
    def example(self, epoch: int, clip: int, broken: list[str]) -> Batch:
        """Of these two alone; why files that it should have held are not in it goes to `broken`."""

    @abstractmethod
    def say(self, broken: list[str]) -> None:
        """What `example` found, in the process that trains."""

    @property
    def steps_per_pass(self) -> int:
        return len(self) // self.batch_size

    def from_step(self, step: int) -> Generator[Batch]:
        """Endless, the next batches read in the background. Close it when it is done with."""
        threads = 0 if self.workers else THREADS
        dataset = grain.MapDataset.source(From(self, step)).to_iter_dataset(grain.ReadOptions(threads, AHEAD))
        if self.workers:
            flags.FLAGS.mark_as_parsed()  # grain asks them whether to profile
            options = grain.MultiprocessingOptions(self.workers, per_worker_buffer_size=1)
            dataset = dataset.mp_prefetch(options, end_with_parent)
        with contextlib.closing(iter(dataset)) as batches, dead_workers_said():
            for batch, broken in batches:
                self.say(broken)
                yield batch

    def read(self, step: int) -> tuple[Batch, list[str]]:
        """The batch, and why files that it should have held are not in it."""
        broken: list[str] = []
        return collate([self.example(*key, broken) for key in self.keys(step)]), broken

    def few(self, count: int = 2) -> Batch:
        """Of the first batch, to build a model with."""
        return collate([self.example(*key, []) for key in self.keys(0)[:count]])


class Batches(Stream):
    """{"clips": float32 [batch, clip_samples], ...}: clips, what `views` draws for each, and `labels` if given."""

    def __init__(
        self,
        recordings: Recordings,
        batch_size: int,
        clip_samples: int,
        views: Views,
        seed: int,
        labels: np.ndarray | None = None,
        centred: bool = True,
        workers: int = 0,
    ) -> None:
        """A sound shorter than a crop lies between silence, or where it is not `centred` before it."""
        if len(recordings) < batch_size:
            raise DataError(
                f"a batch of {batch_size} needs as many clips, {recordings.source} has {len(recordings)}: "
                f"--set train.batch_size={max(2, len(recordings))} (or a smaller train.cached_batch), or add recordings"
            )
        self.recordings, self.batch_size, self.seed = recordings, batch_size, seed
        self.clip_samples, self.views, self.labels, self.centred = clip_samples, views, labels, centred
        self.workers = workers

    def __len__(self) -> int:
        return len(self.recordings)

    def say(self, broken: list[str]) -> None:
        for reason in broken:
            self.recordings.skip(reason)

    def keys(self, step: int) -> list[tuple[int, int]]:
        epoch, within = divmod(step, self.steps_per_pass)
        clips = order(self.seed, epoch, len(self))
        return [(epoch, int(c)) for c in clips[within * self.batch_size :][: self.batch_size]]

    def example(self, epoch: int, clip: int, broken: list[str]) -> Batch:
        draw = generator(self.seed, epoch, clip)
        read, sound = self.stretch(clip, draw.random(), broken)
        streams = functools.partial(generator, self.seed, epoch, clip)
        made = example(sound, self.clip_samples, self.views, draw, streams, self.centred)
        return made if self.labels is None else {**made, "labels": self.labels[read]}

    def stretch(self, clip: int, where: float, broken: list[str]) -> tuple[int, np.ndarray]:
        """(clip, sound); instead of a file that broke since its header was read, the next one."""
        seconds = self.clip_samples / self.recordings.sample_rate
        for offset in range(len(self.recordings)):
            try:
                read = (clip + offset) % len(self.recordings)
                return read, self.recordings.stretch(read, seconds, where)
            except AudioError as error:
                if self.recordings.on_bad_file == FAIL:
                    raise
                broken.append(str(error))
        raise DataError(f"{self.recordings.source}: no file can be read any more: {broken[-1]}")


@contextlib.contextmanager
def dead_workers_said() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "terminated unexpectedly" not in str(error):
            raise
        raise DataError(
            "a process that reads recordings was ended, perhaps as memory ran out: try fewer --workers. What the run's "
            "last checkpoint has is kept: --resume"
        ) from error


def end_with_parent(worker: int, workers: int) -> None:
    """A worker would outlive a run that is killed; an interrupt from the terminal is the run's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@dataclass(frozen=True)
class From:
    """Batches by number, as grain asks for them."""

    batches: Stream
    step: int

    def __len__(self) -> int:
        return sys.maxsize // 2

    def __getitem__(self, number: int) -> tuple[Batch, list[str]]:
        return self.batches.read(self.step + number)


def example(
    sound: np.ndarray,
    clip_samples: int,
    views: Views,
    draw: np.random.Generator,
    generators: Callable[[int], np.random.Generator],
    centred: bool = True,
) -> Batch:
    """A clip of a sound, with what is drawn for its views: a shorter one lies between silence, as in the original."""
    sound = sound[:clip_samples]
    missing = views.crop_samples - len(sound)
    if missing > 0:
        before = missing // 2 if centred else 0
        sound = np.pad(sound, (before, missing - before))
    clip = np.zeros(clip_samples, np.float32)
    clip[: len(sound)] = sound
    return {"clips": clip, **views.draw(sound, draw, generators)}
