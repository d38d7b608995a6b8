"""Steps that TensorFlow computes faster than Keras's layers ask it to."""

import tensorflow as tf


def on_cpu() -> bool:
    return not tf.config.get_visible_devices("GPU")


def normalise(x, gamma, beta, epsilon: float):
    """Keras spells batch normalisation out in separate operations; TensorFlow has one, of [n, h, w, c]."""
    images = x if x.shape.rank == 4 else x[:, :, tf.newaxis]
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(images, gamma, beta, epsilon=epsilon, is_training=True)
    count = tf.cast(tf.size(images) // tf.size(gamma), variance.dtype)
    biased = variance * tf.maximum(count - 1, 1) / count
    return (y if x.shape.rank == 4 else y[:, :, 0]), tf.stop_gradient(mean), tf.stop_gradient(biased)
