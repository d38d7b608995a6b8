"""Linear probes of frozen embeddings: logistic regression and ridge, their strength chosen on rows they do not see."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from kerascola.errors import DataError
from kerascola.evaluation.embedded import labelled, one_hot, to_learn_from, told
from kerascola.evaluation.regressions import solve
from kerascola.evaluation.rows import Rows, rows, threads

CS = (1e-3, 1e-2, 1e-1, 1.0)
ALPHAS = (1.0, 10.0, 1e2, 1e3, 1e4)
Valid = tuple[np.ndarray, np.ndarray]  # embeddings and labels to choose by


@dataclass(frozen=True)
class Linear:
    weights: np.ndarray  # [d, classes], for standardised embeddings
    bias: np.ndarray  # [classes]
    mean: np.ndarray  # [d], of the embeddings that it was fitted to
    scale: np.ndarray  # [d]
    c: float  # the strength that was chosen: C, or ridge's alpha
    curve: dict[float, float]  # strength -> accuracy, or mean average precision; empty where there was no choice
    iterations: int
    converged: bool  # and all that it was chosen by

    def logits(self, x: np.ndarray) -> np.ndarray:
        """[n, classes]; of ridge, scores."""
        return (np.asarray(x) - self.mean) / self.scale @ self.weights + self.bias


def logistic(
    x: np.ndarray,
    labels: np.ndarray,
    cs: Sequence[float] = CS,
    folds: np.ndarray | None = None,
    valid: Valid | None = None,
    classes: int | None = None,
    tol: float = 1e-7,
    most: int = 300,
) -> Linear:
    """Of class numbers [n] by softmax (two classes: a sigmoid), of several labels [n, classes] by a sigmoid for each.

    C is scikit-learn's: 0.5 |W|^2 + C * (sum of cross entropies) is least. It is chosen on `valid`, or else by testing
    each fold on a fit to the others, the smallest of equals; what is returned is fitted to all of x. A fit has
    converged when another Newton step would gain less than `tol` of what it has gained over biases alone. Products are
    of float32, which is good for 1e-9.
    """
    x, labels, classes = to_learn_from(x, labels, classes)
    cs = ascending(cs)
    numbers, valid = to_choose_by(len(cs), x, labels, classes, folds, valid)
    two = labels.ndim == 1 and classes == 2
    hot = one_hot(labels, classes)[:, 1:] if two else one_hot(labels, classes)
    columns = np.arange(hot.shape[1]).reshape((-1, 1) if two or labels.ndim == 2 else (1, -1))
    with threads() as pool:
        data = rows(x, hot, numbers, pool)
        fits = [solve(data, cs, columns, [-1], None, tol, most, pool)]
        if len(data.sums) > 1:
            fits.append(solve(data, cs, columns, range(len(data.sums)), fits[0].x[0], tol, most, pool))
        weights = [np.concatenate([-fit.x / 2, fit.x / 2], axis=2) if two else fit.x for fit in fits]
        best, curve = chosen(data, labels, cs, weights[-1], valid)
    iterations, converged = int(fits[0].iterations[0, best].max()), all(fit.converged.all() for fit in fits)
    return linear(data, weights[0][0, best], cs[best], curve, iterations, converged)


def ridge(
    x: np.ndarray,
    labels: np.ndarray,
    alphas: Sequence[float] = ALPHAS,
    folds: np.ndarray | None = None,
    valid: Valid | None = None,
    classes: int | None = None,
) -> Linear:
    """Least squares to 1 for what a row is of and 0 for what it is not, plus alpha * |W|^2.

    Alpha is chosen as C is, the largest of equals.
    """
    x, labels, classes = to_learn_from(x, labels, classes)
    alphas = ascending(alphas)[::-1]
    numbers, valid = to_choose_by(len(alphas), x, labels, classes, folds, valid)
    with threads() as pool:
        data = rows(x, one_hot(labels, classes), numbers, pool)
        grams = squares(data, pool)
        gram, sums = grams.sum(axis=0), data.sums.sum(axis=0)
        weights = [least_squares(gram, sums, alphas)[None]]
        if len(grams) > 1:
            left = zip(gram - grams, sums - data.sums, strict=True)
            weights.append(np.stack([least_squares(*others, alphas) for others in left]))
        best, curve = chosen(data, labels, alphas, weights[-1], valid)
    return linear(data, weights[0][0, best], alphas[best], curve, 1, True)


def squares(data: Rows, pool: ThreadPoolExecutor) -> np.ndarray:
    """Z'Z of each fold, [folds, d + 1, d + 1]."""
    grams = np.zeros((len(data.sums), *2 * data.z.shape[1:]))

    def of_block(block: tuple[int, slice]) -> tuple[int, np.ndarray]:
        z = data.z[block[1]].astype(np.float64)
        return block[0], z.T @ z

    for fold, gram in pool.map(of_block, data.blocks()):
        grams[fold] += gram
    return grams


