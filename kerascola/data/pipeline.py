"""Batches of clips for pre-training. What batch number `step` holds follows from (seed, step) alone."""

import functools
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from kerascola.augment.views import Views
from kerascola.data.draws import generator, order
from kerascola.data.recordings import Recordings
from kerascola.errors import AudioError, DataError

AHEAD = 2  # batches being read while one is trained on
Batch = dict[str, np.ndarray]


class Batches:
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
    ) -> None:
        """A sound shorter than a crop lies between silence, or where it is not `centred` before it."""
        if len(recordings) < batch_size:
            raise DataError(
                f"a batch of {batch_size} needs as many clips, {recordings.source} has {len(recordings)}: "
                f"--set train.batch_size={max(2, len(recordings))} (or a smaller train.cached_batch), or add recordings"
            )
        self.recordings, self.batch_size, self.seed = recordings, batch_size, seed
        self.clip_samples, self.views, self.labels, self.centred = clip_samples, views, labels, centred
        self.steps_per_pass = len(recordings) // batch_size  # the remainder of a pass is left out

    def from_step(self, step: int, threads: int = 2) -> Iterator[Batch]:
        """Endless, the next batches read in the background."""
        with ThreadPoolExecutor(threads) as pool:
            ahead: deque[list[Future]] = deque()
            while True:
                while len(ahead) <= AHEAD:
                    ahead.append([pool.submit(self.example, *key) for key in self.keys(step + len(ahead))])
                yield collate([future.result() for future in ahead.popleft()])
                step += 1

    def keys(self, step: int) -> list[tuple[int, int]]:
        """(pass, clip) of each example of a batch."""
        epoch, within = divmod(step, self.steps_per_pass)
        clips = order(self.seed, epoch, len(self.recordings))
        return [(epoch, int(c)) for c in clips[within * self.batch_size :][: self.batch_size]]

    def example(self, epoch: int, clip: int) -> Batch:
        draw = generator(self.seed, epoch, clip)
        read, sound = self.stretch(clip, where=draw.random())
        streams = functools.partial(generator, self.seed, epoch, clip)
        made = example(sound, self.clip_samples, self.views, draw, streams, self.centred)
        return made if self.labels is None else {**made, "labels": self.labels[read]}

    def stretch(self, clip: int, where: float) -> tuple[int, np.ndarray]:
        """(clip, sound); a file that breaks off in the middle of training is named and the next one read instead."""
        seconds = self.clip_samples / self.recordings.sample_rate
        for offset in range(len(self.recordings)):
            try:
                read = (clip + offset) % len(self.recordings)
                return read, self.recordings.stretch(read, seconds, where)
            except AudioError as error:
                if self.recordings.unreadable == "fail":
                    raise
                warnings.warn(f"skipped: {error}", stacklevel=2)
        raise DataError(f"{self.recordings.source}: no file can be read any more")


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


def collate(examples: list[Batch]) -> Batch:
    return {key: np.stack([example[key] for example in examples]) for key in examples[0]}
