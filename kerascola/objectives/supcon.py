"""Supervised contrastive learning (Khosla et al. 2020): clips of one class are views of one thing."""

from collections.abc import Sequence

from keras import ops

from kerascola.objectives.contrast import alike, contrast, pairs
from kerascola.objectives.head import Projected, flat


class SupCon(Projected):
    """L_out, equation 2: positives are all other rows of the label; a clip without one has its own views only."""

    labelled = "some"

    def __init__(
        self,
        temperature: float = 0.1,
        hidden: Sequence[int] = (512,),
        dimension: int = 128,
        batch_norm: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(hidden, dimension, batch_norm, **kwargs)
        self.temperature = temperature

    def call(self, views, labels=None, training: bool = False):
        count = views.shape[0]
        same_clip, other = pairs(count, ops.shape(views)[1])
        labels = ops.tile(ops.cast(labels, "int32"), [count])
        same_label = ops.logical_and(alike(labels), ops.expand_dims(labels >= 0, 0))
        positive = ops.logical_or(same_clip, ops.logical_and(same_label, other))
        loss, accuracy = contrast(flat(self.project(views, training)), positive, other, self.temperature)
        return {"loss": loss, "accuracy": accuracy}

    def get_config(self):
        config = {
            "temperature": self.temperature,
            "hidden": self.hidden,
            "dimension": self.dimension,
            "batch_norm": self.batch_norm,
        }
        return {**super().get_config(), **config}
