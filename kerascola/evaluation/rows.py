"""Embeddings as regressions read them: standardised, by folds, a block at a time on every core."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from os import cpu_count

import numpy as np
from threadpoolctl import threadpool_limits

from kerascola.evaluation.embedded import BLOCK, standard


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """For blocks of rows. Linear algebra has no threads of its own meanwhile, as the two would wait for each other."""
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cpu_count()) as pool:
        yield pool


@dataclass(frozen=True)
class Rows:
    mean: np.ndarray  # [d]
    scale: np.ndarray  # [d]
    order: np.ndarray  # [n]: which embedding a row is of
    spans: np.ndarray  # [folds + 1]: where each fold begins and the last one ends
    z: np.ndarray  # float32 [n, d + 1]: standardised, then a one
    hot: np.ndarray  # bool [classes, n]
    sums: np.ndarray  # [folds, classes, d + 1]: of the rows that are of a class

    def folds(self) -> list[slice]:
        return [slice(first, end) for first, end in zip(self.spans[:-1], self.spans[1:], strict=True)]

    def blocks(self) -> Iterator[tuple[int, slice]]:
        """Each with the number of its fold."""
        for number, fold in enumerate(self.folds()):
            for start in range(fold.start, fold.stop, BLOCK):
                yield number, slice(start, min(start + BLOCK, fold.stop))

    @cached_property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The principal ones of about 16 rows a dimension: variances [d] and directions [d, d]."""
        d = len(self.mean)
        sample = self.z[:: max(1, len(self.z) // (16 * d)), :d]
        variances, directions = np.linalg.eigh((sample.T @ sample).astype(np.float64) / len(sample))
        return np.maximum(variances, 0), directions


def rows(x: np.ndarray, hot: np.ndarray, folds: np.ndarray, pool: ThreadPoolExecutor) -> Rows:
    """Of embeddings, bool [n, classes], and folds that are counted from 0."""
    n, d = x.shape
    mean, scale = standard(x)
    spans = np.append(0, np.cumsum(np.bincount(folds)))
    sums = np.zeros((len(spans) - 1, hot.shape[1], d + 1))
    order = np.argsort(folds, kind="stable")
    data = Rows(mean, scale, order, spans, np.ones((n, d + 1), np.float32), hot[order].T.copy(), sums)

    def fill(block: tuple[int, slice]) -> tuple[int, np.ndarray]:
        number, part = block
        data.z[part, :d] = (x[order[part]] - mean) / scale
        return number, data.hot[:, part].astype(np.float32) @ data.z[part]

    for number, total in pool.map(fill, data.blocks()):
        sums[number] += total
    return data
