"""Spectrograms at mean 0 and deviation 1, by what was seen so far."""

import keras
from keras import layers, ops


class Standardise(layers.Layer):
    """Mean and variance over all values of all batches seen in training, every batch with the same weight."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, shape) -> None:
        names = ("seen", "mean", "square")
        self.seen, self.mean, self.square = (
            self.add_weight(shape=(), initializer="zeros", trainable=False, name=name) for name in names
        )

    def call(self, x, training: bool = False):
        x = ops.cast(x, "float32")
        if training:
            values = ops.stop_gradient(x)
            self.seen.assign(self.seen + 1.0)
            for running, now in ((self.mean, ops.mean(values)), (self.square, ops.mean(values * values))):
                running.assign(running + (now - running) / self.seen)
        return (x - self.mean) / self.deviation()

    def fix(self, mean: float, deviation: float) -> None:
        """These are the statistics from now on: what is seen later counts for nothing beside them."""
        for weight, value in ((self.seen, 1e12), (self.mean, mean), (self.square, deviation**2 + mean**2)):
            weight.assign(value)

    def deviation(self):
        """1 before anything was seen."""
        spread = ops.sqrt(ops.maximum(self.square - self.mean * self.mean, 1e-12))
        return ops.where(self.seen > 0, spread, 1.0)


def statistics(layer: Standardise) -> tuple[float, float]:
    """(mean, deviation)"""
    return float(keras.ops.convert_to_numpy(layer.mean)), float(keras.ops.convert_to_numpy(layer.deviation()))
