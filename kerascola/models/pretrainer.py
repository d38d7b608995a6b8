"""The model that is trained: sound in, its views, one pass through the encoder, a loss out."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kerascola.augment.running import Standardise
from kerascola.augment.views import Views
from kerascola.objectives.objective import Objective
from kerascola.objectives.sketch import Sketch


def itself(x):
    return x


def nothing(batch, normal):
    raise ValueError(f"expected a batch with clips, received {', '.join(batch)}")


class Pretrainer(keras.Model):
    """Takes {"clips": [n, samples] float, ...} with what `views` drew for each clip, and "labels" for some objectives.

    Where there are no clips, `render(batch, normal)` makes them: [n, samples], or [count * n, samples], another for
    each view; and says whether that is so.

    `clip_level` brings whole clips to their level, or `crop_level` the crops that `views` makes of them and augments;
    `features` makes of those what `encoder` takes; `objective` makes of all views' embeddings a dict of scalars with a
    "loss". The views go through the encoder together, so that batch statistics are shared. Without training nothing is
    augmented. `second` are the features and the encoder of a second tower, whose embeddings of the same waveforms are
    further views. `standardise` brings what the encoder gets to mean 0 and deviation 1, by what was seen so far. Where
    the objective needs a target, a second encoder follows the first by `objective.momentum`. With a `sketch`, times its
    weight in the loss, an embedding also has to tell what its sound looked like before `views` altered the spectrogram.
    """

    def __init__(
        self,
        features: keras.Model,
        encoder: keras.Model,
        objective: Objective,
        views: Views,
        seed: int = 0,
        *,
        clip_level: Callable = itself,
        crop_level: Callable = itself,
        second: tuple[keras.Model, keras.Model] | None = None,
        standardise: bool = False,
        render: Callable = nothing,
        sketch: tuple[Sketch, float] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(autocast=False, **kwargs)  # what was drawn stays whole: bfloat16 knows no frame 301
        self.features, self.encoder, self.objective = features, encoder, objective
        self.other_features: Any = second[0] if second else None
        self.other_encoder: Any = second[1] if second else None
        self.views, self.clip_level, self.crop_level = views, clip_level, crop_level
        self.render = render
        self.standardise = Standardise(name="standardise") if standardise else None
        self.noise_seed = keras.random.SeedGenerator(seed)
        self.target: Any = follower(encoder) if objective.needs_target else None
        self.sketch: Any = sketch[0] if sketch else None
        self.sketch_weight = sketch[1] if sketch else 0.0

    def normal(self, shape):
        return keras.random.normal(shape, dtype="float32", seed=self.noise_seed)

    def waveforms(self, batch, training: bool):
        """[count * n, crop_samples]: the first views of all clips, then the second."""
        clips, apart = self.clips(batch)
        clips = self.clip_level(clips)
        if training:
            return self.views.waveforms(clips, batch, self.normal, self.crop_level, apart)
        return self.crop_level(self.views.crops(clips, batch["starts"], apart))

    def clips(self, batch):
        """And whether each view has one of its own."""
        if "clips" in batch:
            return ops.cast(batch["clips"], "float32"), False
        return self.render(batch, self.normal)

    def spectrograms(self, features, batch, training: bool):
        """What the encoder gets of what the front end makes."""
        if training:
            features = self.views.spectrograms(features, batch, self.normal)
        return features if self.standardise is None else self.standardise(features, training=training)

    def encoded(self, batch, training: bool):
        """Embeddings by view, [count, n, d] or [2 * count, n, d] of two encoders; what the front end made of the
        sounds; and what the encoder got of that."""
        waveforms = self.waveforms(batch, training)
        features = self.features(waveforms)
        spectrograms = self.spectrograms(features, batch, training)
        views = self.by_view(self.encoder(spectrograms, training=training))
        if self.other_encoder is not None:
            others = self.other_encoder(self.other_features(waveforms), training=training)
            views = ops.concatenate([views, self.by_view(others)], axis=0)
        return views, features, spectrograms

    def embed(self, batch, training: bool = False):
        return self.encoded(batch, training)[0]

    def by_view(self, embeddings):
        return ops.reshape(embeddings, (self.views.count, -1, embeddings.shape[-1]))

    def judge(self, views, batch, training: bool = False, **targets):
        """The objective's scalars, with what a backbone's own regularisers ask of its weights in the loss."""
        logs = self.objective(views, batch.get("labels"), training=training, **targets)
        penalties = [weight.regularizer(weight) for weight in self.trainable_variables if weight.regularizer]
        return {**logs, "loss": logs["loss"] + sum(penalties)} if penalties else logs

    def call(self, batch, training: bool = False):
        """The objective's scalars, and the embeddings as "views"."""
        views, features, spectrograms = self.encoded(batch, training)
        targets = {}
        if self.target is not None:
            if training:
                self.follow()
            made = self.target(spectrograms, training=training)
            targets = {"targets": ops.stop_gradient(self.by_view(made))}
        logs = self.judge(views, batch, training, **targets)
        if self.sketch is not None:
            untold = self.sketch(features, ops.reshape(views, (-1, views.shape[-1])))
            logs = {**logs, "loss": logs["loss"] + self.sketch_weight * untold, "sketch": untold}
        return {**logs, "views": views}

    def follow(self) -> None:
        """The target, which began as the encoder is, comes a little nearer to what that has become."""
        pairs = [
            (new, old) for new, old in zip(self.encoder.weights, self.target.weights, strict=True) if new.trainable
        ]
        momentum = self.objective.momentum
        for online, target in [*pairs, *self.objective.momentum_pairs()]:
            target.assign(momentum * target + (1.0 - momentum) * online)


def follower(encoder: keras.Model) -> keras.Model:
    """A copy that is never trained. Its batch norm goes by the batch, as in a layer that is."""
    copy = keras.models.clone_model(encoder)
    copy.set_weights(encoder.get_weights())
    for weight in copy.weights:
        weight.trainable = False
    return copy
