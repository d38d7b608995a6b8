"""Random draws that follow from (seed, epoch, index) and nothing else, on every backend and in every run."""

import numpy as np


def generator(seed: int, epoch: int, index: int = 0, stream: int = 0) -> np.random.Generator:
    """Of the example (epoch, index); each stream is a sequence of its own, none of them that of `order`."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, index, epoch, 2 * stream]))


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The permutation in which an epoch visits its clips."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, epoch, 1])).permutation(count)


def kept(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The labels, of which but a share of each class is left, at least one; the others are -1."""
    left = np.full_like(labels, -1)
    for value in np.unique(labels[labels >= 0]):
        own = np.flatnonzero(labels == value)
        shuffled = np.random.Generator(np.random.Philox(key=seed, counter=[0, value, 0, 3])).permutation(own)
        left[shuffled[: max(1, round(share * len(own))) if share else 0]] = value
    return left
