"""Scheme `int8`: free scales, TFLite's own 8-bit quantization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sqz_tf.base.pixels import Pixels, Range
from sqz_tf.quantize.schemes.grid import SMALLEST_CHANNEL, Grid
from sqz_tf.quantize.schemes.scheme import Scheme


@dataclass(frozen=True)
class FreeGrid(Grid):
    """Any scale and any zero point; input bytes stand for `pixel * scale`."""

    def holding(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return `low`…`high` with 0 in it."""
        return min(0.0, low), max(0.0, high)

    def nearest(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the range itself: every one is allowed."""
        return self.holding(low, high)

    def bound(self, kernel: np.ndarray) -> np.ndarray:
        """Return the largest weight."""
        largest = np.abs(kernel).max(axis=(0, 1, 2) if self.per_channel else None)
        return np.maximum(largest, max(float(np.max(largest)), 1e-12) * SMALLEST_CHANNEL).astype(np.float32)

    def pixels(self, scale: float) -> Pixels:
        """Return what the float network sees."""
        return Pixels(scale)


FREE = FreeGrid()
SCHEME = Scheme(name="int8", about="free scales", per_channel=True, grid=FreeGrid)
