"""A probe fitted to all recordings, as a head that is served with the encoder."""

import keras
import numpy as np

from kerascola.errors import DataError
from kerascola.evaluation.embedded import one_hot
from kerascola.evaluation.linear import Linear
from kerascola.evaluation.mlp import Mlp
from kerascola.evaluation.trials import Task, fitted
from kerascola.models.heads import dense, hidden, nearest
from kerascola.runtime.metadata import Classes

KINDS = "linear", "mlp", "knn"


def head_of(vectors: np.ndarray, task: Task, kind: str) -> tuple[keras.Model, Classes]:
    """Of the embeddings [recordings, dimension] of all of the task's recordings."""
    if kind not in KINDS:
        raise DataError(f"expected a head of {', '.join(KINDS)}, received {kind!r}")
    settings, several = task.settings, task.labels.ndim > 1
    # Those of a clip's windows are averaged in the way that comes nearest to a probe of the clip's mean embedding.
    classes = Classes(tuple(task.classes), several, "logits" if kind == "linear" else "scores")
    if kind == "knn":
        votes = one_hot(task.labels, len(task.classes)).astype(np.float32)
        return nearest(vectors, votes, settings.k, settings.temperature, several), classes
    probe, _ = fitted(kind, vectors, task.labels, task.groups, None, settings, settings.seed)
    if isinstance(probe, Linear):
        return dense(probe.weights, probe.bias, probe.mean, probe.scale), classes
    return of_network(probe, len(task.classes)), classes


def of_network(probe: Mlp, classes: int) -> keras.Model:
    (first, last), (bias, end) = probe.network.coefs_, probe.network.intercepts_
    if not probe.several and probe.network.n_outputs_ < classes:  # of two classes scikit-learn has the second's alone
        last, end = np.column_stack([np.zeros_like(last), last]), np.append(np.zeros_like(end), end)
    return hidden([first, last], [bias, end], probe.mean, probe.scale)
