"""The parts of a batch that replicas take are together the batch that one process takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.base.pixels import Pixels
from sqz_tf.train.batches import WHOLE, Examples, Part, training_batches
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.shared_norm import SharedBatchNormalization, shared
from tests.helpers.needs import quick

pytestmark = pytest.mark.training


def batch(part: Part) -> list[Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    labels = np.minimum(np.arange(40) % 5, 2)
    data = Examples(images, labels, np.arange(40), 3, Pixels(1 / 255))
    options: dict[str, Any] = {
        "seed": 3,
        "first_step": 4,
        "augment": "photo-strong",
        "mix": 0.2,
        "label_smoothing": 0.1,
        "part": part,
    }
    return [each.numpy() for each in next(iter(training_batches(data, batch_size=16, **options)))]


@pytest.mark.parametrize("replicas", quick([2, 3, 5], 3))
def test_parts_are_the_rows_of_the_whole_and_their_mean_is_its_mean(replicas: int) -> None:
    pixels, targets, weights = batch(WHOLE)
    losses = np.random.default_rng(1).random(len(weights))
    means = []
    for index in range(replicas):
        own = batch(Part(index, replicas))
        rows = slice(index, None, replicas)
        np.testing.assert_array_equal(own[0], pixels[rows])
        np.testing.assert_array_equal(own[1], targets[rows])
        means.append(np.mean(losses[rows] * own[2]))
    assert np.mean(means) == pytest.approx(np.mean(losses * weights), rel=1e-6)


@pytest.mark.parametrize("rows", [22, 21])
def test_random_numbers_for_fewer_rows_are_those_for_more(rows: int) -> None:
    """Dropout draws for the rows of all replicas and keeps every third; how many the last one has must not matter."""
    shape, seed = (3, 3, 8), (5, 1)
    some, more = (tf.random.stateless_uniform((count, *shape), seed).numpy() for count in (3 * rows, 64))
    np.testing.assert_array_equal(some[: len(more)], more[: len(some)])


def test_shared_batch_norm_is_batch_norm_where_there_is_one_replica() -> None:
    ordinary = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name="norm")
    own = shared(ordinary)
    assert isinstance(own, SharedBatchNormalization)
    x = np.random.default_rng(0).normal(3.0, 2.0, (8, 5, 5, 4)).astype(np.float32)
    for layer in (ordinary, own):
        layer.build(x.shape)
    for step in range(3):
        a, b = (layer(x + step, training=True).numpy() for layer in (ordinary, own))
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(ordinary.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(ordinary(x).numpy(), own(x).numpy(), atol=1e-5)


def test_a_layer_that_is_no_batch_norm_is_made_again() -> None:
    layer = keras.layers.Conv2D(3, 1, name="conv")
    assert shared(layer).get_config() == layer.get_config()
    assert shared(layer) is not layer
