"""The model that `fit` trains: sound in, two views, one pass through the encoder, a loss out."""

from collections.abc import Callable

import keras
from keras import ops

from kerascola.augment.views import crop


class Pretrainer(keras.Model):
    """Takes {"clips": [n, samples] float, "starts": [n, 2] int}; `starts` are where the two crops begin.

    `level` brings whole clips to their level, `features` turns crops of them into what `encoder` takes;
    `objective(anchors, positives)` gives a dict of scalars with a "loss". Anchors and positives go through the
    encoder together, so that batch statistics are shared.
    """

    def __init__(
        self,
        features: keras.Model,
        encoder: keras.Model,
        objective: keras.layers.Layer,
        crop_samples: int,
        noise: float = 0.001,
        seed: int = 0,
        *,
        level: Callable,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.features, self.encoder, self.objective = features, encoder, objective
        self.crop_samples, self.noise, self.level = crop_samples, noise, level
        self.noise_seed = keras.random.SeedGenerator(seed)
        self.accuracy = keras.metrics.Mean(name="accuracy")

    def views(self, batch, training: bool):
        """[2 n, crop_samples]: the anchors, then the positives, which carry the noise."""
        clips = self.level(ops.cast(batch["clips"], "float32"))
        anchors = crop(clips, batch["starts"][:, 0], self.crop_samples)
        positives = crop(clips, batch["starts"][:, 1], self.crop_samples)
        if training and self.noise:
            noise = keras.random.normal(ops.shape(positives), dtype="float32", seed=self.noise_seed)
            positives = positives + self.noise * noise
        return ops.concatenate([anchors, positives], axis=0)

    def call(self, batch, training: bool = False):
        spectrograms = self.features(self.views(batch, training))
        embeddings = self.encoder(spectrograms, training=training)
        anchors, positives = ops.split(embeddings, 2, axis=0)
        return self.objective(anchors, positives)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred["loss"] + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.accuracy.update_state(y_pred["accuracy"])
        return self.get_metrics_result()
