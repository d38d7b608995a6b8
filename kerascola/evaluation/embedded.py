"""Embeddings and their labels, as probes take them."""

from typing import Any

import numpy as np

from kerascola.errors import DataError

LEAVE = ": rows without a label have to be left out"
BLOCK = 1024  # rows at a time, where float64 copies of all would be large


def embeddings(x: Any, dimension: int | None = None) -> np.ndarray:
    """[n, dimension] of finite numbers, or what is wrong with them."""
    x = np.asarray(x)
    if x.ndim != 2 or not x.size:
        raise DataError(f"expected embeddings as [rows, dimension], received the shape {x.shape}")
    if dimension not in (None, x.shape[1]):
        raise DataError(f"expected embeddings of dimension {dimension}, as in training, received {x.shape[1]}")
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise DataError(
            f"expected embeddings of finite numbers, received NaN or infinity in {len(bad)} of {len(x)} rows, the "
            f"first of them row {bad[0]}: leave these rows out, or look at the recordings they are of"
        )
    return x


def labelled(
    x: Any, labels: Any, classes: int | None = None, dimension: int | None = None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Both, with labels as int [n], or bool [n, classes] where a row has several; and the number of classes."""
    x, labels = embeddings(x, dimension), np.asarray(labels)
    if labels.ndim not in (1, 2) or len(labels) != len(x):
        raise DataError(
            f"expected labels as [{len(x)}] or [{len(x)}, classes], one row for each embedding, received the shape "
            f"{labels.shape}"
        )
    if labels.dtype.kind not in "buif":
        raise DataError(f"expected the numbers of classes, received {labels[0]!r}: number the classes' names")
    if labels.ndim == 2:
        if not np.isin(labels, (0, 1)).all():
            raise DataError(f"expected 0 or 1 for each class, received {labels[~np.isin(labels, (0, 1))][0]:g}{LEAVE}")
        if classes not in (None, labels.shape[1]):
            raise DataError(f"expected labels of {classes} classes, received a column for each of {labels.shape[1]}")
        return x, labels > 0, labels.shape[1]
    numbers = labels.astype(np.int64)
    if (numbers != labels).any() or numbers.min() < 0:
        wrong = labels[(numbers != labels) | (numbers < 0)][0]
        raise DataError(f"expected the numbers of classes, 0 and up, received {wrong}{LEAVE}")
    if classes is not None and numbers.max() >= classes:
        raise DataError(f"expected numbers of {classes} classes, counted from 0, received {numbers.max()}")
    return x, numbers, int(numbers.max()) + 1 if classes is None else classes


def to_learn_from(x: Any, labels: Any, classes: int | None = None) -> tuple[np.ndarray, np.ndarray, int]:
    """The same, of which something can be told apart."""
    x, labels, classes = labelled(x, labels, classes)
    if labels.ndim == 1 and (labels == labels[0]).all():
        raise DataError(f"expected rows of two classes to learn from, received {len(x)} of class {labels[0]} alone")
    if labels.ndim == 2 and not told(labels).any():
        raise DataError(f"expected a class that some of {len(x)} rows are of and others not, received none")
    return x, labels, classes


def told(labels: np.ndarray) -> np.ndarray:
    """The classes that some rows are of and others not."""
    return (labels.min(axis=0) < 1) & (labels.max(axis=0) > 0)


def standard(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each dimension; 1 for that of one where all rows are alike."""
    mean = x.mean(axis=0, dtype=np.float64)
    squares = sum(((x[i : i + BLOCK] - mean) ** 2).sum(axis=0) for i in range(0, len(x), BLOCK))
    deviation = np.where(x.max(axis=0) == x.min(axis=0), 0, np.sqrt(squares / len(x)))
    return mean, np.where(deviation > 0, deviation, 1)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """bool [n, classes]"""
    return labels if labels.ndim == 2 else labels[:, None] == np.arange(classes)
