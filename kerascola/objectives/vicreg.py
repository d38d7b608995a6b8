"""VICReg (Bardes et al. 2022): views agree, and every dimension says something, each something of its own."""

import itertools
from collections.abc import Sequence

from keras import ops

from kerascola.objectives.contrast import retrieved
from kerascola.objectives.head import Projected


class Vicreg(Projected):
    """loss = the three weights times "invariance", "variance" and "covariance".

    The invariance is the mean square over clips and dimensions, as in the paper's algorithm 1, for which its weights
    are (equation 5 leaves out 1 / d), and over pairs of views. The other two are means over views where equation 6 adds
    up two: half of it, and for the variance what the authors' code computes.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (2048, 2048),  # the paper's 8192 make 200 million weights, ten encoders' worth
        dimension: int = 2048,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(hidden, dimension, batch_norm=True, **kwargs)
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def call(self, views, labels=None, training: bool = False):
        rows, count = self.project(views, training), views.shape[0]
        both = list(itertools.combinations(range(count), 2))
        invariance = sum(ops.mean((rows[i] - rows[j]) ** 2) for i, j in both) / len(both)
        centred = rows - ops.mean(rows, axis=1, keepdims=True)
        freedom = ops.cast(ops.shape(rows)[1] - 1, "float32")
        deviations = ops.sqrt(ops.sum(centred**2, axis=1) / freedom + 1e-4)
        variance = ops.mean(ops.relu(1.0 - deviations))
        covariances = ops.matmul(ops.transpose(centred, (0, 2, 1)), centred) / freedom
        others = covariances * (1.0 - ops.eye(self.dimension))
        covariance = ops.sum(others**2) / (self.dimension * count)
        return {
            "loss": self.invariance * invariance + self.variance * variance + self.covariance * covariance,
            "accuracy": sum(retrieved(rows[i], rows[j]) for i, j in both) / len(both),
            "invariance": invariance,
            "variance": variance,
            "covariance": covariance,
        }

    def get_config(self):
        config = {
            "hidden": self.hidden,
            "dimension": self.dimension,
            "invariance": self.invariance,
            "variance": self.variance,
            "covariance": self.covariance,
        }
        return {**super().get_config(), **config}