def least_squares(gram: np.ndarray, sums: np.ndarray, alphas: list[float]) -> np.ndarray:
    """[alphas, classes, d + 1]. Biases are not punished: they are what lets the means be taken off both sides."""
    n, totals, hits = gram[-1, -1], gram[-1, :-1], sums[:, -1]
    heights, axes = np.linalg.eigh(gram[:-1, :-1] - np.outer(totals, totals) / n)
    along = (sums[:, :-1] - np.outer(hits, totals) / n) @ axes
    found = []
    for alpha in alphas:
        weights = along / (np.maximum(heights, 0) + alpha) @ axes.T
        found.append(np.column_stack([weights, (hits - weights @ totals) / n]))
    return np.stack(found)


def ascending(strengths: Sequence[float]) -> list[float]:
    found = sorted({float(strength) for strength in strengths})
    if not found or not 0 < found[0] <= found[-1] < np.inf:
        raise DataError(f"expected strengths above 0, received {', '.join(map(str, strengths)) or 'none'}")
    return found


def to_choose_by(
    strengths: int, x: np.ndarray, labels: np.ndarray, classes: int, folds: np.ndarray | None, valid: Valid | None
) -> tuple[np.ndarray, Valid | None]:
    """The fold of each row, all of them 0 where it is not by folds that is chosen, and what it is chosen on instead."""
    together = np.zeros(len(labels), int)
    if strengths == 1:
        return together, None
    if valid is not None:
        others, right, _ = labelled(*valid, classes, x.shape[1])
        if right.ndim != labels.ndim:
            raise DataError(f"expected labels to choose by as those to learn from, received the shape {right.shape}")
        return together, (others, right)
    if folds is None:
        raise DataError(f"expected folds or held-out rows to choose one of {strengths} strengths by, received neither")
    names, numbers = np.unique(folds, return_inverse=True)
    if len(numbers) != len(labels) or len(names) < 2:
        raise DataError(
            f"expected one of two folds or more for each of {len(labels)} rows, received {len(names)} for "
            f"{len(numbers)} rows"
        )
    return numbers, None


def chosen(
    data: Rows, labels: np.ndarray, strengths: list[float], weights: np.ndarray, valid: Valid | None
) -> tuple[int, dict[float, float]]:
    """The place of the best, and the curve, of weights [tests, strengths, classes, d + 1], each fold being a test."""
    if len(strengths) == 1:
        return 0, {}
    if valid is None:
        tests = [(data.z[fold], labels[data.order[fold]]) for fold in data.folds()]
    else:
        z = (valid[0] - data.mean) / data.scale @ data.axes
        tests = [(np.column_stack([z, np.ones(len(z))]).astype(np.float32), valid[1])]
    found = [
        [score(z @ its.T.astype(np.float32), right) for its in part]
        for (z, right), part in zip(tests, weights, strict=True)
        if right.ndim == 1 or told(right).any()
    ]
    if not found:
        raise DataError("expected a class that some rows to choose by are of and others not, received none")
    means = np.mean(found, axis=0)
    return int(means.argmax()), dict(zip(strengths, means.tolist(), strict=True))


def score(logits: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy; of several labels the mean average precision of those classes that some rows are of and others not."""
    if labels.ndim == 1:
        return float((logits.argmax(axis=1) == labels).mean())
    known = told(labels)
    return float(average_precision_score(labels[:, known], logits[:, known], average="macro"))


def linear(
    data: Rows, weights: np.ndarray, c: float, curve: dict[float, float], iterations: int, converged: bool
) -> Linear:
    return Linear(data.axes @ weights[:, :-1].T, weights[:, -1], data.mean, data.scale, c, curve, iterations, converged)
