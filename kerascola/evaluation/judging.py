"""Encoders on the same clips, each beside random weights of its network: a table with intervals, compared in pairs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerascola.data.recordings import Recordings, Track, untracked
from kerascola.evaluation import metrics
from kerascola.evaluation.embeddings import embeddings
from kerascola.evaluation.health import Health, health
from kerascola.evaluation.trials import Amount, Task, Trial, trial
from kerascola.runtime.embedder import Embedder

DRAWS = {False: 1000, True: 200}  # of clips with one label, and with several


@dataclass
class Encoder:
    """One that is judged; or a network at random weights, by several seeds, of which the mean is told."""

    name: str
    models: list[Path]  # .onnx
    kind: str = "given"  # or random, or baseline
    of: str | None = None  # a random one: whose network
    file: str = ""  # as it was named
    known: dict[str, Any] = field(default_factory=dict)  # what its file says of itself
    vectors: list[np.ndarray] = field(default_factory=list)  # of each model
    trials: list[Trial] = field(default_factory=list)  # of all of them
    healths: list[Health] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """Trials of a kind, as a line of the table: their mean measures, and those of clips and trials drawn from them."""

    probe: str
    amount: Amount
    trials: list[Trial]
    drawn: dict[str, np.ndarray]  # [1 + draws]
    spread: dict[str, float]  # of the trials, where there are several

    def value(self, metric: str) -> float:
        return float(self.drawn[metric][0])


def embed(
    encoders: Sequence[Encoder],
    recordings: Recordings,
    cache: Path,
    threads: int | None = None,
    track: Track = untracked,
) -> np.ndarray:
    """Fills in their vectors, of the recordings that have one by all of them: which these are."""
    fine = np.ones(len(recordings), bool)
    for encoder in encoders:
        for model in encoder.models:
            embedder = Embedder(model, threads=threads)
            found = embeddings(embedder, recordings.at(embedder.sample_rate), cache, track)
            encoder.vectors.append(found.vectors)
            fine &= np.isfinite(found.vectors).all(axis=1)
            encoder.known = about(embedder)
    for encoder in encoders:
        encoder.vectors = [vectors[fine] for vectors in encoder.vectors]
    return fine


def about(embedder: Embedder) -> dict[str, Any]:
    known = embedder.metadata
    with open(embedder.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "sha256": digest,
        "dimension": known.dimension,
        "sample_rate": known.sample_rate,
        "window_seconds": known.window_samples / known.sample_rate,
        "min_seconds": known.min_samples / known.sample_rate,
        "recipe": known.recipe,
    }


def probe(encoders: Sequence[Encoder], task: Task, origins: np.ndarray, track: Track = untracked) -> None:
    """Fills in their trials and what their embeddings are like. Of random weights each seed sees other labels."""
    planned = list(task.settings.plan())
    work = []
    for encoder in encoders:
        several = len(encoder.vectors) > 1
        for number, vectors in enumerate(encoder.vectors):
            encoder.healths.append(health(vectors, task.labels, origins, task.settings.seed))
            for kind, amount, repeat in planned:
                if not several or not repeat:
                    part = number if several and amount != Amount() else repeat
                    work.append((encoder, vectors, kind, amount, part))
    for encoder, vectors, kind, amount, repeat in track(work, len(work), "probes"):
        encoder.trials.append(trial(vectors, task, kind, amount, repeat))


def lines(encoder: Encoder, task: Task) -> list[Line]:
    """One for each probe and amount of labels, in the order of the trials."""
    kinds: dict[tuple[str, Amount], list[Trial]] = {}
    for one in encoder.trials:
        kinds.setdefault((one.probe, one.amount), []).append(one)
    return [line(kind, amount, trials, task) for (kind, amount), trials in kinds.items()]


def line(kind: str, amount: Amount, trials: list[Trial], task: Task) -> Line:
    labels = task.labels[task.tested]
    ends = np.cumsum([len(fold.test) for fold in task.folds])
    parts = np.split(np.arange(len(labels)), ends[:-1])
    times = DRAWS[labels.ndim > 1]
    each = [metrics.drawn(one.scores, labels, parts, times, task.settings.seed) for one in trials]
    drawn = {name: averaged(np.stack([found[name] for found in each]), task.settings.seed) for name in each[0]}
    spread = {name: float(np.std([found[name][0] for found in each], ddof=1)) for name in each[0] if len(each) > 1}
    return Line(kind, amount, trials, drawn, spread)


def averaged(each: np.ndarray, seed: int) -> np.ndarray:
    """Over the trials of [trials, 1 + draws]: in a draw over as many that are drawn, so that it varies as other seeds
    would make it. As the mean of so few lies among them, they are moved from it to where their spread has no bias."""
    mean, (count, times) = each.mean(axis=0), each.shape
    if count == 1:
        return mean
    which = np.random.Generator(np.random.Philox(key=seed)).integers(count, size=(count, times - 1))
    drawn = np.take_along_axis(each[:, 1:], which, axis=0).mean(axis=0)
    return np.append(mean[:1], mean[1:] + (drawn - mean[1:]) * np.sqrt(count / (count - 1)))


@dataclass(frozen=True)
class Difference:
    a: str
    b: str
    probe: str
    amount: Amount
    metric: str
    value: float
    interval: tuple[float, float]
    p: float  # of a difference as large or larger, were there none: by the draws


def difference(a: tuple[str, Line], b: tuple[str, Line], metric: str) -> Difference:
    """Of two encoders on the same clips: of every draw the one less the other."""
    gaps = a[1].drawn[metric] - b[1].drawn[metric]
    drawn = gaps[1:]
    p = 2 * min((drawn <= 0).mean(), (drawn >= 0).mean())
    limits = metrics.interval(gaps)
    at_least = 1 / len(drawn)
    return Difference(
        a[0], b[0], a[1].probe, a[1].amount, metric, float(gaps[0]), limits, float(min(1.0, max(p, at_least)))
    )


def differences(encoders: Sequence[Encoder], found: dict[str, list[Line]], metric: str) -> list[Difference]:
    """Each beside random weights of its own network, and each pair of those that are given."""
    given = [encoder.name for encoder in encoders if encoder.kind != "random"]
    pairs = [(encoder.of, encoder.name) for encoder in encoders if encoder.kind == "random" and encoder.of]
    pairs += [(a, b) for place, a in enumerate(given) for b in given[place + 1 :]]
    told = []
    for a, b in pairs:
        others = {(one.probe, one.amount): one for one in found[b]}
        for one in found[a]:
            other = others.get((one.probe, one.amount))
            if other and not one.amount.shots and one.amount.share == 1:
                told.append(difference((a, one), (b, other), metric))
    return told
