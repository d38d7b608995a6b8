"""SimCLR's objective (Chen et al. 2020), also uclser20's: tell a clip's other views from those of the batch."""

from collections.abc import Sequence

from keras import ops

from kerascola.objectives.contrast import contrast, pairs
from kerascola.objectives.head import Projected, flat


class NtXent(Projected):
    """NT-Xent over all k * n rows; unless `within`, a row's negatives are of other views only."""

    def __init__(
        self,
        temperature: float = 0.5,
        hidden: Sequence[int] = (512,),
        dimension: int = 128,
        batch_norm: bool = True,
        within: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(hidden, dimension, batch_norm, **kwargs)
        self.temperature, self.within = temperature, within

    def call(self, views, labels=None, training: bool = False):
        positive, candidate = self.masks(views, labels)
        loss, accuracy = contrast(flat(self.project(views, training)), positive, candidate, self.temperature)
        return {"loss": loss, "accuracy": accuracy}

    def masks(self, views, labels):
        """Each row's positives and its candidates, [k * n, k * n] bool."""
        return pairs(views.shape[0], ops.shape(views)[1], self.within)

    def get_config(self):
        config = {
            "temperature": self.temperature,
            "hidden": self.hidden,
            "dimension": self.dimension,
            "batch_norm": self.batch_norm,
            "within": self.within,
        }
        return {**super().get_config(), **config}
