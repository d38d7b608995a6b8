"""A training step on TensorFlow."""

import tensorflow as tf

from kerascola.training.step import InPlace


class Core(InPlace):
    def __init__(self, model) -> None:
        super().__init__(model)
        options = {"jit_compile": bool(tf.config.get_visible_devices("GPU")), "reduce_retracing": True}
        self.run_step = tf.function(self.plain, **options)
        self.run_embed = tf.function(lambda batch: model.embed(batch, training=True), **options)
        self.run_judge = tf.function(self.judged, **options)
        self.run_pull = tf.function(self.pulled, **options)
        self.apply = tf.function(self.applied, **options)

    def step(self, batch):
        return self.run_step(tensors(batch))

    def embed(self, batch):
        return self.run_embed(tensors(batch))

    def judge(self, views, labels):
        return self.run_judge(views, tensors(labels))

    def pull(self, batch, slope):
        return self.run_pull(tensors(batch), slope)

    def plain(self, batch):
        with tf.GradientTape() as tape:
            logs = self.model(batch, training=True)
            scaled = self.model.optimizer.scale_loss(logs["loss"])
        self.applied(tape.gradient(scaled, self.model.trainable_variables))
        return logs

    def judged(self, views, labels):
        with tf.GradientTape() as tape:
            tape.watch(views)
            logs = self.model.judge(views, labels, training=True)
            scaled = self.model.optimizer.scale_loss(logs["loss"])
        slopes, gradients = tape.gradient(scaled, (views, self.model.trainable_variables))
        return logs, slopes, gradients

    def pulled(self, batch, slope):
        with tf.GradientTape() as tape:
            views = self.model.embed(batch, training=True)
        return tape.gradient(views, self.model.trainable_variables, output_gradients=slope)

    def applied(self, gradients) -> None:
        self.model.optimizer.apply(gradients, self.model.trainable_variables)


def tensors(batch):
    return {name: tf.convert_to_tensor(values) for name, values in batch.items()}
