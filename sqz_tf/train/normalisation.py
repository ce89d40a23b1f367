"""Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) that does not slow processors where channels are odd.

TensorFlow's own kernel is the fastest for a multiple of four channels, and takes two to four times as long for others:
most of a training step of a network of an odd width. Sums over pictures and places are matrix products here. Values are
centred before they are squared, as TensorFlow does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqz_tf.train.keras import keras, tf

VECTOR = 4  # floats that TensorFlow's kernel takes at once


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer: its weights, its moving averages, its inference; only the training step may be ours."""

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        """Normalise float32 [N, H, W, C] by its own mean and variance while training, else by the moving ones."""
        if training is not True or not self.trainable or self.synchronized or _is_fast(inputs):
            return super().call(inputs, mask=mask, training=training)
        outputs, mean, variance = _normalised(self.epsilon)(inputs, self.gamma, self.beta)
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance * count / (count - 1))):
            moving.assign_add((tf.stop_gradient(now) - moving) * (1 - self.momentum))
        return outputs


def _is_fast(inputs: Any) -> bool:
    """Whether TensorFlow's kernel is the faster one."""
    return inputs.shape[-1] % VECTOR == 0 or bool(tf.config.list_physical_devices("GPU"))


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
