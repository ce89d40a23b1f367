"""Quantizations of an input, for pixels in steps of 1/255, and what each means; for every reader of `.tflite` files."""

from __future__ import annotations

import numpy as np

from converters.tflite.pixels import Reading

STEP = float(np.float32(1 / 255))


def nearest(scale: float) -> float:
    """Return the scale as a file holds it."""
    return float(np.float32(scale))


INPUTS: tuple[tuple[str, float, int, Reading | None], ...] = (
    ("int8", STEP, -128, Reading.SCALED),
    ("int8", float(np.nextafter(np.float32(STEP), np.float32(1))), -128, Reading.SCALED),
    ("int8", nearest(0.003921444), -128, Reading.SCALED),
    ("int8", nearest(1 / 255.499), -128, Reading.SCALED),  # 255.499 is still rounded to 255
    ("int8", nearest(1 / 255.501), -128, None),
    ("int8", nearest(1 / 254.501), -128, Reading.SCALED),
    ("int8", nearest(1 / 254.499), -128, None),
    ("int8", nearest(1 / 256), -128, None),
    ("int8", 1.0, -128, None),
    ("int8", STEP, -127, None),
    ("int8", STEP, 1, None),
    ("int8", 1.0, 0, Reading.CENTRED),
    ("int8", 1.0, 1, None),
    ("int8", STEP, 0, Reading.CENTRED_SCALED),
    ("int8", 1 / 128, 0, Reading.CENTRED_SCALED),
    ("int8", 2.0, 0, Reading.CENTRED_SCALED),
    ("uint8", STEP, 0, Reading.SCALED),
    ("uint8", 1.0, 128, Reading.CENTRED),
    ("uint8", 1 / 128, 128, Reading.CENTRED_SCALED),
    ("uint8", 1.0, 0, None),
    ("uint8", STEP, 1, None),
    ("uint8", nearest(1 / 256), 0, None),
)
