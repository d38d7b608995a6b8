"""CLAR (Al-Tahan & Mohsenzadeh 2021): NT-Xent on all clips and cross entropy on those that have labels."""

import keras
from keras import layers, ops

from kerascola.objectives.classify import cross_entropy
from kerascola.objectives.contrast import contrast, pairs
from kerascola.objectives.head import Projected, flat, normalisation

HIDDEN = {"paper": (512,), "seed": (256, 256)}  # of the projection head, which ends in 128


class Clar(Projected):
    """loss = "contrast" + "cross_entropy", of any share of labels; "class_accuracy" is of the labelled rows.

    `paper`, after github.com/haideraltahan/CLAR: the class head is BatchNorm - ReLU - Dense on the projection; the
    cross entropies of the views, each a mean over labelled clips, are added up.
    `seed`, after github.com/HondamunigePrasannaSilva/CLAR: no batch norm; both losses are on the projection's ReLU, the
    class head is Dense, and the cross entropy is one mean over all views, so 1 / k of the paper's.
    """

    labelled = "some"

    def __init__(self, classes: int, variant: str = "paper", temperature: float = 0.5, **kwargs) -> None:
        if variant not in HIDDEN:
            raise ValueError(f"expected variant 'paper' or 'seed', received {variant!r}")
        super().__init__(HIDDEN[variant], 128, batch_norm=variant == "paper", **kwargs)
        self.classes, self.variant, self.temperature = classes, variant, temperature
        stack = [normalisation(), layers.ReLU()] if variant == "paper" else []
        self.class_head = keras.Sequential([*stack, layers.Dense(classes, use_bias=not stack)], name="class_head")

    def build(self, views_shape) -> None:
        super().build(views_shape)
        self.class_head.build((None, self.dimension))

    def call(self, views, labels=None, training: bool = False):
        count = views.shape[0]
        rows = flat(self.project(views, training))
        if self.variant == "seed":
            rows = ops.relu(rows)
        positive, candidate = pairs(count, ops.shape(views)[1])
        loss, accuracy = contrast(rows, positive, candidate, self.temperature)
        logits = ops.cast(self.class_head(rows, training=training), "float32")
        mean, class_accuracy = cross_entropy(logits, ops.tile(labels, [count]))
        classes_loss = mean * count if self.variant == "paper" else mean
        return {
            "loss": loss + classes_loss,
            "accuracy": accuracy,
            "contrast": loss,
            "cross_entropy": classes_loss,
            "class_accuracy": class_accuracy,
        }

    def get_config(self):
        config = {"classes": self.classes, "variant": self.variant, "temperature": self.temperature}
        return {**super().get_config(), **config}
