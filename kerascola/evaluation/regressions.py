"""Logistic regressions of many strengths, classes and folds on the same rows, solved together.

A problem minimises 0.5 |W|^2 + C * (sum of its rows' cross entropies) over weights W and biases, which go unpunished.
Its columns are classes that exclude each other (softmax), or it is one column beside a class whose logit is nought,
which is the sigmoid. One product of matrices for each block of rows serves all problems that are left.

Were probabilities p the same in all rows, the Hessian would be C * n * (diag p - p p') x cov(Z) + 1. With its first
factor averaged over the rows and diagonalised, as the second is by `rows`, the inverse is cheap; L-BFGS that begins
with it takes a fifth of the iterations.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass

import numpy as np

from kerascola.evaluation.lbfgs import Curvature, Minima, dot, minimise
from kerascola.evaluation.rows import Rows

ENOUGH = 16384  # rows to see how probabilities spread
COLUMNS = 512  # solved at a time; more of them are no faster
NONE_OF_IT = 1e-6  # rows that a class without any counts for, so that its bias is finite


@dataclass(frozen=True)
class Problems:
    """m of them, of k columns each."""

    cs: np.ndarray  # [m]
    without: np.ndarray  # [m]: the fold that is left out, or -1
    columns: np.ndarray  # [m, k]: classes

    def __getitem__(self, which: np.ndarray) -> "Problems":
        return Problems(self.cs[which], self.without[which], self.columns[which])


def solve(
    data: Rows,
    cs: Sequence[float],
    columns: np.ndarray,
    without: Sequence[int],
    start: np.ndarray | None,
    tol: float,
    most: int,
    pool: ThreadPoolExecutor,
) -> Minima:
    """Each C, without each of some folds (-1: with all), for each row of columns, which are classes [groups, k].

    Weights [folds, cs, classes, d + 1] along the principal axes, the biases last; `start` is of one fold.
    """
    grid = np.indices((len(without), len(cs), len(columns))).reshape(3, -1)
    problems = Problems(np.array(cs)[grid[1]], np.array(without)[grid[0]], columns[grid[2]])
    m, k = problems.columns.shape
    if start is not None:
        start = np.tile(start.reshape(-1, k, start.shape[-1]), (len(without), 1, 1))
    found = [
        solve_together(data, problems[part], None if start is None else start[part], tol, most, pool)
        for part in np.array_split(np.arange(m), min(m, -(-m * k // COLUMNS)))
    ]
    x, iterations, converged = (np.concatenate(parts) for parts in zip(*map(astuple, found), strict=True))
    shape = len(without), len(cs), -1
    return Minima(x.reshape(*shape, x.shape[-1]), iterations.reshape(shape), converged.reshape(shape))


def solve_together(
    data: Rows, problems: Problems, start: np.ndarray | None, tol: float, most: int, pool: ThreadPoolExecutor
) -> Minima:
    kept = problems.without[:, None] != np.arange(len(data.sums))  # [m, folds]
    n = kept @ np.diff(data.spans)
    targets = np.einsum("mf,fmkd->mkd", kept, data.sums[:, problems.columns])
    biases, entropy = without_embeddings(targets[..., -1], n)

    def objective(w: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, Curvature]:
        c = problems.cs[which]
        normaliser, gradient, spread = cross_entropy(data, w.astype(np.float32), problems[which], pool)
        value = c * (normaliser - dot(w, targets[which])) + 0.5 * dot(w[..., :-1], w[..., :-1])
        gradient *= c[:, None, None]
        gradient[..., :-1] += w[..., :-1]
        heights, turns = np.linalg.eigh(spread)
        return value, gradient, (c[:, None] * np.maximum(heights, NONE_OF_IT), turns)

    def inverse(q: np.ndarray, curvature: Curvature) -> np.ndarray:
        heights, turns = curvature
        q = turns.transpose(0, 2, 1) @ q
        q[..., :-1] /= 1 + heights[..., None] * data.variances
        q[..., -1] /= np.maximum(heights, 1e-3 * heights.max(axis=1, keepdims=True))  # flat where all biases rise
        return turns @ q

    if start is None:
        start = np.zeros_like(targets)
        start[..., -1] = biases
    ceiling = problems.cs * (entropy + 1)  # where no row is of a class, nothing can be gained from any lower
    return minimise(objective, inverse, start, ceiling, tol, most)


def without_embeddings(counts: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best biases [m, k] and their cross entropies [m], where a class is of so many [m, k] of [m] rows."""
    beside = counts.shape[1] == 1
    counts = np.concatenate([n[:, None] - counts, counts], axis=1) if beside else counts
    logarithms = np.log(np.maximum(counts, NONE_OF_IT) / n[:, None])
    biases = logarithms[:, 1:] - logarithms[:, :1] if beside else logarithms - logarithms.mean(axis=1, keepdims=True)
    return biases, -(counts * logarithms).sum(axis=1)


def cross_entropy(
    data: Rows, weights: np.ndarray, problems: Problems, pool: ThreadPoolExecutor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Summed over the rows of each problem: the logarithm of what normalises its probabilities p, which is the entropy
    but for the targets' logits; the gradient; and diag p - p p'."""
    m, k, width = weights.shape
    every = max(1, len(data.z) // ENOUGH)

    def of_block(block: tuple[int, slice]) -> tuple[np.ndarray, ...]:
        fold, part = block
        mine, z = np.flatnonzero(problems.without != fold), data.z[part]
        p = (weights[mine].reshape(-1, width) @ z.T).reshape(len(mine), k, len(z))
        top = np.maximum(p.max(axis=1), 0) if k == 1 else p.max(axis=1)
        p -= top[:, None]
        np.exp(p, out=p)
        total = p.sum(axis=1) + np.exp(-top) if k == 1 else p.sum(axis=1)
        p /= total[:, None]
        few = p[..., ::every]
        spread = few.sum(axis=2)[..., None] * np.eye(k) - few @ few.transpose(0, 2, 1)
        p -= data.hot[problems.columns[mine], part]
        return (
            mine,
            (top + np.log(total)).sum(axis=1, dtype=np.float64),
            (p.reshape(-1, len(z)) @ z).reshape(-1, k, width),
            spread * (len(z) / few.shape[2]),
        )

    sums = np.zeros(m), np.zeros((m, k, width)), np.zeros((m, k, k))
    for mine, *parts in pool.map(of_block, data.blocks()):
        for total, part in zip(sums, parts, strict=True):
            total[mine] += part
    return sums
