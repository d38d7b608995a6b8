"""Supervised training from scratch: what contrastive pre-training is compared with."""

from keras import layers, ops

from kerascola.objectives.head import flat
from kerascola.objectives.objective import Objective


class Classify(Objective):
    """A linear classifier of every view: softmax cross entropy, or for `multi` a binary one for each class.

    Means are over views and labelled clips. The accuracy of `multi` is that of its single decisions, at 0.5; that of
    `mixed` clips, whose labels are shares of the classes, is of the largest share.
    """

    labelled = "all"
    least_views = 1

    def __init__(self, classes: int, multi: bool = False, mixed: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.classes, self.multi, self.mixed = classes, multi, mixed
        self.shares = multi or mixed
        self.logits = layers.Dense(classes, name="logits")

    def build(self, views_shape) -> None:
        self.logits.build((None, views_shape[-1]))

    def call(self, views, labels=None, training: bool = False):
        logits = ops.cast(self.logits(flat(views)), "float32")
        if self.multi:
            loss, accuracy = binary_cross_entropy(logits, ops.tile(labels, [views.shape[0], 1]))
        elif self.mixed:
            loss, accuracy = mixed_cross_entropy(logits, ops.tile(labels, [views.shape[0], 1]))
        else:
            loss, accuracy = cross_entropy(logits, ops.tile(labels, [views.shape[0]]))
        return {"loss": loss, "accuracy": accuracy}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "multi": self.multi, "mixed": self.mixed}


def cross_entropy(logits, labels):
    """float32 [m, classes], int [m] -> means over labelled rows, 0 without any: of -log softmax, and the accuracy."""
    labels, classes = ops.cast(labels, "int32"), logits.shape[-1]
    right = ops.equal(ops.expand_dims(labels, 1), ops.expand_dims(ops.arange(classes, dtype="int32"), 0))
    losses = -ops.sum(ops.where(right, ops.log_softmax(logits, axis=-1), 0.0), axis=-1)
    losses = ops.where(labels < classes, losses, float("nan"))  # a label that is none must not pass for a good guess
    hits = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), labels)
    labelled = labels >= 0
    return mean_where(labelled, losses), mean_where(labelled, ops.cast(hits, "float32"))


def mixed_cross_entropy(logits, shares):
    """float32 [m, classes] both -> the same of labels that are shares, and how often the largest one is guessed."""
    shares = ops.cast(shares, "float32")
    losses = -ops.sum(shares * ops.log_softmax(logits, axis=-1), axis=-1)
    hits = ops.equal(ops.argmax(logits, axis=-1), ops.argmax(shares, axis=-1))
    labelled = ops.all(shares >= 0, axis=-1)
    return mean_where(labelled, losses), mean_where(labelled, ops.cast(hits, "float32"))


def binary_cross_entropy(logits, labels):
    """float32 [m, classes] both -> means over labelled rows and classes, 0 without any: the loss, and the accuracy."""
    labels = ops.cast(labels, "float32")
    losses = ops.mean(ops.softplus(logits) - labels * logits, axis=-1)
    hits = ops.mean(ops.cast(ops.equal(logits > 0, labels > 0.5), "float32"), axis=-1)
    labelled = ops.all(labels >= 0, axis=-1)
    return mean_where(labelled, losses), mean_where(labelled, hits)


def mean_where(chosen, values):
    """The mean of those of `values` that are `chosen`, 0 if none is."""
    count = ops.sum(ops.cast(chosen, "float32"))
    return ops.sum(ops.where(chosen, values, 0.0)) / ops.maximum(count, 1.0)
