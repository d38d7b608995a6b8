"""Random draws that follow from (seed, epoch, index) and nothing else, on every backend and in every run."""

from collections.abc import Callable, Sequence

import numpy as np


def generator(seed: int, epoch: int, index: int = 0, stream: int = 0) -> np.random.Generator:
    """Of the example (epoch, index); each stream is a sequence of its own, none of them that of `order`."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, index, epoch, 2 * stream]))


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The permutation in which an epoch visits its clips."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, epoch, 1])).permutation(count)


def kept(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The labels, of which but a share of each class is left, at least one; the others are -1.

    Of rows of several labels, a share of all that have any.
    """
    return some(labels, lambda count: max(1, round(share * count)) if share else 0, seed)


def few(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The labels, of which but `count` of each class are left, or all that it has; the others are -1."""
    return some(labels, lambda _: count, seed)


def some(labels: np.ndarray, wanted: Callable[[int], int], seed: int) -> np.ndarray:
    left = np.full_like(labels, -1)
    values = labels if labels.ndim == 1 else np.where(unlabelled(labels), -1, 0)
    for value in np.unique(values[values >= 0]):
        own = np.flatnonzero(values == value)
        shuffled = np.random.Generator(np.random.Philox(key=seed, counter=[0, int(value), 0, 3])).permutation(own)
        chosen = shuffled[: wanted(len(own))]
        left[chosen] = labels[chosen]
    return left


def unlabelled(labels: np.ndarray) -> np.ndarray:
    """Which of [n] labels, or of [n, classes] rows of them, are none."""
    return labels.reshape(len(labels), -1).min(axis=1) < 0


def held_out(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """[n] bool: about a share of each class, and never all of one.

    Where recordings share groups, groups are held out whole instead, of about that share of all together.
    """
    rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 5]))
    chosen = np.zeros(len(labels), bool)
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < len(groups):
        wanted = share * len(labels)
        for place in rng.permutation(len(names)):
            lacking, left = wanted - chosen.sum(), len(names) - len(np.unique(groups[chosen]))
            if sizes[place] <= 2 * lacking and left > 1:  # nearer to the share than without it
                chosen |= groups == names[place]
        return chosen if chosen.any() else groups == names[sizes.argmin()]
    values = labels if labels.ndim == 1 else np.zeros(len(labels), int)
    for value in np.unique(values):
        own = np.flatnonzero(values == value)
        count = min(max(1, round(share * len(own))), len(own) - 1)
        chosen[rng.permutation(own)[:count]] = True
    return chosen


def collate(examples: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """A batch of what was drawn for each."""
    return {key: np.stack([example[key] for example in examples]) for key in examples[0]}
