"""Alignment and uniformity on the sphere (Wang & Isola 2020)."""

import itertools

from kerascola.objectives.contrast import retrieved
from kerascola.objectives.head import Projected
from kerascola.objectives.health import alignment, uniformity


class AlignmentUniformity(Projected):
    """loss = "projected_alignment" + weight * "projected_uniformity", of a linear head's directions.

    The alignment is a mean over pairs of views, the uniformity, which is within a view, one over views.
    """

    def __init__(self, dimension: int = 128, alpha: float = 2.0, t: float = 2.0, weight: float = 1.0, **kwargs) -> None:
        super().__init__((), dimension, batch_norm=False, **kwargs)
        self.alpha, self.t, self.weight = alpha, t, weight

    def call(self, views, labels=None, training: bool = False):
        rows, count = self.project(views, training), views.shape[0]
        both = list(itertools.combinations(range(count), 2))
        align = sum(alignment(rows[i], rows[j], self.alpha) for i, j in both) / len(both)
        uniform = sum(uniformity(rows[i], self.t) for i in range(count)) / count
        return {
            "loss": align + self.weight * uniform,
            "accuracy": sum(retrieved(rows[i], rows[j]) for i, j in both) / len(both),
            "projected_alignment": align,
            "projected_uniformity": uniform,
        }

    def get_config(self):
        config = {"dimension": self.dimension, "alpha": self.alpha, "t": self.t, "weight": self.weight}
        return {**super().get_config(), **config}
