"""What embeddings are like by themselves, before any classifier."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import normalized_mutual_info_score

from kerascola.evaluation.retrieval import unit

MOST = 4000  # rows that are compared with each other


@dataclass(frozen=True)
class Health:
    values: dict[str, float]
    spectrum: list[float]  # share of the variance of each direction, falling
    rows: np.ndarray  # those that it was measured on


def health(vectors: np.ndarray, labels: np.ndarray, origins: np.ndarray, seed: int = 0) -> Health:
    """Of rows that are finite. Pieces of one recording, by `origins`, are never found for each other.

    Effective rank: the exponential of the entropy of the variance's shares. Uniformity: ln of the mean of exp(-2 d^2)
    over pairs on the sphere (Wang and Isola 2020). Where a clip has one label also alignment, the mean d^2 of pairs of
    a class; recall and MRR of the nearest of a class; what k-means clusters and classes tell of each other; and the
    equal error rate of taking pairs for one class.
    """
    rows = np.arange(len(vectors))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), MOST, replace=False))
    sphere = unit(vectors[rows].astype(np.float64))
    variance = np.linalg.svd(sphere - sphere.mean(axis=0), compute_uv=False) ** 2
    shares = variance / max(variance.sum(), 1e-300)
    similarity = sphere @ sphere.T
    other = ~np.eye(len(rows), dtype=bool)
    values = {
        "effective_rank": float(np.exp(-(shares * np.log(np.maximum(shares, 1e-300))).sum())),
        "uniformity": float(np.log(np.exp(-2 * (2 - 2 * similarity[other])).mean())),
    }
    if labels.ndim == 1:
        apart = origins[rows][:, None] != origins[rows][None, :]
        values |= of_classes(sphere, similarity, labels[rows], apart, seed)
    return Health(values, shares.tolist(), rows)


def of_classes(
    sphere: np.ndarray, similarity: np.ndarray, labels: np.ndarray, apart: np.ndarray, seed: int
) -> dict[str, float]:
    same = (labels[:, None] == labels[None, :]) & apart
    asking = same.any(axis=1)  # the others have nobody to find
    if not asking.any() or len(np.unique(labels)) < 2:
        return {}
    nearest = np.where(same, similarity, -np.inf).max(axis=1)[asking]
    before = (similarity[asking] >= nearest[:, None]) & (apart & ~same)[asking]
    rank = 1 + before.sum(axis=1)  # a tie counts against it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer places than classes, which nmi says
        clusters = KMeans(len(np.unique(labels)), n_init=3, random_state=seed).fit_predict(sphere)
    pairs = np.triu(apart, 1)
    return {
        "alignment": float((2 - 2 * similarity[same]).mean()),
        "recall_at_1": float((rank <= 1).mean()),
        "recall_at_5": float((rank <= 5).mean()),
        "mrr": float((1 / rank).mean()),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "eer": equal_error(similarity[pairs & same], similarity[pairs & ~same]),
    }


def equal_error(of_one: np.ndarray, of_two: np.ndarray) -> float:
    """Where the share of pairs of one class below a threshold is that of pairs of two classes at or above it."""
    if not len(of_one) or not len(of_two):
        return float("nan")
    thresholds = np.unique(np.concatenate([of_one, of_two]))
    refused = np.searchsorted(np.sort(of_one), thresholds, side="left") / len(of_one)
    taken = 1 - np.searchsorted(np.sort(of_two), thresholds, side="left") / len(of_two)
    nearest = np.abs(refused - taken).argmin()
    return float((refused[nearest] + taken[nearest]) / 2)
