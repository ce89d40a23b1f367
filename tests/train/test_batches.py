"""What a batch holds: pictures changed within their bounds, labels mixed as the pictures are, a teacher's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.base.pixels import Pixels
from sqz_tf.train.batches import Augmentation, Examples, Teacher, _augment, _moved, _warp, training_batches
from sqz_tf.train.keras import keras, tf

SEED = (1, 2)


def examples(images: np.ndarray, classes: int = 2) -> Examples:
    labels = (np.arange(len(images)) % classes).astype(np.int32)
    return Examples(images.astype(np.uint8), labels, np.arange(len(images)), classes, Pixels(1 / 255))


def first(data: Examples, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and targets of the first batch."""
    given = {"augment": "none", "label_smoothing": 0.0, **options}
    batches = training_batches(data, batch_size=len(data), seed=3, first_step=0, **given)
    x, target, _ = next(iter(batches))
    return x.numpy(), target.numpy()


def pictures(count: int, side: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def augmented(x: np.ndarray, **change: Any) -> np.ndarray:
    result: np.ndarray = _augment(
        tf.constant(x), Augmentation(**change), tf.constant(SEED), len(x), np.arange(len(x))
    ).numpy()
    return result


def test_shifts_alone_are_of_whole_pixels() -> None:
    x = pictures(16, 32)
    for picture, result in zip(x / np.float32(255), augmented(x, flip=True, shift=0.125), strict=True):
        inner = result[12:20, 12:20]
        places = [
            np.abs(side[12 + down : 20 + down, 12 + right : 20 + right] - inner).max()
            for side in (picture, picture[:, ::-1])
            for down in range(-4, 5)
            for right in range(-4, 5)
        ]
        assert min(places) < 1e-6


@pytest.mark.parametrize("flip", [False, True])
def test_whole_pixels_move_as_resampling_would_move_them_edges_included(flip: bool) -> None:
    x, change = pictures(32, 20), Augmentation(flip=flip, shift=0.2)
    draws = tf.unstack(tf.random.stateless_uniform((5, len(x)), SEED, -1.0, 1.0))
    steps = [tf.round(change.shift * 20 * draw) / (change.shift * 20) for draw in draws[3:]]
    resampled = _warp(tf.constant(x, tf.float32), change, [*draws[:3], *steps]).numpy()
    np.testing.assert_allclose(_moved(tf.constant(x), change, draws).numpy(), resampled, atol=1e-3)


def test_a_cut_blanks_a_square_with_the_mean() -> None:
    x = pictures(64, 32)
    units, cut = x / np.float32(255), augmented(x, cut=0.25)
    changed = np.abs(cut - units).max(-1) > 1e-5
    assert changed.any((1, 2)).all()
    assert changed.sum((1, 2)).max() == 64
    for picture, mask, result in zip(units, changed, cut, strict=True):
        np.testing.assert_allclose(result[mask], np.broadcast_to(picture.mean((0, 1)), result[mask].shape), atol=1e-5)


def test_colours_move_and_grey_stays_grey() -> None:
    grey = np.repeat(pictures(8, 16, 1), 3, -1)
    np.testing.assert_allclose(augmented(grey, colour=0.5), grey / np.float32(255), atol=1e-6)
    colourful = pictures(8, 16)
    assert np.abs(augmented(colourful, colour=0.5) - colourful / np.float32(255)).max() > 0.05


def test_labels_are_mixed_as_the_pictures_are() -> None:
    brightness = np.array([0, 255] * 8)
    x, target = first(examples(np.ones((16, 8, 8, 1)) * brightness[:, None, None, None]), mix=0.4)
    np.testing.assert_allclose(target.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(target[:, 1], x[:, 0, 0, 0], atol=1e-6)  # class 1 is white
    assert ((target[:, 1] > 0.01) & (target[:, 1] < 0.99)).any()


def test_targets_are_partly_the_teachers_answers_to_the_same_pictures() -> None:
    inputs = keras.layers.Input((4, 4, 1))  # smaller than the pictures, and seeing other numbers
    white = keras.layers.GlobalAveragePooling2D()(inputs)
    network = keras.Model(inputs, keras.layers.Concatenate()([255 - white, white]))
    brightness = np.array([0, 51, 102, 255])
    data = examples(np.ones((4, 8, 8, 1)) * brightness[:, None, None, None])
    x, target = first(data, teacher=Teacher(network, Pixels(1.0), 0.5))
    labels = first(data)[1]
    white_share = x[:, 0, 0, 0] * 255
    np.testing.assert_allclose(target, 0.5 * labels + 0.5 * np.stack([255 - white_share, white_share], 1), atol=1e-3)


@pytest.mark.parametrize("step", [0, 5])
def test_a_batch_depends_on_seed_and_step_alone(step: int) -> None:
    data = examples(np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3)))
    options: dict[str, Any] = {"augment": "photo-strong", "label_smoothing": 0.1, "mix": 0.2}
    found = [
        next(iter(training_batches(data, batch_size=8, seed=1, first_step=step, **options).take(1))) for _ in range(2)
    ]
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
