"""A probe of one hidden layer: what of the labels is in frozen embeddings, but not in a straight line."""

from dataclasses import dataclass

import numpy as np
from sklearn.neural_network import MLPClassifier

from kerascola.evaluation.embedded import standard, to_learn_from

HELD_OUT = 0.1  # of the rows, to stop by
STEPS = 32  # an epoch at least, so that of few rows, too, ten epochs are long enough to give up after
LEAST = 1e-12  # probability


@dataclass(frozen=True)
class Mlp:
    network: MLPClassifier
    mean: np.ndarray  # [d], of the embeddings that it was fitted to
    scale: np.ndarray  # [d]
    classes: int
    several: bool  # labels a row

    def logits(self, x: np.ndarray) -> np.ndarray:
        """[n, classes]: the logarithms of probabilities; of several labels, of their odds."""
        p = self.network.predict_proba(standardised(x, self.mean, self.scale)).astype(np.float64)
        if self.several:
            p = np.clip(p if self.classes > 1 else p[:, 1:], LEAST, 1 - LEAST)
            return np.log(p) - np.log1p(-p)
        found = np.zeros((len(p), self.classes))
        found[:, self.network.classes_] = p
        return np.log(np.maximum(found, LEAST))


def mlp(
    x: np.ndarray, labels: np.ndarray, classes: int | None = None, hidden: int = 512, most: int = 200, seed: int = 0
) -> Mlp:
    """By Adam, until a tenth of the rows that are held out are told no better for ten epochs, and back to the best.

    Where a class has but one row, or a tenth are fewer than the classes, nothing is held out, and the loss decides.
    """
    x, labels, classes = to_learn_from(x, labels, classes)
    mean, scale = standard(x)
    several = labels.ndim == 2
    sizes = np.array([len(x)]) if several else np.unique(labels, return_counts=True)[1]
    stops = bool(sizes.min() > 1 and HELD_OUT * len(x) >= len(sizes))
    network = MLPClassifier(
        (hidden,),
        batch_size=max(1, min(200, len(x) // STEPS)),
        early_stopping=stops,
        validation_fraction=HELD_OUT,
        max_iter=most,
        random_state=seed,
    )
    network.fit(standardised(x, mean, scale), labels[:, 0] if several and classes == 1 else labels)
    return Mlp(network, mean, scale, classes, several)


def standardised(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return ((np.asarray(x) - mean) / scale).astype(np.float32)
