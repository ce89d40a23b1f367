"""Pictures to tf.data batches: shuffling and augmentation that depend on (seed, step) only.

Step n of a run yields the same batch whether the run was interrupted before it or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqz_tf.base.pixels import Pixels
from sqz_tf.train.keras import tf

BALANCED = 1.5  # largest class : smallest class up to which no class weights are used


@dataclass(frozen=True)
class Augmentation:
    """Largest random change of a picture, in fractions of its side (shift, zoom), radians, and 0…1 units."""

    flip: bool = False
    shift: float = 0.0
    zoom: float = 0.0
    rotate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0


AUGMENTATIONS = {
    "none": Augmentation(),
    "glyph": Augmentation(shift=0.08, zoom=0.1, rotate=0.2, contrast=0.1),
    "photo": Augmentation(flip=True, shift=0.125, zoom=0.1, rotate=0.05, brightness=0.1, contrast=0.2),
}


@dataclass(frozen=True)
class Examples:
    """Pictures uint8 [N, H, W, C] (may be a memory map), labels int [N], which of them to use, and what a pixel is."""

    images: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    classes: int
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class Part:
    """The rows of each batch that one of several replicas takes: every `of`-th, from `index` on."""

    index: int
    of: int

    def rows(self, count: int) -> np.ndarray:
        """Return its rows of a batch of so many."""
        return np.arange(self.index, count, self.of)


WHOLE = Part(0, 1)


def steps_per_epoch(examples: Examples, batch_size: int) -> int:
    """Return the batches of one epoch; the last one is filled up from the epoch's beginning."""
    return -(-len(examples) // min(batch_size, len(examples)))


def class_weights(examples: Examples) -> np.ndarray:
    """Return float32 [classes]: n / (classes * n_c), or ones where the classes are nearly balanced."""
    counts = np.bincount(examples.labels[examples.index], minlength=examples.classes)
    if counts.min() == 0 or counts.max() <= BALANCED * counts.min():
        return np.ones(examples.classes, np.float32)
    return (len(examples) / (examples.classes * counts)).astype(np.float32)


def training_batches(
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
    first_step: int,
    augment: str,
    label_smoothing: float,
    part: Part = WHOLE,
) -> Any:
    """Endless tf.data set of (float32 [B, H, W, C], one-hot float32 [B, classes], weights float32 [B]).

    Args:
      part: the rows of the batch to make, as they are in the whole; the mean of the losses over all replicas is that
        of the batch, however many rows each has.
    """
    batch_size = min(batch_size, len(examples))
    rows = part.rows(batch_size)
    draw = _drawer(examples, batch_size, seed, rows)
    weights = tf.constant(class_weights(examples) * np.float32(len(rows) * part.of / batch_size))
    change = AUGMENTATIONS[augment]

    def batch(step: Any) -> Any:
        pixels, labels = tf.numpy_function(draw, [step], [tf.uint8, tf.int64], stateful=False)
        pixels.set_shape((len(rows), *examples.images.shape[1:]))
        labels.set_shape((len(rows),))
        draws = _draws(tf.stack([seed, step]), batch_size, rows)
        x = _augment(tf.cast(pixels, tf.float32) / 255.0, change, draws)
        target = tf.one_hot(labels, examples.classes) * (1 - label_smoothing)
        return (
            x * (255.0 * examples.pixels.scale) + examples.pixels.offset,
            target + label_smoothing / examples.classes,
            tf.gather(weights, labels),
        )

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)


def _drawer(
    examples: Examples, batch_size: int, seed: int, rows: np.ndarray
) -> Callable[[np.int64], tuple[np.ndarray, np.ndarray]]:
    """Return step → (pixels, labels) of some rows over a fresh permutation each epoch."""
    epoch_steps = steps_per_epoch(examples, batch_size)

    def permutation(epoch: int) -> np.ndarray:
        order = np.random.default_rng([seed, epoch]).permutation(examples.index)
        return np.resize(order, epoch_steps * batch_size)

    newest: tuple[int, np.ndarray] = (-1, examples.index)

    def draw(step: np.int64) -> tuple[np.ndarray, np.ndarray]:
        nonlocal newest
        epoch, position = divmod(int(step), epoch_steps)
        kept_epoch, order = newest
        if kept_epoch != epoch:
            order = permutation(epoch)
            newest = (epoch, order)
        chosen = order[position * batch_size + rows]
        return examples.images[chosen], examples.labels[chosen].astype(np.int64)

    return draw


def evaluation_batches(examples: Examples, batch_size: int = 256) -> Any:
    """Return a tf.data set of (float32 [B, H, W, C], one-hot float32 [B, classes]) in order, unchanged."""

    def chunks() -> Any:
        for start in range(0, len(examples), batch_size):
            yield labelled(examples, examples.index[start : start + batch_size])

    return tf.data.Dataset.from_generator(chunks, output_signature=signature(examples)).prefetch(2)


def labelled(examples: Examples, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (float32 [B, H, W, C], one-hot float32 [B, classes]) of some rows, unchanged."""
    return (
        examples.pixels.numbers(examples.images[chosen]),
        np.eye(examples.classes, dtype=np.float32)[examples.labels[chosen]],
    )


def signature(examples: Examples) -> tuple[Any, Any]:
    """Return shapes and types of what `labelled` returns."""
    return (
        tf.TensorSpec((None, *examples.images.shape[1:]), tf.float32),
        tf.TensorSpec((None, examples.classes), tf.float32),
    )


def _draws(seed: Any, batch_size: int, rows: np.ndarray) -> Any:
    """Return random numbers in −1…1 for some rows of a batch, float32 [8, rows]: what they are in the whole."""
    draws = tf.random.stateless_uniform((8, batch_size), seed, -1.0, 1.0)
    return draws if len(rows) == batch_size else tf.gather(draws, rows, axis=1)


def _augment(x: Any, change: Augmentation, numbers: Any) -> Any:
    """Change float32 [B, H, W, C] in 0…1; stays in 0…1, so that the input quantizer's range holds."""
    if change == Augmentation():
        return x
    draws = tf.unstack(numbers)
    height, width = x.shape[1], x.shape[2]
    x = _warp(x, change, draws[:5], float(height), float(width))
    contrast = 1.0 + change.contrast * draws[5][:, None, None, None]
    brightness = change.brightness * draws[6][:, None, None, None]
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value((x - mean) * contrast + mean + brightness, 0.0, 1.0)


def _warp(x: Any, change: Augmentation, draws: list[Any], height: float, width: float) -> Any:
    """Flip, rotate, zoom about the centre and shift, in one bilinear resampling of the batch."""
    flip = tf.where(draws[0] < 0, -1.0, 1.0) if change.flip else tf.ones_like(draws[0])
    zoom = 1.0 + change.zoom * draws[1]
    angle = change.rotate * draws[2]
    cos, sin = tf.cos(angle) * zoom, tf.sin(angle) * zoom
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    shift_x, shift_y = change.shift * width * draws[3], change.shift * height * draws[4]
    a0, a1, b0, b1 = cos * flip, -sin, sin * flip, cos
    a2 = centre_x + shift_x - a0 * centre_x - a1 * centre_y
    b2 = centre_y + shift_y - b0 * centre_x - b1 * centre_y
    zeros = tf.zeros_like(zoom)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1),
        output_shape=tf.constant([int(height), int(width)]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
