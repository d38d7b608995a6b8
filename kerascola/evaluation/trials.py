"""What probes say of the clips that are tested, fitted on all labels or on few, in every fold."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerascola.data.draws import few, kept, unlabelled
from kerascola.errors import DataError
from kerascola.evaluation.folds import Fold, dealt
from kerascola.evaluation.knn import knn
from kerascola.evaluation.linear import ALPHAS, CS, Linear, Valid, logistic, ridge
from kerascola.evaluation.mlp import Mlp, mlp

PROBES = "linear", "ridge", "mlp", "knn"
UNHEARD = -1e30  # the score of a class that training had no clip of
C, ALPHA = 1.0, 100.0  # where nothing can be chosen: scikit-learn's, and the middle
INNER = 3  # folds of the training clips, to choose by


@dataclass(frozen=True)
class Amount:
    """How many of the training labels are used: all, a share of each class, or so many of each."""

    share: float = 1.0
    shots: int = 0

    def __str__(self) -> str:
        return f"{self.shots} per class" if self.shots else "all" if self.share == 1 else f"{100 * self.share:g} %"

    @property
    def number(self) -> float:
        return self.shots or self.share

    def chosen(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """Which of the rows."""
        left = few(labels, self.shots, seed) if self.shots else kept(labels, self.share, seed)
        return np.flatnonzero(~unlabelled(left))


@dataclass(frozen=True)
class Settings:
    probes: tuple[str, ...] = ("linear", "knn")
    cs: tuple[float, ...] = CS
    k: int = 20
    temperature: float = 0.07
    amounts: tuple[Amount, ...] = ()  # besides all
    repeats: int = 5  # of each of these amounts, other labels each time
    seed: int = 0

    def plan(self) -> Iterator[tuple[str, Amount, int]]:
        for probe in self.probes:
            yield probe, Amount(), 0
            for amount in self.amounts:
                yield from ((probe, amount, repeat) for repeat in range(self.repeats))


@dataclass(frozen=True)
class Trial:
    probe: str
    amount: Amount
    repeat: int
    scores: np.ndarray  # [tested, classes], fold after fold
    train_clips: int  # on average over the folds
    chosen: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What is asked of every encoder. Folds are numbers of the recordings."""

    labels: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    settings: Settings

    @property
    def tested(self) -> np.ndarray:
        return np.concatenate([fold.test for fold in self.folds])


def check(settings: Settings, multi: bool) -> None:
    strange = [probe for probe in settings.probes if probe not in PROBES]
    if strange or not settings.probes:
        raise DataError(f"expected probes of {', '.join(PROBES)}, received {', '.join(strange) or 'none'}")
    if multi and any(amount.shots for amount in settings.amounts):
        raise DataError("--shots are of clips with one label each: take --fractions where there may be several")


def trial(vectors: np.ndarray, task: Task, probe: str, amount: Amount, repeat: int) -> Trial:
    """Of the embeddings [recordings, dimension]."""
    scores, counts, chosen = [], [], []
    for fold in task.folds:
        rows = fold.train[amount.chosen(task.labels[fold.train], task.settings.seed + repeat)]
        found, options = scored(vectors, task, fold, probe, rows, task.settings.seed + repeat)
        scores.append(found)
        counts.append(len(rows))
        chosen.append(options)
    together = {name: [options[name] for options in chosen] for name in chosen[0]}
    return Trial(probe, amount, repeat, np.concatenate(scores), round(float(np.mean(counts))), together)


def scored(
    vectors: np.ndarray, task: Task, fold: Fold, probe: str, rows: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """[tested, classes] of a fold, by a probe that is fitted on these rows; and what was chosen."""
    present = present_in(task.labels[rows])
    known, x, test = numbered(task.labels[rows], present), vectors[rows], vectors[fold.test]
    scores = np.full((len(test), len(task.classes)), UNHEARD)
    if probe == "knn":
        k = min(task.settings.k, len(rows))
        scores[:, present] = knn(x, known, test, k, task.settings.temperature, len(present))
        return scores, {"k": k}
    among = fold.valid[np.isin(task.labels[fold.valid], present)] if task.labels.ndim == 1 else fold.valid
    valid = (vectors[among], numbered(task.labels[among], present)) if len(among) else None
    model, options = fitted(probe, x, known, task.groups[rows], valid, task.settings, seed)
    scores[:, present] = model.logits(test)
    return scores, options


def fitted(
    probe: str,
    x: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    valid: Valid | None,
    settings: Settings,
    seed: int,
) -> tuple[Linear | Mlp, dict[str, Any]]:
    """All that learn something, chosen on `valid` or else by parts of what they learn from; and what was chosen."""
    if probe == "mlp":
        network = mlp(x, labels, valid, groups, seed=seed)
        return network, {"epochs": network.epochs}
    inner = None if valid else inner_folds(labels, groups, seed)
    alone = valid is None and inner is None  # too few to choose by
    if probe == "ridge":
        model = ridge(x, labels, (ALPHA,) if alone else ALPHAS, folds=inner, valid=valid)
        return model, {"alpha": model.c}
    model = logistic(x, labels, (C,) if alone else settings.cs, folds=inner, valid=valid)
    return model, {"C": model.c}


def present_in(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels) if labels.ndim == 1 else np.flatnonzero(labels.max(axis=0) > 0)


def numbered(labels: np.ndarray, present: np.ndarray) -> np.ndarray:
    """As numbers of the classes that are present."""
    return np.searchsorted(present, labels) if labels.ndim == 1 else labels[:, present]


def inner_folds(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray | None:
    """The inner fold of each training row, or nothing where there are too few for any."""
    if len(np.unique(groups)) < INNER or (labels.ndim == 1 and np.bincount(labels).max() < INNER):
        return None
    return dealt(labels, groups, INNER, seed)
