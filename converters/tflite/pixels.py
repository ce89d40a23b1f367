"""What makes the byte of a quantized input the pixel itself: `pixel ^ 0x80` in int8, `pixel` in uint8.

Plain arithmetic on what a `.tflite` says of its input; imports nothing, so that a light runtime can ask too.
"""

from __future__ import annotations

from enum import Enum

CENTRE = 0x80
"""The pixel in the middle, and the bit that tells int8 from uint8: pixel ^ 0x80 is pixel - 128 read as int8."""

LOWEST = {"int8": -CENTRE, "uint8": 0}
"""Type of an input → the byte of a black pixel."""


class Reading(Enum):
    """What real number the network sees for a pixel."""

    SCALED = "pixel * pixel_scale, as the float network takes it"
    CENTRED = "pixel - 128"
    CENTRED_SCALED = "(pixel - 128) * the input's own scale"


def reading(dtype: str, scale: float, zero_point: int, pixel_scale: float) -> Reading | None:
    """Return what a quantized input means if its byte is the pixel itself, or None if it is not.

    Args:
      dtype: of the input.
      scale, zero_point: of the input, real = scale * (q - zero_point).
      pixel_scale: what the float network takes for a step of a pixel.
    """
    if dtype not in LOWEST or not scale > 0:
        return None
    black = zero_point - LOWEST[dtype]
    if black == CENTRE:
        return Reading.CENTRED if scale == 1 else Reading.CENTRED_SCALED
    # Quantizing pixel * pixel_scale gives the pixel, for all if for the largest: off by less than half a step there.
    whole = abs(255 * pixel_scale / scale - 255) < 0.5
    return Reading.SCALED if black == 0 and whole else None


def fault(dtype: str, scale: float, zero_point: int, pixel_scale: float, *, alone: bool = False) -> str | None:
    """Return what is wrong with a quantized input whose byte should be the pixel itself, in one line, or None.

    Args:
      alone: the model is used by itself, with its normalisation folded in: it may see (pixel - 128) times any scale.
        Otherwise other numbers are compared with its input, which must be theirs: `SCALED`, or `CENTRED`.
    """
    found = reading(dtype, scale, zero_point, pixel_scale)
    if found in (Reading.SCALED, Reading.CENTRED) or (alone and found):
        return None
    return f"{dtype} with scale {scale:.9g} and zero point {zero_point}; expected {expected(dtype, pixel_scale)}"


def expected(dtype: str, pixel_scale: float) -> str:
    """Say what scale and zero point make the byte the pixel itself."""
    lowest = LOWEST.get(dtype, -CENTRE)
    return f"{pixel_scale:.9g} and {lowest}, or 1 and {lowest + CENTRE}, so that a byte is a pixel"
