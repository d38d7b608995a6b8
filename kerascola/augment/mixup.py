"""Mixup (Zhang et al. 2018), for classifiers: sounds and their labels are mixed alike."""

from dataclasses import dataclass

import numpy as np

from kerascola.augment import tensors as ops
from kerascola.augment.augmentation import Drawn, Tensors, check, column, plain
from kerascola.augment.chain import others


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """Each sound with another of the batch, its share drawn from Beta(alpha, alpha)."""

    alpha: float = 0.2

    def __post_init__(self) -> None:
        check("alpha", self.alpha, 0.001, 1000)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"partner": plain(rng.integers(2**31 - 1)), "share": plain(rng.beta(self.alpha, self.alpha))}

    def __call__(self, x, labels, p: Tensors):
        """x [batch, ...] and labels [batch, classes], shares of classes -> mixtures, in float32 if those are whole."""
        rows = others(p["partner"], views=1)
        return tuple(mixed(value, ops.take(value, rows, axis=0), p["share"]) for value in (x, labels))


def mixed(value, other, share):
    share = column(share, value)
    mixture = share * ops.cast(value, "float32") + (1.0 - share) * ops.cast(other, "float32")
    return ops.cast(mixture, value.dtype) if "float" in str(value.dtype) else mixture
