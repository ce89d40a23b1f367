"""Fine-tune a quantized network to say what the float one says: no labels (Hinton et al. 2015, arXiv:1503.02531).

The loss is the Kullback-Leibler divergence of the probabilities. Exponents and ranges stay; gradients pass straight
through the rounding to float weights, and pruned zeros stay zero. Every variable moves in units of its own quantization
step, so that one rate fits weights of 10⁻³ beside activations in the thousands. Every fifth picture is kept back: the
weights of the epoch that is nearest to float on those are kept, or those from before, if none is nearer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sqz_tf.base.errors import DataError
from sqz_tf.base.pixels import Pixels
from sqz_tf.quantize.aware import variable_steps
from sqz_tf.quantize.calibrate import divergence, predict
from sqz_tf.train.keras import keras, tf

HELD_BACK = 5  # one picture in so many
BATCH = 20
KERNEL_SHARE = 0.2

Progress = Callable[[int, int, float], None]  # epochs done, epochs in all, divergence on the pictures kept back


@dataclass
class Distilled:
    """What happened.

    Attributes:
      start: divergence from float on the pictures kept back before the first epoch, in nats.
      epochs: the same after each.
      kept: number of the epoch whose weights were kept, from 1; 0: those from before.
      images, held_back: pictures learnt from, and judged on; each counts mirrored, too.
    """

    start: float
    images: int
    held_back: int
    epochs: list[float] = field(default_factory=list)
    kept: int = 0


def distil(
    model: Any,
    teacher: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    pixels: Pixels,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    progress: Progress | None = None,
) -> Distilled:
    """Fine-tune `model` in place and leave it with the best weights.

    Args:
      model: quantization-aware, ranges set; float32 [N, H, W, C] → probabilities [N, classes].
      teacher: uint8 [N, H, W, C] → probabilities [N, classes] of the float network.
      images: uint8 [N, H, W, C], at least 2; used mirrored, too.
      pixels: what a pixel is to `model`.
      epochs: over all pictures that are not kept back.
      learning_rate: the largest, in quantization steps of a bias; kernels move by `KERNEL_SHARE` of it. It falls to 0
        along a cosine.
      seed: of the order of the pictures.
      progress: told after each epoch.

    Raises:
      DataError: there are too few pictures to keep one back.
    """
    if len(images) < 2:
        raise DataError(f"there are {len(images)} pictures to fine-tune on", expected="at least 2")
    back = np.arange(len(images)) % HELD_BACK == HELD_BACK // 2 if len(images) > HELD_BACK // 2 else _last(images)
    learnt, judged = _both_ways(images[~back]), _both_ways(images[back])
    wanted, right = teacher(learnt), teacher(judged)

    def distance() -> float:
        return divergence(right, predict(model, pixels.numbers(judged)))

    result = Distilled(distance(), int((~back).sum()), int(back.sum()))
    best = model.get_weights()
    steps = math.ceil(len(learnt) / BATCH)
    learn = _learner(model, learning_rate, epochs * steps)
    rng = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        for chosen in np.array_split(rng.permutation(len(learnt)), steps):
            learn(tf.constant(pixels.numbers(learnt[chosen])), tf.constant(wanted[chosen]))
        result.epochs.append(distance())
        if result.epochs[-1] < min([result.start, *result.epochs[:-1]]):
            result.kept, best = epoch, model.get_weights()
        if progress:
            progress(epoch, epochs, result.epochs[-1])
    model.set_weights(best)
    return result


def _learner(model: Any, rate: float, updates: int) -> Callable[[Any, Any], None]:
    """Return one update: it moves each variable from its start by a number of its quantization steps."""
    variables = model.trainable_variables
    steps = [tf.constant(step * (KERNEL_SHARE if step.ndim else 1)) for step in variable_steps(model)]
    start = [tf.identity(variable) for variable in variables]
    moved = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, updates), jit_compile=False)
    optimizer.build(moved)

    @tf.function(reduce_retracing=True)
    def learn(numbers: Any, wanted: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.kl_divergence(wanted, model(numbers, training=True)))
        gradients = tape.gradient(loss, variables)
        changes = (gradient * step for gradient, step in zip(gradients, steps, strict=True))
        optimizer.apply_gradients(zip(changes, moved, strict=True))
        for variable, first, step, change in zip(variables, start, steps, moved, strict=True):
            variable.assign(first + step * change)

    return learn


def _last(images: np.ndarray) -> np.ndarray:
    return np.arange(len(images)) == len(images) - 1


def _both_ways(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images, images[:, :, ::-1]])
