"""COLA's objective (Saeed et al. 2021, equation 1): tell a clip's other segment from those of the batch."""

import keras
from keras import layers, ops

from kerascola.objectives.contrast import unit
from kerascola.objectives.objective import Objective


class Cola(Objective):
    """Two views, anchors and positives -> loss and accuracy of picking the right positive among n.

    `bilinear` compares tanh(LayerNorm(projections)) through a learnt matrix; `dot` compares directions, at a
    temperature. `dropout` is of the embeddings and of what each step of the projection makes of them.
    """

    most_views = 2

    def __init__(
        self,
        similarity: str = "bilinear",
        dimension: int = 512,
        temperature: float = 0.2,
        dropout: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if similarity not in ("bilinear", "dot"):
            raise ValueError(f"expected similarity 'bilinear' or 'dot', received {similarity!r}")
        self.similarity, self.dimension, self.temperature = similarity, dimension, temperature
        self.projection = layers.Dense(dimension, name="projection")
        self.normalisation = layers.LayerNormalization(name="normalisation")
        self.dropout = layers.Dropout(dropout)

    def build(self, views_shape) -> None:
        self.projection.build(views_shape[1:])
        if self.similarity == "bilinear":
            self.normalisation.build((None, self.dimension))
            self.weight = self.add_weight(
                shape=(self.dimension, self.dimension),
                initializer=keras.initializers.RandomNormal(stddev=0.05),
                name="bilinear",
            )

    def similarities(self, anchors, positives, training: bool = False):
        """[n, n] float32 logits: row i holds anchor i against every positive."""
        anchors, positives = self.project(anchors, training), self.project(positives, training)
        if self.similarity == "bilinear":
            return ops.matmul(anchors @ ops.cast(self.weight, "float32"), ops.transpose(positives))
        return ops.matmul(anchors, ops.transpose(positives)) / self.temperature

    def project(self, embeddings, training: bool = False):
        def drop(x):
            return self.dropout(x, training=training)

        projected = drop(self.projection(drop(embeddings)))
        if self.similarity == "bilinear":
            return ops.cast(drop(ops.tanh(self.normalisation(projected))), "float32")
        return unit(ops.cast(projected, "float32"))

    def call(self, views, labels=None, training: bool = False):
        logits = self.similarities(views[0], views[1], training)
        right = ops.arange(ops.shape(logits)[0])
        loss = ops.mean(keras.losses.sparse_categorical_crossentropy(right, logits, from_logits=True))
        hits = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), ops.cast(right, "int32"))
        return {"loss": loss, "accuracy": ops.mean(ops.cast(hits, "float32"))}

    def get_config(self):
        config = {"similarity": self.similarity, "dimension": self.dimension, "temperature": self.temperature}
        return {**super().get_config(), **config, "dropout": self.dropout.rate}
