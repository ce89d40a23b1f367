"""Batch normalisation over the rows of all replicas: what `BatchNormalization` computes from the whole batch.

Keras's own (`synchronized=True`) loses that word when a model is copied, asks for three sums over the network in each
layer, leaves out Bessel's correction that the fused layer of one process has, and keeps variables that can only be read
by all processes at once. Its variables have the same order here, so weights pass from one layer to the other.
"""

from __future__ import annotations

from typing import Any

from sqz_tf.train.keras import keras, tf


class SharedBatchNormalization(keras.layers.Layer):
    """Batch normalisation of float32 [N, H, W, C] with the statistics of the whole batch, however it is shared out."""

    def __init__(self, momentum: float, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta, and the moving mean and variance, which are the same in every replica."""
        options: dict[str, Any] = {
            "shape": (input_shape[-1],),
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        self.gamma = self.add_weight("gamma", initializer="ones", shape=(input_shape[-1],))
        self.beta = self.add_weight("beta", initializer="zeros", shape=(input_shape[-1],))
        self.moving_mean = self.add_weight("moving_mean", initializer="zeros", trainable=False, **options)
        self.moving_variance = self.add_weight("moving_variance", initializer="ones", trainable=False, **options)
        super().build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalise by the batch while training, by the moving statistics otherwise."""
        mean, variance = (
            self._of_batch(inputs) if training and self.trainable else (self.moving_mean, self.moving_variance)
        )
        return tf.nn.batch_normalization(inputs, mean, variance, self.beta, self.gamma, self.epsilon)

    def _of_batch(self, inputs: Any) -> tuple[Any, Any]:
        """Return mean and variance of each channel, float32 [C], and let the moving ones follow.

        Sums are of what is left of the moving mean, which all replicas have: squares of large means leave no digits for
        the variance.
        """
        channels, shift = inputs.shape[-1], tf.stop_gradient(tf.convert_to_tensor(self.moving_mean))
        count = tf.cast(tf.size(inputs) // channels, tf.float32)
        shifted = inputs - shift
        sums = [tf.reduce_sum(shifted, (0, 1, 2)), tf.reduce_sum(tf.square(shifted), (0, 1, 2)), count[None]]
        replica = tf.distribute.get_replica_context()
        total, squares, count = tf.split(replica.all_reduce("SUM", tf.concat(sums, 0)), [channels, channels, 1])
        variance = tf.maximum(squares / count - tf.square(total / count), 0.0)
        mean = shift + total / count
        unbiased = variance * count / tf.maximum(count - 1, 1)  # as the fused layer keeps it
        self.moving_mean.assign_sub((self.moving_mean - mean) * (1 - self.momentum))
        self.moving_variance.assign_sub((self.moving_variance - unbiased) * (1 - self.momentum))
        return mean, variance

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the layer."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


def shared(layer: Any) -> Any:
    """Return a layer like the one given, one that knows of other replicas for a batch normalisation."""
    config = layer.get_config()
    if not isinstance(layer, keras.layers.BatchNormalization):
        return layer.__class__.from_config(config)
    wanted = {name: config[name] for name in ("name", "dtype", "trainable", "momentum", "epsilon")}
    return SharedBatchNormalization.from_config(wanted)
