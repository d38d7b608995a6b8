"""The sounds that int8 is calibrated on and judged by: the user's own, or synthesised ones."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerascola.data import arrays, synth, voices
from kerascola.data.draws import collate, generator
from kerascola.data.recordings import SKIP, Recordings, Track, untracked
from kerascola.errors import AudioError, ExportError
from kerascola.export.quantize import Quantize
from kerascola.runtime.embedder import Embedder
from kerascola.runtime.metadata import Metadata

WINDOWS = 256  # half to calibrate, half to judge
LEAST = 32
AT_A_TIME = 16
POINTS = 0.5  # of accuracy that may be lost, where labels are given
CUT = 4  # one of so many synthesised sounds ends in digital silence, which recordings have and they have not


@dataclass(frozen=True)
class Sounds:
    what: str  # they are
    calibration: np.ndarray  # float32 [n, samples]
    judged: np.ndarray  # others
    accuracy: Callable[[Path], float] | None = None  # of a probe on the embeddings of an .onnx file, where labels are
    clips: int = 0  # that it is measured on
    track: Track = untracked  # of what is long


@contextmanager
def sounds_for(metadata: Metadata, asked: Quantize) -> Iterator[Sounds | None]:
    if asked.to != "int8":
        yield None
        return
    if asked.calibrate:
        what, waves = "recordings", windows_of(asked.calibrate, metadata, asked.track)
    else:
        what, waves = "synthesised sounds", synthesised(metadata)
    with tempfile.TemporaryDirectory() as cache:
        judge, clips = accuracy_on(asked.labels, metadata, Path(cache), asked.track) if asked.labels else (None, 0)
        yield Sounds(what, waves[::2], waves[1::2], judge, clips, asked.track)


def windows_of(data: str, metadata: Metadata, track: Track) -> np.ndarray:
    """Spread over all recordings, from anywhere within each; what is shorter is repeated."""
    rate, samples = metadata.sample_rate, metadata.window_samples
    recordings = Recordings(data, rate, SKIP)
    rng = np.random.default_rng(0)
    longer = np.maximum(1, recordings.seconds * rate // samples).astype(int)
    count = min(WINDOWS, int(longer.sum()))
    if count < LEAST:
        raise ExportError(
            f"{data}: expected at least {LEAST} windows of {samples / rate:g} s to calibrate on and judge by, "
            f"received {count}. Give more recordings, or leave --calibrate out for synthesised sounds"
        )
    order = rng.permutation(len(recordings))
    chosen = np.resize(order, count) if len(recordings) < count else order[:count]
    found, broken = [], []
    for index in track(chosen, count, "windows"):
        try:
            found.append(np.resize(recordings.stretch(index, samples / rate, rng.random()), samples))
        except AudioError as error:  # a header that is whole, and what follows is not
            broken.append(error)
    if len(found) < LEAST:
        raise ExportError(f"{data}: {len(broken)} of {count} windows cannot be read: {broken[0]}")
    if broken:
        warnings.warn(f"left out, {len(broken)} of {count} windows: {broken[0]}", stacklevel=2)
    return np.stack(found).astype(np.float32)


def synthesised(metadata: Metadata) -> np.ndarray:
    rng = np.random.default_rng(0)
    rate, samples = metadata.sample_rate, metadata.window_samples
    made = []
    for begin in range(0, WINDOWS, AT_A_TIME):
        drawn = collate([voices.draw(generator(0, 0, begin + n)) for n in range(AT_A_TIME)])
        made.append(synth.render(drawn, samples, rate, lambda shape: rng.standard_normal(shape, np.float32), arrays))
    waves = np.concatenate(made).astype(np.float32)
    for number in np.flatnonzero(np.arange(WINDOWS) // 2 % CUT == 0):  # of both halves
        waves[number, rng.integers(samples // 4, samples - 10) :] = 0
    return waves


def accuracy_on(data: str, metadata: Metadata, cache: Path, track: Track) -> tuple[Callable[[Path], float], int]:
    """And on how many clips it is measured."""
    from kerascola.data.draws import unlabelled
    from kerascola.data.sets import kin
    from kerascola.evaluation.embeddings import embeddings
    from kerascola.evaluation.folds import folds_of
    from kerascola.evaluation.trials import Amount, Settings, Task, trial

    recordings = readable(Recordings(data, metadata.sample_rate, SKIP), track)
    if unlabelled(recordings.labels).all():
        raise ExportError(
            f"{data} has no labels: expected --labels of a folder for each class, or a list with a column `label`"
        )
    settings = Settings(("linear",))
    task = Task(recordings.labels, kin(recordings), recordings.classes, tuple(folds_of(recordings, None)), settings)
    clips = len(task.tested)
    if clips * POINTS < 100:
        warnings.warn(
            f"{data}: accuracy is measured on {clips} clips, where one is {100 / clips:.1f} points: {100 / POINTS:.0f} "
            f"or more would tell {POINTS} points",
            stacklevel=2,
        )

    def accuracy(path: Path) -> float:
        vectors = embeddings(Embedder(path), recordings, cache, track).vectors
        scores = trial(vectors, task, "linear", Amount(), 0).scores
        return float((scores.argmax(axis=1) == task.labels[task.tested]).mean())

    return accuracy, clips


def readable(recordings: Recordings, track: Track) -> Recordings:
    """Without those that break off, which are told, so that all files are judged by the same ones."""
    from kerascola.evaluation.embeddings import decoded

    fine = np.ones(len(recordings), bool)
    for number, sound in enumerate(track(decoded(recordings, 0), len(recordings), "recordings")):
        if isinstance(sound, AudioError):
            recordings.skip(str(sound))
            fine[number] = False
    if not fine.any():
        raise ExportError(f"{recordings.source}: none of its {len(recordings)} recordings can be read (see above)")
    return recordings.where(fine)
