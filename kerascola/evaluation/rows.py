"""Embeddings as regressions read them: standardised, along their principal axes, a block at a time on every core."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from os import cpu_count

import numpy as np
from threadpoolctl import threadpool_limits

from kerascola.evaluation.embedded import BLOCK, standard

SAMPLE = 8  # rows a dimension tell the axes well enough


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """For blocks of rows. Linear algebra has no threads of its own meanwhile, as the two would wait for each other."""
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(cpu_count()) as pool:
        yield pool


@dataclass(frozen=True)
class Rows:
    mean: np.ndarray  # [d]
    scale: np.ndarray  # [d]
    axes: np.ndarray  # [d, r], orthonormal: about the principal ones of what is standardised, r = d, or rows if fewer
    variances: np.ndarray  # [r], along them
    order: np.ndarray  # [n]: which embedding a row is of
    spans: np.ndarray  # [folds + 1]: where each fold begins and the last one ends
    z: np.ndarray  # float32 [n, r + 1]: standardised, along the axes; then a one
    hot: np.ndarray  # bool [classes, n]
    sums: np.ndarray  # [folds, classes, r + 1]: of the rows that are of a class

    def folds(self) -> list[slice]:
        return [slice(first, end) for first, end in zip(self.spans[:-1], self.spans[1:], strict=True)]

    def blocks(self) -> Iterator[tuple[int, slice]]:
        """Each with the number of its fold."""
        for number, fold in enumerate(self.folds()):
            for start in range(fold.start, fold.stop, BLOCK):
                yield number, slice(start, min(start + BLOCK, fold.stop))


def rows(x: np.ndarray, hot: np.ndarray, folds: np.ndarray, pool: ThreadPoolExecutor) -> Rows:
    """Of embeddings, bool [n, classes], and folds that are counted from 0."""
    n, d = x.shape
    mean, scale = standard(x)
    sample = ((x[:: max(1, n // (SAMPLE * d))] - mean) / scale).astype(np.float32)
    axes, variances = principal(sample)
    spans = np.append(0, np.cumsum(np.bincount(folds)))
    data = Rows(
        mean,
        scale,
        axes,
        variances,
        np.argsort(folds, kind="stable"),
        spans,
        np.ones((n, axes.shape[1] + 1), np.float32),
        np.empty((hot.shape[1], n), bool),
        np.zeros((len(spans) - 1, hot.shape[1], axes.shape[1] + 1)),
    )

    def fill(block: tuple[int, slice]) -> tuple[int, np.ndarray]:
        number, part = block
        its = data.order[part]
        data.z[part, :-1] = ((x[its] - mean) / scale).astype(np.float32) @ axes.astype(np.float32)
        data.hot[:, part] = hot[its].T
        return number, data.hot[:, part].astype(np.float32) @ data.z[part]

    for number, total in pool.map(fill, data.blocks()):
        data.sums[number] += total
    return data


def principal(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The axes as columns, and the mean square along each. Few rows have few: along others nothing is to be learnt."""
    n, d = z.shape
    if n < d:
        _, lengths, axes = np.linalg.svd(z.astype(np.float64), full_matrices=False)
        return axes.T, lengths**2 / n
    variances, axes = np.linalg.eigh((z.T @ z).astype(np.float64) / n)
    return axes, np.maximum(variances, 0)
