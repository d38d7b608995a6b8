"""The model that `fit` trains: sound in, its views, one pass through the encoder, a loss out."""

from collections.abc import Callable

import keras
from keras import ops

from kerascola.augment.running import Standardise
from kerascola.augment.views import Views
from kerascola.objectives.objective import Objective


class Pretrainer(keras.Model):
    """Takes {"clips": [n, samples] float, ...} with what `views` drew for each clip, and "labels" for some objectives.

    `level` brings whole clips to their level, `views` makes crops of them and augments them, `features` makes of those
    what `encoder` takes; `objective` makes of all views' embeddings a dict of scalars with a "loss". The views go
    through the encoder together, so that batch statistics are shared. Without training nothing is augmented.
    `standardise` brings what the encoder gets to mean 0 and deviation 1, by what was seen so far.
    """

    def __init__(
        self,
        features: keras.Model,
        encoder: keras.Model,
        objective: Objective,
        views: Views,
        seed: int = 0,
        *,
        level: Callable,
        standardise: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # what was drawn stays whole: bfloat16 knows no frame 301
        self.features, self.encoder, self.objective = features, encoder, objective
        self.views, self.level = views, level
        self.standardise = Standardise(name="standardise") if standardise else None
        self.noise_seed = keras.random.SeedGenerator(seed)
        self.accuracy = keras.metrics.Mean(name="accuracy")

    def normal(self, shape):
        return keras.random.normal(shape, dtype="float32", seed=self.noise_seed)

    def waveforms(self, batch, training: bool):
        """[count * n, crop_samples]: the first views of all clips, then the second."""
        clips = self.level(ops.cast(batch["clips"], "float32"))
        if training:
            return self.views.waveforms(clips, batch, self.normal)
        return self.views.crops(clips, batch["starts"])

    def call(self, batch, training: bool = False):
        spectrograms = self.features(self.waveforms(batch, training))
        if training:
            spectrograms = self.views.spectrograms(spectrograms, batch, self.normal)
        if self.standardise is not None:
            spectrograms = self.standardise(spectrograms, training=training)
        embeddings = self.encoder(spectrograms, training=training)
        views = ops.reshape(embeddings, (self.views.count, -1, embeddings.shape[-1]))
        return self.objective(views, batch.get("labels"), training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return y_pred["loss"] + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.accuracy.update_state(y_pred["accuracy"])
        return self.get_metrics_result()
