"""BYOL (Grill et al. 2020): foretell how a slowly moving average of the network sees the clip's other view."""

import itertools
from collections.abc import Sequence

import keras
from keras import layers, ops

from kerascola.objectives.contrast import retrieved, unit
from kerascola.objectives.head import Projected, head, projected


class Byol(Projected):
    """2 - 2 cos(prediction of one view, target projection of another), mean over ordered pairs of views and clips.

    For two views that is half the paper's loss, which adds up both orders. `targets` are the embeddings of the momentum
    encoder. The target's own head is here: its weights are not trained, but follow by `momentum_pairs`; its batch norm
    sees the batch, as the paper's does.
    """

    needs_target = True

    def __init__(self, hidden: Sequence[int] = (4096,), dimension: int = 256, momentum: float = 0.99, **kwargs) -> None:
        super().__init__(hidden, dimension, batch_norm=True, **kwargs)
        self.momentum = momentum
        self.predictor = head(hidden, dimension, batch_norm=True, name="predictor")
        self.target_head = head(hidden, dimension, batch_norm=True, name="target_head")
        for online, target in zip(self.head.layers, self.target_head.layers, strict=True):
            if isinstance(online, layers.Dense):
                target.kernel_initializer = online.kernel_initializer  # one instance gives both the same values

    def build(self, views_shape) -> None:
        super().build(views_shape)
        self.predictor.build((None, self.dimension))
        self.target_head.build((None, views_shape[-1]))
        for weight in self.target_head.weights:  # a layer that is not trainable would leave the batch's statistics
            weight.trainable = False

    def momentum_pairs(self) -> list[tuple[keras.Variable, keras.Variable]]:
        """(online, target): after each step, target = m target + (1 - m) online."""
        both = zip(self.head.weights, self.target_head.weights, strict=True)
        return [(online, target) for online, target in both if online.trainable]

    def call(self, views, labels=None, training: bool = False, targets=None):
        predictions = projected(self.predictor, self.project(views, training), training)
        aims = ops.stop_gradient(projected(self.target_head, targets, training))
        orders = list(itertools.permutations(range(views.shape[0]), 2))
        cosines = [ops.mean(ops.sum(unit(predictions[i]) * unit(aims[j]), axis=-1)) for i, j in orders]
        hits = [retrieved(predictions[i], aims[j]) for i, j in orders]
        return {"loss": 2 - 2 * sum(cosines) / len(orders), "accuracy": sum(hits) / len(orders)}

    def get_config(self):
        return {**super().get_config(), "hidden": self.hidden, "dimension": self.dimension, "momentum": self.momentum}
