"""An encoder under a linear layer, as it is trained with labels."""

import keras
from keras import ops

from kerascola.augment.views import Views
from kerascola.models.pretrainer import Pretrainer
from kerascola.objectives.classify import Classify


class Classifier(Pretrainer):
    """Of one view of each clip; `frozen`, nothing but the linear layer learns, and the encoder is as it serves."""

    objective: Classify

    def __init__(
        self,
        features: keras.Model,
        encoder: keras.Model,
        objective: Classify,
        views: Views,
        seed: int = 0,
        *,
        frozen: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(features, encoder, objective, views, seed, **kwargs)
        self.frozen = frozen
        if frozen:
            features.trainable = encoder.trainable = False

    def call(self, batch, training: bool = False):
        waveforms, labels = self.waveforms(batch, training), batch["labels"]
        if self.objective.mixed:
            labels = ops.one_hot(labels, self.objective.classes)
        if training:
            waveforms, labels = self.views.mixed(waveforms, labels, batch)
        features = self.spectrograms(self.features(waveforms), batch, training)
        views = self.by_view(self.encoder(features, training=training and not self.frozen))
        return {**self.judge(views, {"labels": labels}, training), "views": views}

    def logits(self, waveforms):
        """[n, samples] -> [n, classes]"""
        features = self.spectrograms(self.features(self.crop_level(waveforms)), {}, training=False)
        return self.objective.logits(self.encoder(features, training=False))
