"""Scheme `ristretto`: every scale a power of two, every zero point 0 (docs/adr/0006).

Input bytes stand for `pixel - 128`, and a kernel has one scale unless asked otherwise. A tensor behind a ReLU may use
all 256 steps: its range is 0…255 steps in training, and `converters.tflite.saturation` gives it zero point 0.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from converters.tflite.from_keras import Scales, verify_fixed_point
from converters.tflite.reader import Model
from converters.tflite.saturation import by_saturation
from sqz_tf.base import stats
from sqz_tf.base.pixels import CENTRED, Pixels, Range
from sqz_tf.quantize.fixed_point import best_fractional_length, best_fractional_lengths
from sqz_tf.quantize.fractional_lengths import bits, fractional_lengths
from sqz_tf.quantize.schemes.grid import HIGHEST, LOWEST, NOTHING, STEPS, Grid
from sqz_tf.quantize.schemes.scheme import Judged, Scheme

DISTILLING_EPOCHS = 6  # free scales lose too little to win back


@dataclass(frozen=True)
class PowerOfTwoGrid(Grid):
    """Scales 2^−fl and zero point 0; a range is −128…127 steps, or 0…255 if the tensor is saturable."""

    per_channel: bool = False

    coarse = True
    follows_weights = False
    bound_factors = (1.0, 0.5, 2.0)

    def holding(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the smallest range that holds both."""
        return _range(math.ceil(_log2_scale(low, high, saturable)), saturable)

    def nearest(self, low: float, high: float, saturable: bool = False) -> Range:
        """Return the nearest range, which may cut values off."""
        return _range(round(_log2_scale(low, high, saturable)), saturable)

    def averaged(self, high: float, rows: int, source: Range) -> Range | None:
        """Return the range of 256 steps from 0 up nearest to 0…`high`, for the mean over a tensor's `rows` rows.

        Rows of a negative constant are averaged with it, so that zero point 0 becomes possible
        (`converters.tflite.saturation`): n more rows, and a step is (rows + n) / rows of a power of two. The constant,
        in steps of the tensor, must be an int8.

        Returns:
          None if no number of rows takes exactly half of the steps off.
        """
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
        """Return the power of two of the smallest squared error."""
        lengths = best_fractional_lengths(kernel) if self.per_channel else best_fractional_length(kernel, 8, True)
        return np.ldexp(np.float32(HIGHEST), -np.asarray(lengths, np.int32))

    def pixels(self, scale: float) -> Pixels:
        """Return `pixel - 128`: with zero point 0 no other number fits all 256."""
        return CENTRED

    def gains(self, scale: float) -> dict[str, float]:
        """Return that of conv1, whose weights are small because its inputs are large."""
        return {"conv1": CENTRED.gain}


def _log2_scale(low: float, high: float, saturable: bool) -> float:
    """Return log2 of the scale whose range just holds `low` and `high`; of a tensor that is nothing but 0, of any."""
    if max(high, -low) < NOTHING:
        low, high = 0.0, 1.0
    return math.log2(max(high, NOTHING) / STEPS if saturable else max(high / HIGHEST, low / LOWEST))


def _range(log2_scale: int, saturable: bool) -> Range:
    scale = math.ldexp(1.0, log2_scale)
    return (0.0, STEPS * scale) if saturable else (LOWEST * scale, HIGHEST * scale)


def figures(model: Model, judged: Judged) -> dict[str, Any]:
    """Return the sections of report.json that only powers of two have."""
    assert judged.rival is not None
    ours, free = (stats.top_k_correct(scores, judged.labels, 1) for scores in (judged.int8, judged.rival))
    return {
        "fractional_length": fractional_lengths(model),
        "bits": bits(model),
        "ristretto": {
            "before": None if judged.before is None else asdict(stats.accuracy(judged.before, judged.labels)),
            "after": asdict(stats.accuracy(judged.int8, judged.labels)),
            "free_scale": asdict(stats.accuracy(judged.rival, judged.labels)),
            "against_free_scale": asdict(stats.paired_drop(free, ours)),
            "trimming": judged.trimming,
        },
    }


def _verify(model: bytes, expected: Scales) -> None:
    verify_fixed_point(model, expected)


SCHEME = Scheme(
    name="ristretto",
    about="every scale a power of two, every zero point 0",
    per_channel=False,
    grid=PowerOfTwoGrid,
    distilling_epochs=DISTILLING_EPOCHS,
    operators=frozenset({"PADV2"}),
    finish=by_saturation,
    verify=_verify,
    rival="int8",
    trims=True,
    figures=figures,
)
