"""How good what is said of clips is, and how sure that is: every measure at the clips, and at clips drawn from them.

`scores` are [n, classes], higher for what is thought likelier; `labels` int [n], or float [n, classes] of 0 and 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from statistics import NormalDist
from typing import Any

import numpy as np

ABOUT = {
    "accuracy": "share of right answers",
    "balanced_accuracy": "mean over the classes of the share of each that is found",
    "macro_f1": "mean over the classes of the harmonic mean of precision and recall",
    "top_5_accuracy": "share of clips whose class is among the five likeliest",
    "mean_average_precision": "mean over the classes of the precision at each clip of the class",
    "mean_auc": "mean over the classes of the chance that a clip of it scores above one that is not",
    "d_prime": "that chance as the distance of two normal distributions, in standard deviations",
}
HEADLINES = "accuracy", "mean_average_precision"  # of one label a clip, and of several
TOP = 5
CELLS = 1 << 21  # of confusion matrices at a time


def read(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both of the clips that could be."""
    fine = np.isfinite(scores).all(axis=1)
    return scores[fine], labels[fine]


def loss_and_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Mean cross entropy and share of right answers: of the class, or of several labels' single decisions at 0.5."""
    probabilities, labels = read(probabilities, labels)
    safe = np.clip(probabilities, 1e-12, 1.0)
    if labels.ndim == 1:
        right = probabilities.argmax(axis=1) == labels
        return float(-np.log(safe[np.arange(len(labels)), labels]).mean()), float(right.mean())
    other = np.clip(1 - probabilities, 1e-12, 1.0)
    losses = -(labels * np.log(safe) + (1 - labels) * np.log(other))
    return float(losses.mean()), float(((probabilities > 0.5) == (labels > 0.5)).mean())


def judged(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Every measure, their number and their chance: of clips that could be read."""
    scores, labels = read(scores, labels)
    found = Measured(scores, labels).at([np.ones(len(labels))])
    measures = {name: float(values[0]) for name, values in found.items()}
    return {"clips": len(labels), **measures, **({"chance": chance(labels)} if found else {})}


def chance(labels: np.ndarray) -> float:
    """The accuracy of always saying the most frequent class, or the mean precision of saying anything."""
    if labels.ndim == 1:
        return float(np.bincount(labels).max() / len(labels))
    return float(labels[:, told(labels)].mean())


def told(labels: np.ndarray) -> np.ndarray:
    """Classes that some clips are of and others not."""
    return (labels.min(axis=0) < 1) & (labels.max(axis=0) > 0)


def drawn(
    scores: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray], times: int, seed: int
) -> dict[str, np.ndarray]:
    """[1 + times] of each measure: of the clips, then of as many drawn from them with replacement.

    `folds` are rows that were scored by a classifier of their own: a measure is the mean over them. The draws follow
    from the seed and the number of clips: those of two encoders are of the same clips.
    """
    found = []
    for number, rows in enumerate(folds):
        found.append(Measured(scores[rows], labels[rows]).at(resampled(len(rows), times, seed + number)))
    names = [name for name in ABOUT if any(name in fold for fold in found)]
    unknown = np.full(1 + times, np.nan)
    return {name: mean([fold.get(name, unknown) for fold in found], axis=0) for name in names}


def mean(values: Any, axis: int) -> np.ndarray:
    """Of those that are known; NaN where none is."""
    values = np.asarray(values)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=axis) / known.sum(axis=axis)


def resampled(count: int, times: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.Generator(np.random.Philox(key=seed))
    yield np.ones(count)
    for _ in range(times):
        yield np.bincount(rng.integers(count, size=count), minlength=count).astype(float)


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Of a measure as `drawn` gives it."""
    low, high = np.nanquantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


class Measured:
    """Sorts and counts once what every draw needs."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray) -> None:
        self.count = scores.shape[1]
        self.single = labels.ndim == 1
        if self.single:
            self.cell = labels * self.count + scores.argmax(axis=1)
            own = np.take_along_axis(scores, labels[:, None], axis=1)
            self.top = ((scores >= own).sum(axis=1) <= TOP) if self.count > TOP else None  # a tie counts against it
        else:
            self.curves = [Curve(scores[:, n], labels[:, n]) for n in np.flatnonzero(told(labels))]

    def at(self, draws: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """[draws] of each measure; a draw is how often each clip counts."""
        of_some = self.of_classes if self.single else self.of_several
        draws, parts = iter(draws), []
        while part := list(islice(draws, max(1, CELLS // self.count**2))):
            parts.append(of_some(np.array(part)))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def of_classes(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        size = self.count
        counts = [np.bincount(self.cell, draw, minlength=size * size) for draw in weights]
        table = np.array(counts).reshape(-1, size, size)  # true, said
        right, of_class, said = table.diagonal(axis1=1, axis2=2), table.sum(axis=2), table.sum(axis=1)
        there = np.where(of_class > 0, of_class, np.nan)
        found = {
            "accuracy": right.sum(axis=1) / of_class.sum(axis=1),
            "balanced_accuracy": mean(right / there, axis=1),
            "macro_f1": mean(2 * right / (there + said), axis=1),
        }
        return found | ({} if self.top is None else {"top_5_accuracy": weights @ self.top / weights.sum(axis=1)})

    def of_several(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        if not self.curves:
            return {}
        found = np.array([[curve.at(draw) for curve in self.curves] for draw in weights])
        precision, auc = mean(found[..., 0], axis=1), mean(found[..., 1], axis=1)
        apart = np.clip(auc, 1e-9, 1 - 1e-9)
        distance = [2**0.5 * NormalDist().inv_cdf(one) if np.isfinite(one) else np.nan for one in apart]
        return {"mean_average_precision": precision, "mean_auc": auc, "d_prime": np.array(distance)}


class Curve:
    """Clips in falling order of their score, those of equal score together."""

    def __init__(self, scores: np.ndarray, labels: np.ndarray) -> None:
        self.order = np.argsort(-scores, kind="stable")
        falling = scores[self.order]
        self.ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        self.positive = labels[self.order] > 0

    def at(self, weights: np.ndarray) -> tuple[float, float]:
        """Average precision and area under the ROC curve."""
        sorted_weights = weights[self.order]
        hits = np.cumsum(sorted_weights * self.positive)[self.ends]
        falses = np.cumsum(sorted_weights * ~self.positive)[self.ends]
        if not hits[-1] or not falses[-1]:
            return np.nan, np.nan
        new, others = np.diff(hits, prepend=0), np.diff(falses, prepend=0)
        both = np.maximum(hits + falses, 1e-12)
        precision = (new * hits / both).sum() / hits[-1]
        return float(precision), float((others * (hits - new / 2)).sum() / (hits[-1] * falses[-1]))
