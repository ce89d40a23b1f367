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
    """Largest random change of a picture, in fractions of its side (shift, zoom), radians, and 0…1 units.

    Without zoom and rotation, shifts are of whole pixels, so that nothing is blurred ("pad and crop"). `colour` is how
    far colours move from or to grey, `cut` the side of a square that is blanked at a random place (DeVries and Taylor
    2017, arXiv:1708.04552).
    """

    flip: bool = False
    shift: float = 0.0
    zoom: float = 0.0
    rotate: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    cut: float = 0.0


AUGMENTATIONS = {
    "none": Augmentation(),
    "glyph": Augmentation(shift=0.08, zoom=0.1, rotate=0.2, contrast=0.1),
    "photo": Augmentation(flip=True, shift=0.125, zoom=0.1, rotate=0.05, brightness=0.1, contrast=0.2),
    "photo-crop": Augmentation(flip=True, shift=0.125, brightness=0.1, contrast=0.2, colour=0.2),
    "photo-strong": Augmentation(flip=True, shift=0.125, brightness=0.1, contrast=0.2, colour=0.2, cut=0.25),
}


@dataclass(frozen=True)
class Teacher:
    """A larger network whose answers are part of what is learnt (Hinton et al. 2015, arXiv:1503.02531).

    It sees the very pictures that the student sees, augmented alike (Beyer et al. 2022, arXiv:2106.05237).

    Attributes:
      network: Keras model, `pixels`' float32 [N, h, w, C] → probabilities [N, classes].
      pixels: what a pixel is to it.
      share: of the target that its answer is; the label is the rest.
    """

    network: Any
    pixels: Pixels
    share: float


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
    mix: float = 0.0,
    teacher: Teacher | None = None,
    part: Part = WHOLE,
) -> Any:
    """Endless tf.data set of (float32 [B, H, W, C], targets float32 [B, classes], weights float32 [B]).

    Args:
      mix: alpha of mix-up (Zhang et al. 2018, arXiv:1710.09412): pictures and labels are mixed in pairs; 0 is none.
      teacher: its answers become part of the targets.
      part: the rows of the batch to make, as they are in the whole; the mean of the losses over all replicas is that
        of the batch, however many rows each has.
    """
    batch_size = min(batch_size, len(examples))
    own = rows = part.rows(batch_size)
    if mix and part != WHOLE:
        rows = np.concatenate([own, (own - 1) % batch_size])  # each row is mixed with its neighbour
    draw = _drawer(examples, batch_size, seed, rows)
    weights = tf.constant(class_weights(examples) * np.float32(len(own) * part.of / batch_size))
    change = AUGMENTATIONS[augment]

    def batch(step: Any) -> Any:
        pixels, labels = tf.numpy_function(draw, [step], [tf.uint8, tf.int64], stateful=False)
        pixels.set_shape((len(rows), *examples.images.shape[1:]))
        labels.set_shape((len(rows),))
        x = _augment(pixels, change, tf.stack([seed, step]), batch_size, rows)
        target = tf.one_hot(labels, examples.classes) * (1 - label_smoothing) + label_smoothing / examples.classes
        weight = tf.gather(weights, labels)
        if mix:
            shares = tf.gather(_shares(mix, tf.stack([-1 - seed, step]), batch_size), own)
            x, target, weight = _mixed(shares, x, target, weight)
        if teacher is not None:
            target = (1 - teacher.share) * target + teacher.share * _taught(teacher, x)
        return _numbers(x, examples.pixels), target, weight

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(4)


def _numbers(x: Any, pixels: Pixels) -> Any:
    """Return what a network sees of pictures in 0…1."""
    return x * (255.0 * pixels.scale) + pixels.offset


def _shares(alpha: float, seed: Any, batch_size: int) -> Any:
    """Return how much of each row of a batch stays its own, float32 [batch_size] from a half to one."""
    own, other = tf.unstack(tf.random.stateless_gamma((2, batch_size), seed, alpha))
    return tf.maximum(own, other) / (own + other)


