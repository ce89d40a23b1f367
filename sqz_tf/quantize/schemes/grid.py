"""Which scales a scheme allows: free ones, or powers of two; weights with one scale or one for each output channel.

The one place where the schemes differ. `int8` has free scales, input bytes that stand for `pixel * scale`, and a
weight scale for each channel. `ristretto` has scales 2^−fl and zero point 0 everywhere, input bytes that stand for
`pixel - 128`, and one weight scale for each tensor unless asked otherwise (docs/adr/0006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sqz_tf.base.pixels import CENTRED, Pixels, Range
from sqz_tf.base.spec import QuantizeConfig
from sqz_tf.quantize.fixed_point import best_fractional_length, best_fractional_lengths

LOWEST, HIGHEST = -128, 127  # of an int8; weights leave out the lowest


STEPS = HIGHEST - LOWEST


NOTHING = 1e-5  # activations below are 0 on all pictures; TFLite's converter changes ranges that small


SMALLEST_CHANNEL = 2.0**-12  # of the layer's largest weight: keeps the scale of an all-zero channel above 0


@dataclass(frozen=True)
class Grid:
    """The numbers that 8 bits may stand for.

    A tensor behind a ReLU may use all 256 steps of a power of two: its range is 0…255 steps here, and
    `converters.tflite.saturation` gives it zero point 0.

    Attributes:
      power_of_two: every scale is 2^−fl and every zero point 0; else both are free.
      per_channel: a kernel has a scale for each output channel; else one.
    """

    power_of_two: bool = False
    per_channel: bool = True

    def holding(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the smallest allowed range of an activation that holds `low`, 0 and `high`.

        With powers of two a range is −128…127 steps, or 0…255 if the tensor is `saturable` (`quantize.saturable`).
        """
        if not self.power_of_two:
            return min(0.0, low), max(0.0, high)
        return _power_of_two_range(math.ceil(_log2_scale(low, high, saturable)), saturable)

    def nearest(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the allowed range nearest to one that may cut values off."""
        if not self.power_of_two:
            return self.holding(low, high)
        return _power_of_two_range(round(_log2_scale(low, high, saturable)), saturable)

    def averaged(self, high: float, rows: int, source: Range) -> Range | None:
        """Return the range of 256 steps from 0 up nearest to 0…`high`, for the mean over a tensor's `rows` rows.

        With powers of two, rows of a negative constant are averaged with it, so that zero point 0 becomes possible
        (`converters.tflite.saturation`): n more rows, and a step is (rows + n) / rows of a power of two. The constant,
        in steps of the tensor, must be an int8.

        Args:
          source: the tensor's range, with zero point 0 on this grid.

        Returns:
          None if scales are free, or no number of rows takes exactly half of the steps off.
        """
        if not self.power_of_two:
            return None
        high = max(high, NOTHING)
        unit, found = (source[1] - source[0]) / STEPS, []
        for more in range(1, rows + 1):
            scale = 2.0 ** round(math.log2(high / STEPS * rows / (rows + more)))
            constant = LOWEST * scale * (rows + more) / (more * unit)
            if constant >= LOWEST and constant.is_integer():
                found.append((0.0, STEPS * scale * (rows + more) / rows))
        # Of ranges about as near the one of the fewest rows: interpreters keep them in RAM. `min` takes the first.
        return min(found, key=lambda limits: round(abs(math.log2(limits[1] / high)), 1), default=None)

    def bound(self, kernel: np.ndarray) -> np.ndarray:
        """Return the magnitude of integer 127 for a kernel [H, W, I, O], float32 [O] or [], never zero.

        Free scales hold the largest weight; powers of two are those of the smallest squared error.
        """
        if self.power_of_two:
            lengths = best_fractional_lengths(kernel) if self.per_channel else best_fractional_length(kernel, 8, True)
            return np.ldexp(np.float32(HIGHEST), -np.asarray(lengths, np.int32))
        largest = np.abs(kernel).max(axis=(0, 1, 2) if self.per_channel else None)
        return np.maximum(largest, max(float(np.max(largest)), 1e-12) * SMALLEST_CHANNEL).astype(np.float32)

    def pixels(self, scale: float) -> Pixels:
        """Return what the quantized network sees for a pixel, where the float one sees `pixel * scale`."""
        return CENTRED if self.power_of_two else Pixels(scale)


FREE = Grid()


def grid_of(config: QuantizeConfig) -> Grid:
    """Return the grid of a scheme."""
    return Grid(config.scheme == "ristretto", bool(config.per_channel))


def _log2_scale(low: float, high: float, saturable: bool) -> float:
    """Return log2 of the scale whose range just holds `low` and `high`; of a tensor that is nothing but 0, of any."""
    if max(high, -low) < NOTHING:
        low, high = 0.0, 1.0
    return math.log2(max(high, NOTHING) / STEPS if saturable else max(high / HIGHEST, low / LOWEST))


def _power_of_two_range(log2_scale: int, saturable: bool) -> Range:
    scale = math.ldexp(1.0, log2_scale)
    return (0.0, STEPS * scale) if saturable else (LOWEST * scale, HIGHEST * scale)
