"""What the nearest labelled embeddings say: a probe without any training."""

import numpy as np

from kerascola.errors import DataError
from kerascola.evaluation.embedded import embeddings, one_hot, to_learn_from
from kerascola.evaluation.retrieval import similarities, unit

SIMILARITIES = 1 << 24  # at a time


def knn(
    train_x: np.ndarray,
    train_labels: np.ndarray,
    x: np.ndarray,
    k: int = 20,
    temperature: float = 0.07,
    classes: int | None = None,
) -> np.ndarray:
    """Each class's share of the votes, [n, classes]; of several labels the share of voters that have it.

    A row's k nearest by cosine vote, with the weights exp(cosine / temperature) of Wu et al. (2018, arXiv:1805.01978).
    Of those that are equally near, the first do.
    """
    train_x, train_labels, classes = to_learn_from(train_x, train_labels, classes)
    x, votes = embeddings(x, train_x.shape[1]), one_hot(train_labels, classes).astype(np.float32)
    if k < 1 or not temperature > 0:
        raise DataError(f"expected at least one neighbour and a temperature above 0, received {k} and {temperature:g}")
    train_x, k = unit(train_x), min(k, len(train_x))
    rows = max(1, SIMILARITIES // len(train_x))
    scores = [vote(similarities(x[i : i + rows], train_x), votes, k, temperature) for i in range(0, len(x), rows)]
    return np.concatenate(scores)


def vote(similarity: np.ndarray, votes: np.ndarray, k: int, temperature: float) -> np.ndarray:
    near = nearest(similarity, k)
    close = np.take_along_axis(similarity, near, axis=1).astype(np.float64)
    weights = np.exp((close - close.max(axis=1, keepdims=True)) / temperature)
    weights /= weights.sum(axis=1, keepdims=True)
    return sum(weights[:, i, None] * votes[near[:, i]] for i in range(k))


def nearest(similarity: np.ndarray, k: int) -> np.ndarray:
    """[n, k], in no order."""
    near = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    least = np.take_along_axis(similarity, near, axis=1).min(axis=1, keepdims=True)
    for row in np.flatnonzero((similarity >= least).sum(axis=1) > k):
        near[row] = np.argsort(-similarity[row], kind="stable")[:k]
    return near
