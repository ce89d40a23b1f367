"""Our training step of batch normalisation against Keras's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.train.keras import keras, tf
from sqz_tf.train.normalisation import BatchNormalization


def stepped(kind: Any, x: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    """Return the outputs, the gradients and the moving statistics of one training step."""
    layer = kind(momentum=0.9, epsilon=1e-3)
    layer.build(x.shape)
    layer.set_weights([np.linspace(0.5, 2, x.shape[-1]), np.linspace(-1, 1, x.shape[-1]), *layer.get_weights()[2:]])
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    gradients = tape.gradient(outputs, [inputs, layer.gamma, layer.beta], output_gradients=upstream)
    return [value.numpy() for value in (outputs, *gradients, layer.moving_mean, layer.moving_variance)]


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_a_step_equals_keras_even_far_from_zero(offset: float) -> None:
    random = np.random.default_rng(1)
    x = (random.normal(offset, 2, (8, 5, 6, 7))).astype(np.float32)
    upstream = random.normal(0, 1, x.shape).astype(np.float32)
    ours = stepped(BatchNormalization, x, upstream)
    for found, wanted in zip(ours, stepped(keras.layers.BatchNormalization, x, upstream), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_inference_and_frozen_layers_use_the_moving_statistics() -> None:
    layer = BatchNormalization(epsilon=1e-3)
    x = np.full((2, 3, 3, 4), 5, np.float32)
    np.testing.assert_allclose(layer(x, training=False), x, rtol=1e-3)
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), x, rtol=1e-3)
