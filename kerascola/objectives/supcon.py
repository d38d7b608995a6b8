"""Supervised contrastive learning (Khosla et al. 2020): clips of one class are views of one thing."""

from collections.abc import Sequence

from keras import ops

from kerascola.objectives.contrast import alike
from kerascola.objectives.nt_xent import NtXent


class SupCon(NtXent):
    """L_out, equation 2: positives are all other rows of the label; a clip without one has its own views only."""

    labelled = "some"

    def __init__(
        self,
        temperature: float = 0.1,
        hidden: Sequence[int] = (512,),
        dimension: int = 128,
        batch_norm: bool = True,
        within: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(temperature, hidden, dimension, batch_norm, within, **kwargs)

    def masks(self, views, labels):
        same_clip, other = super().masks(views, labels)
        labels = ops.tile(ops.cast(labels, "int32"), [views.shape[0]])
        same_label = ops.logical_and(alike(labels), ops.expand_dims(labels >= 0, 0))
        return ops.logical_or(same_clip, ops.logical_and(same_label, other)), other