def _mixed(shares: Any, *values: Any) -> tuple[Any, ...]:
    """Mix rows of each value with their neighbours', which are the rows before them, or follow after all of them."""
    count = int(shares.shape[0])

    def mixed(value: Any) -> Any:
        part = tf.reshape(shares, [count, *[1] * (len(value.shape) - 1)])
        neighbours = tf.roll(value, 1, 0) if value.shape[0] == count else value[count:]
        return part * value[:count] + (1 - part) * neighbours

    return tuple(mixed(value) for value in values)


def _taught(teacher: Teacher, x: Any) -> Any:
    """Return the teacher's answers [B, classes] to pictures in 0…1, resized to its own input."""
    size = teacher.network.input_shape[1:3]
    if tuple(x.shape[1:3]) != tuple(size):
        x = tf.image.resize(x, size, antialias=True)
    return teacher.network(_numbers(x, teacher.pixels), training=False)


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


def _augment(pixels: Any, change: Augmentation, seed: Any, batch_size: int, rows: np.ndarray) -> Any:
    """Change uint8 [B, H, W, C] to float32 in 0…1; stays in 0…1, so that the input quantizer's range holds.

    Random numbers are drawn for a batch of `batch_size`, of which these pictures are some rows.
    """
    if change == Augmentation():
        return _units(pixels)
    draws = tf.unstack(tf.gather(tf.random.stateless_uniform((8, batch_size), seed, -1.0, 1.0), rows, axis=1))
    whole = not change.zoom and not change.rotate
    x = _units(_moved(pixels, change, draws)) if whole else _warp(_units(pixels), change, draws[:5])
    contrast = 1.0 + change.contrast * draws[5][:, None, None, None]
    brightness = change.brightness * draws[6][:, None, None, None]
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = tf.clip_by_value((x - mean) * contrast + mean + brightness, 0.0, 1.0)
    if change.colour:
        colour = 1.0 + change.colour * draws[7][:, None, None, None]
        x = tf.clip_by_value(x * colour + _grey(x) * (1.0 - colour), 0.0, 1.0)
    if not change.cut:
        return x
    centres = tf.gather(tf.random.stateless_uniform((2, batch_size, 1), tf.reverse(seed, [0])), rows, axis=1)
    return _cut(x, change.cut, centres)


def _units(pixels: Any) -> Any:
    return tf.cast(pixels, tf.float32) / 255.0


def _grey(x: Any) -> Any:
    """Return the mean of the channels in each of them: a product of matrices, which is the fastest way to it."""
    channels = x.shape[-1]
    return tf.reshape(tf.reshape(x, [-1, channels]) @ tf.fill([channels, channels], 1.0 / channels), tf.shape(x))


def _moved(pixels: Any, change: Augmentation, draws: list[Any]) -> Any:
    """Flip and shift by whole pixels: what `_warp` does without zoom and rotation, in a fraction of its time."""
    count, height, width, channels = pixels.shape

    def shifted(places: Any, side: int, draw: Any) -> Any:
        return tf.clip_by_value(places + tf.cast(tf.round(change.shift * side * draw), tf.int32)[:, None], 0, side - 1)

    columns = tf.range(width)[None]
    if change.flip:
        columns = tf.where(draws[0][:, None] < 0, width - 1 - columns, columns)
    rows, columns = shifted(tf.range(height)[None], height, draws[4]), shifted(columns, width, draws[3])
    places = (tf.range(count)[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    return tf.gather(tf.reshape(pixels, [-1, channels]), places)


def _cut(x: Any, side: float, centres: Any) -> Any:
    """Blank one square of each picture with the picture's mean; its centre lies anywhere in the picture."""
    height, width = x.shape[1], x.shape[2]
    down, right = tf.unstack(centres)
    rows = tf.abs(tf.range(height, dtype=tf.float32) - down * height) < side * height / 2
    columns = tf.abs(tf.range(width, dtype=tf.float32) - right * width) < side * width / 2
    inside = rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(inside, tf.reduce_mean(x, axis=(1, 2), keepdims=True), x)


def _warp(x: Any, change: Augmentation, draws: list[Any]) -> Any:
    """Flip, rotate, zoom about the centre and shift, in one bilinear resampling of the batch."""
    height, width = float(x.shape[1]), float(x.shape[2])
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
