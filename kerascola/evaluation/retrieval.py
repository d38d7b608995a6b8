"""Does an embedding find a sound's other half among many? No labels needed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Retrieval:
    recall_at_1: float
    recall_at_5: float
    mean_reciprocal_rank: float


def similarities(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """[n, m] cosines."""
    return unit(queries) @ unit(candidates).T


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def retrieve(similarity: np.ndarray) -> Retrieval:
    """Row i's right answer is column i; a tie counts against it, and so does NaN."""
    right = np.diag(similarity)[:, None]
    rank = (~(similarity < right)).sum(axis=1)  # 1 is best
    return Retrieval(float((rank <= 1).mean()), float((rank <= 5).mean()), float((1 / rank).mean()))
