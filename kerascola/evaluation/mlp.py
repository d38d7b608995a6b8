"""A probe of one hidden layer: what of the labels is in frozen embeddings, but not in a straight line."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from sklearn.neural_network import MLPClassifier

from kerascola.evaluation.embedded import labelled, standard, to_learn_from
from kerascola.evaluation.folds import dealt, rarest

PATIENCE, BETTER = 10, 1e-3  # epochs, and what the loss has to fall by
STEPS = 32  # an epoch has, of more than a few rows, or it would take many
LEAST = 1e-12  # probability


@dataclass(frozen=True)
class Mlp:
    network: MLPClassifier
    mean: np.ndarray  # [d], of the embeddings that it was fitted to
    scale: np.ndarray  # [d]
    several: bool  # labels a row
    epochs: int

    def logits(self, x: np.ndarray) -> np.ndarray:
        """[n, classes]: the logarithms of probabilities; of several labels, of their odds."""
        p = self.network.predict_proba(standardised(x, self.mean, self.scale)).astype(np.float64)
        if not self.several:
            return np.log(np.maximum(p, LEAST))
        p = np.clip(p[:, 1:] if self.network.n_outputs_ == 1 else p, LEAST, 1 - LEAST)
        return np.log(p) - np.log1p(-p)


def mlp(
    x: np.ndarray,
    labels: np.ndarray,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    groups: np.ndarray | None = None,
    classes: int | None = None,
    hidden: int = 512,
    most: int = 200,
    seed: int = 0,
) -> Mlp:
    """By Adam, as it was after the epoch that told `valid` best, or else a tenth of the rows, which it does not see.

    A group is held out whole. Ten epochs that are no better are the last. Of rows that are too few to hold any out, it
    sees and is told by all.
    """
    x, labels, classes = to_learn_from(x, labels, classes)
    if valid is None:
        held = held_out(labels, np.arange(len(x)) if groups is None else groups, seed)
        x, labels, valid = x[~held], labels[~held], (x[held], labels[held]) if held.any() else (x, labels)
    others, right, _ = labelled(*valid, classes, x.shape[1])
    several, (mean, scale) = labels.ndim == 2, standard(x)
    z, one = standardised(x, mean, scale), several and classes == 1
    draws = np.random.RandomState(seed)  # which go on from epoch to epoch
    batch = min(len(x), max(8, min(200, len(x) // STEPS)))
    network = MLPClassifier((hidden,), batch_size=batch, random_state=draws)
    best, least = Mlp(network, mean, scale, several, 0), np.inf
    for epoch in range(1, most + 1):
        network.partial_fit(z, labels[:, 0] if one else labels, classes=np.arange(2 if one else classes))
        found = Mlp(network, mean, scale, several, epoch)
        told = loss(found.logits(others), right)
        if told < least - BETTER:
            best, least = deepcopy(found), told
        if epoch - best.epochs == PATIENCE:
            break
    return best


def held_out(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """[n] bool: a tenth, or more where no class has ten rows."""
    kinds = labels if labels.ndim == 1 else rarest(labels)
    count = min(10, len(np.unique(groups)), int(np.unique(kinds, return_counts=True)[1].max()))
    return dealt(labels, groups, count, seed) == 0 if count > 1 else np.zeros(len(labels), bool)


def loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross entropy."""
    if labels.ndim == 1:
        return float(-logits[np.arange(len(labels)), labels].mean())
    return float(np.logaddexp(0, np.where(labels, -logits, logits)).mean())


def standardised(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return ((np.asarray(x) - mean) / scale).astype(np.float32)
