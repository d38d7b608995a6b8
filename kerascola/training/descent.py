"""Keras's optimisers, with the weight decay that torch and the papers mean by their names, and LARS."""

from typing import Any

import keras
from keras import ops

# What stands behind Keras's names: on torch, classes that update all weights at once, which a subclass of the name
# itself would lose (for EfficientNet-B0's Adam, two thirds of the time).
ADAM: Any = type(keras.optimizers.Adam())
ADAMW: Any = type(keras.optimizers.AdamW())
SGD: Any = type(keras.optimizers.SGD())


class InGradient(keras.optimizers.Optimizer):
    """Weight decay as weight_decay * weight in each gradient, after clipping, where Keras would shrink the weights."""

    def __init__(self, *, weight_decay: float = 0.0, **options) -> None:
        super().__init__(**options)
        self.l2 = weight_decay

    def changed(self, gradient, weight):
        return gradient + self.l2 * weight if self.l2 else gradient

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        pairs = zip(grads, trainable_variables, strict=True)
        grads = [self.changed(gradient, ops.convert_to_tensor(variable)) for gradient, variable in pairs]
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight_decay": self.l2}


class Adam(InGradient, ADAM):
    """As `torch.optim.Adam`, but for its epsilon, which is Kingma and Ba's epsilon hat (end of section 2)."""


class Sgd(InGradient, SGD):
    """As `torch.optim.SGD`, but that the momentum keeps each step's own learning rate when that changes."""


class AdamW(ADAMW):
    """Loshchilov and Hutter 2019. Biases, normalisations and layer scales, of one axis at most, do not decay."""

    def build(self, variables) -> None:
        self.exclude_from_weight_decay([variable for variable in variables if len(variable.shape) <= 1])
        super().build(variables)


class Lars(Sgd):
    """You, Gitman, Ginsburg 2017, algorithm 1: each layer's rate is in proportion to |weight| / |gradient|.

    As in SimCLR, what has one axis at most neither decays nor adapts.
    """

    def __init__(self, *, eta: float = 0.001, **options) -> None:
        super().__init__(**options)
        self.eta = eta

    def changed(self, gradient, weight):
        if len(weight.shape) <= 1:
            return gradient
        size, slope = norm(weight), norm(gradient)
        known = ops.logical_and(size > 0, slope > 0)
        trust = self.eta * size / ops.where(known, slope + self.l2 * size, 1.0)
        return ops.where(known, trust, 1.0) * super().changed(gradient, weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "eta": self.eta}


def norm(x):
    return ops.sqrt(ops.sum(ops.square(x)))
