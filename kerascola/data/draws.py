"""Random draws that follow from (seed, epoch, index) and nothing else, on every backend and in every run."""

import numpy as np


def generator(seed: int, epoch: int, index: int = 0, stream: int = 0) -> np.random.Generator:
    """Of the example (epoch, index); each stream is a sequence of its own, none of them that of `order`."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, index, epoch, 2 * stream]))


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The permutation in which an epoch visits its clips."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, epoch, 1])).permutation(count)
