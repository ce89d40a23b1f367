"""Which numbers 8 bits may stand for: the interface that every scheme's grid fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sqz_tf.base.pixels import Pixels, Range

LOWEST, HIGHEST = -128, 127  # of an int8; weights leave out the lowest
STEPS = HIGHEST - LOWEST
NOTHING = 1e-5  # activations below are 0 on all pictures; TFLite's converter changes ranges that small
SMALLEST_CHANNEL = 2.0**-12  # of the layer's largest weight: keeps the scale of an all-zero channel above 0


@dataclass(frozen=True)
class Grid(ABC):
    """The numbers that 8 bits may stand for.

    Attributes:
      per_channel: a kernel has a scale for each output channel; else one.
    """

    per_channel: bool = True

    coarse = False
    """Whether neighbouring ranges lie so far apart that the best has to be searched."""
    follows_weights = True
    """Whether a kernel's scale follows its largest weight while training."""
    bound_factors: ClassVar[tuple[float, ...]] = (1.0,)
    """Multiples of `bound` to try when a kernel is rounded with a view."""

    @abstractmethod
    def holding(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the smallest allowed range of an activation that holds `low`, 0 and `high`.

        Args:
          saturable: only convolutions with ReLU write the tensor, only convolutions and pooling read it.
        """

    @abstractmethod
    def nearest(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the allowed range nearest to one that may cut values off."""

    def averaged(self, high: float, rows: int, source: Range) -> Range | None:
        """Return a range for the mean over `rows` rows of a tensor, where padding makes a better one possible.

        Args:
          high: the largest value of the mean.
          source: the range of the tensor that is averaged.

        Returns:
          None if there is none.
        """
        return None

    @abstractmethod
    def bound(self, kernel: np.ndarray) -> np.ndarray:
        """Return the magnitude of integer 127 for a kernel [H, W, I, O], float32 [O] or [], never zero."""

    @abstractmethod
    def pixels(self, scale: float) -> Pixels:
        """Return what the quantized network sees for a pixel, where the float one sees `pixel * scale`."""

    def gains(self, scale: float) -> dict[str, float]:
        """Return layers whose trained variable is smaller than their kernel by a power of two, with that power."""
        return {}
