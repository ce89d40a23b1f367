"""Our training steps of batch normalisation against Keras's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.train.keras import keras, tf
from sqz_tf.train.normalisation import BatchNormalization
from sqz_tf.train.shared_norm import SharedBatchNormalization


def stepped(kind: Any, x: np.ndarray, upstream: np.ndarray, around: float) -> list[np.ndarray]:
    """Return the outputs, the gradients and the change of the moving statistics of one step in mid-training."""
    layer = kind(momentum=0.9, epsilon=1e-3)
    layer.build(x.shape)
    start = np.full(x.shape[-1], around + 1, np.float32)
    layer.set_weights([np.linspace(0.5, 2, x.shape[-1]), np.linspace(-1, 1, x.shape[-1]), start, start / start])
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    gradients = tape.gradient(outputs, [inputs, layer.gamma, layer.beta], output_gradients=upstream)
    return [value.numpy() for value in (outputs, *gradients, layer.moving_mean - start, layer.moving_variance)]


@pytest.mark.parametrize("kind", [BatchNormalization, SharedBatchNormalization])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_a_step_equals_keras_even_far_from_zero(kind: Any, offset: float) -> None:
    random = np.random.default_rng(1)
    x = (random.normal(offset, 2, (8, 5, 6, 7))).astype(np.float32)
    upstream = random.normal(0, 1, x.shape).astype(np.float32)
    ours, wanted = (stepped(each, x, upstream, offset) for each in (kind, keras.layers.BatchNormalization))
    for found, right in zip(ours, wanted, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-2)


def test_inference_and_frozen_layers_use_the_moving_statistics() -> None:
    layer = BatchNormalization(epsilon=1e-3)
    x = np.full((2, 3, 3, 4), 5, np.float32)
    np.testing.assert_allclose(layer(x, training=False), x, rtol=1e-3)
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), x, rtol=1e-3)
