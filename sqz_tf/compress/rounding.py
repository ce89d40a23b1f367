"""Round a layer's weights to integers that cost few bits, each rounding's error made good by the weights still to come.

Optimal Brain Compression's order of work (Frantar and Alistarh 2022, arXiv:2208.11580) with a price on bits: for each
weight the cheaper of the nearest integer, the one next to it toward zero, and zero, by the loss it leaves and λ times
its bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from sqz_tf.compress.moments import Moments
from sqz_tf.compress.rate import LARGEST, Rate, rate_of
from sqz_tf.quantize.schemes.grid import SMALLEST_CHANNEL

PASSES = 3
REVISIONS = 1
STEP = 4.0  # of √(λ / curvature)
BLOCK = 32  # columns whose errors are handed on together


@dataclass(frozen=True, eq=False)
class Rounded:
    """A layer in integers.

    Attributes:
      integers: int8 [O, K], in the order of the kernel's axes.
      steps: float64 [O], what one stands for.
      bias: float64 [O], corrected.
      bits: estimated.
      loss: what the rounding costs in nats by the moments.
    """

    integers: np.ndarray
    steps: np.ndarray
    bias: np.ndarray
    bits: float
    loss: float


@dataclass(frozen=True)
class StepGrid:
    """Which steps a row may have: 2^(k / per_octave); all rows the same one where `shared`."""

    per_octave: int = 4
    shared: bool = False

    def above(self, steps: np.ndarray) -> np.ndarray:
        """Return the lowest steps of the grid that are not below those given, within a millionth."""
        found = np.exp2(np.ceil(np.log2(steps) * self.per_octave - 1e-6) / self.per_octave)
        return np.full_like(found, found.max()) if self.shared else found

    def nearest(self, steps: np.ndarray) -> np.ndarray:
        """Return the nearest steps of the grid, by ratio."""
        logs = np.log2(steps)
        if self.shared:
            logs = np.full_like(logs, logs.mean())
        return np.exp2(np.round(logs * self.per_octave) / self.per_octave)


class Layer:
    """A layer ready to be rounded, at any price."""

    def __init__(self, rows: np.ndarray, bias: np.ndarray, moments: Moments, grid: StepGrid) -> None:
        """Keep weights [O, K] and biases [O], sort the columns and factor the moments."""
        self.bias, self.grid, self.outputs = bias.astype(np.float64), grid, moments.outputs
        self.order = np.argsort(-np.diag(moments.inputs)[:-1], kind="stable")
        ordered = np.append(self.order, len(self.order))
        inputs = moments.inputs[np.ix_(ordered, ordered)]
        with threadpool_limits(1, "blas"):  # whose sums depend on the number of threads
            self.spread = np.linalg.cholesky(np.linalg.inv(inputs)).T
        self.toward_bias = inputs[-1, :-1] / inputs[-1, -1]
        # Of the weights alone, the bias making good what it can.
        self.inner = inputs[:-1, :-1] - np.outer(self.toward_bias, inputs[-1, :-1])
        self.rows = np.ascontiguousarray(rows[:, self.order], np.float64)
        self.curvature = 1 / np.square(np.diag(self.spread))[:-1]

    def round(self, price: float) -> Rounded:
        """Round at a price in nats a bit."""
        with threadpool_limits(1, "blas"):
            steps = self._steps(price)
            rate = rate_of(self._nearest(steps))
            for _ in range(PASSES):
                integers, bias, loss = self._pass(steps, rate, price)
                rate = rate_of(integers)
            for _ in range(REVISIONS):
                integers, bias, loss = self._revised(integers, steps, rate, price)
                rate = rate_of(integers)
        bits = rate.total(integers)
        back = np.empty_like(integers)
        back[:, self.order] = integers
        return Rounded(back.astype(np.int8), steps, bias, bits, loss)

    def _steps(self, price: float) -> np.ndarray:
        typical = np.exp(np.mean(np.log(self.curvature)))
        wanted = STEP * np.sqrt(price / (self.outputs * typical + 1e-300))
        largest = np.abs(self.rows).max(1)
        largest = np.maximum(largest, SMALLEST_CHANNEL * largest.max())  # a dead channel's bias must fit its step
        finest = self.grid.above(np.maximum(largest, 1e-12) / LARGEST)
        coarsest = self.grid.above(np.maximum(largest, 1e-12))
        return np.maximum(finest, np.minimum(self.grid.nearest(wanted), coarsest))

    def _nearest(self, steps: np.ndarray) -> np.ndarray:
        """Return a first guess: what lies within six tenths of a step is zero."""
        scaled = self.rows / steps[:, None]
        return np.asarray(np.sign(scaled) * np.floor(np.abs(scaled) + 0.4), np.int64)

    def _pass(self, steps: np.ndarray, rate: Rate, price: float) -> tuple[np.ndarray, np.ndarray, float]:
        left, bias = self.rows.T.copy(), self.bias.copy()
        count = len(left)
        integers, errors = np.zeros((count, len(steps)), np.int64), np.zeros((count, len(steps)))
        weight = 0.5 * self.outputs
        loss = 0.0
        for start in range(0, count, BLOCK):
            end = min(start + BLOCK, count)
            for j in range(start, end):
                integers[j], cost = _cheapest(left[j] / steps, weight * steps**2 * self.curvature[j], rate, j, price)
                errors[j] = (left[j] - integers[j] * steps) / self.spread[j, j]
                loss += cost
                left[j + 1 : end] -= np.outer(self.spread[j, j + 1 : end], errors[j])
            left[end:] -= self.spread[start:end, end:count].T @ errors[start:end]
            bias -= self.spread[start:end, count] @ errors[start:end]
        return integers.T, bias, loss

    def _revised(
        self, integers: np.ndarray, steps: np.ndarray, rate: Rate, price: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Choose each integer again, all others as they are: the loss and the bits together never rise."""
        found, weight = integers.T.copy(), 0.5 * self.outputs
        errors = self.rows.T - found * steps
        pull = self.inner @ errors
        for j, curvature in enumerate(np.diag(self.inner)):
            target = self.rows[:, j] + pull[j] / curvature - errors[j]
            found[j], _ = _cheapest(target / steps, weight * steps**2 * curvature, rate, j, price)
            change = self.rows[:, j] - found[j] * steps - errors[j]
            moved = np.flatnonzero(change)
            errors[j] += change
            pull[:, moved] += np.outer(self.inner[:, j], change[moved])
        loss = float((weight * (errors * pull).sum(0)).sum())
        return found.T, self.bias + self.toward_bias @ errors, loss


def _cheapest(
    scaled: np.ndarray, weight: np.ndarray, rate: Rate, column: int, price: float
) -> tuple[np.ndarray, float]:
    """Return the cheapest integer of each row, int64 [O], and the loss of all of them.

    Args:
      scaled: weights in steps, float64 [O].
      weight: loss of being one step off, float64 [O].
    """
    zero_bits, other_bits = rate.column(column)
    sizes = np.minimum(np.round(np.abs(scaled)), LARGEST).astype(np.int64)
    best, loss = np.zeros_like(sizes), weight * np.square(scaled)
    cost = loss + price * zero_bits
    for candidate in (sizes, np.maximum(sizes - 1, 0)):
        off = weight * np.square(np.abs(scaled) - candidate)
        total = off + price * (other_bits + rate.sizes[candidate])
        better = (total < cost) & (candidate > 0)
        best, loss, cost = (np.where(better, new, old) for new, old in ((candidate, best), (off, loss), (total, cost)))
    return np.where(scaled < 0, -best, best), float(loss.sum())
