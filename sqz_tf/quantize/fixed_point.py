"""8-bit dynamic fixed point (Gysel, Motamedi, Ghiasi 2016, arXiv:1604.03168; Gysel 2016), the readable reference.

A number is an integer of `bits` bits times 2^−fractional_length; each tensor (or output channel of a kernel) has a
fractional length of its own, which may be negative or larger than `bits`. In TFLite's words: scale = 2^−fl,
zero_point = 0. Requantization between two such tensors is a shift.

Rounding, each way tested in tests/quantize/test_fixed_point.py against what it copies:

- `quantize` rounds halves away from zero by default, as Ristretto does and as TFLite's converter does to biases;
- `tf.quantization.fake_quant_with_min_max_args` rounds halves up, after a subtraction in float32 that may itself
  round to a half: `rounding="fake_quant"` repeats it to the bit. So a quantization-aware graph rounds, and so do the
  weights that the converter makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqz_tf.base.errors import ConfigError, ConversionError, DataError

ROUNDINGS = ("half_away", "half_even", "half_up", "fake_quant")
SEARCHED = range(-1, 7)  # candidates, relative to the fractional length that the maximum gives
FINEST_CHANNEL = 12  # bits that a channel's fractional length may exceed the tensor's by: keeps biases in 32 bits
FAKE_QUANT_BITS = 16


@dataclass(frozen=True)
class Format:
    """How real numbers become integers: q = clip(round(x · 2^fractional_length), lowest, highest).

    Attributes:
      bits: 2 to 32.
      fractional_length: one for the tensor, or one per index of its last axis (output channels of a kernel
        [H, W, I, O]).
      narrow: leave out the lowest integer, as TFLite demands of weights.
    """

    bits: int
    fractional_length: int | tuple[int, ...]
    narrow: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 32:
            raise ConfigError(f"a number has {self.bits} bits", expected="2 to 32")

    @property
    def lowest(self) -> int:
        """The smallest integer."""
        return -(2 ** (self.bits - 1)) + self.narrow

    @property
    def highest(self) -> int:
        """The largest integer."""
        return 2 ** (self.bits - 1) - 1

    @property
    def scale(self) -> Any:
        """The real value of integer 1, exactly 2^−fl: a float, or float64 [channels]."""
        if isinstance(self.fractional_length, tuple):
            return np.ldexp(1.0, -np.array(self.fractional_length, np.int32))
        return math.ldexp(1.0, -self.fractional_length)

    @property
    def range(self) -> tuple[Any, Any]:
        """The real values of the smallest and the largest integer."""
        return self.lowest * self.scale, self.highest * self.scale

    @property
    def dtype(self) -> Any:
        """The smallest NumPy integer type that holds it."""
        return np.int8 if self.bits <= 8 else np.int16 if self.bits <= 16 else np.int32


# Choosing the fractional length ------------------------------------------------------------------------------


def fractional_length(x: Any, bits: int = 8, *, sign_bit: bool = True) -> int:
    """Return Ristretto's own choice: the finest format whose range reaches the largest magnitude.

    il = ⌈log2 max|x|⌉ + 1, fl = bits − il (Gysel 2016, section 4.2.2). A maximum that is itself a power of two is
    saturated by one step.

    Args:
      x: real numbers of any shape; all zero gives bits − 1.
      bits: width of the format.
      sign_bit: False is what Ristretto does to layer outputs: one bit less of range, so that large values saturate.
    """
    largest = float(np.max(np.abs(x), initial=0.0))
    if not math.isfinite(largest):
        raise DataError(f"the largest magnitude is {largest}", expected="a finite number")
    mantissa, exponent = math.frexp(largest)  # largest = mantissa · 2^exponent, mantissa in [0.5, 1)
    ceiling = exponent - (mantissa == 0.5) if largest else 0
    return bits - ceiling - sign_bit


def best_fractional_length(
    x: np.ndarray, bits: int = 8, narrow: bool = False, candidates: Iterable[int] | None = None
) -> int:
    """Return the fractional length of the smallest squared error on `x`; of equal ones the smallest (widest range).

    Args:
      x: real numbers of any shape.
      bits: width of the format.
      narrow: see `Format`.
      candidates: what to try; by default `SEARCHED` around the choice by the maximum.
    """
    if candidates is None:
        candidates = [fractional_length(x, bits) + offset for offset in SEARCHED]
    return least({length: squared_error(x, Format(bits, length, narrow)) for length in candidates})


def best_fractional_lengths(kernel: np.ndarray, bits: int = 8, narrow: bool = True) -> tuple[int, ...]:
    """Return the best fractional length of each output channel of a kernel [H, W, I, O].

    A channel that is all zero takes the tensor's; none is finer than the tensor's by more than `FINEST_CHANNEL`.
    """
    whole = fractional_length(kernel, bits)
    channels = np.moveaxis(kernel, -1, 0)
    found = (best_fractional_length(part, bits, narrow) if np.any(part) else whole for part in channels)
    return tuple(min(length, whole + FINEST_CHANNEL) for length in found)


def least(costs: dict[int, float]) -> int:
    """Return the fractional length of the lowest cost; of equal ones the smallest, which has the widest range.

    Raises:
      ConfigError: there is nothing to choose from.
    """
    if not costs:
        raise ConfigError("there is no fractional length to choose from", expected="at least 1 candidate")
    return min(sorted(costs), key=lambda length: costs[length])


def squared_error(x: np.ndarray, form: Format) -> float:
    """Return the sum of squared errors of `x` in a format; sums over batches may be added."""
    return float(np.sum(np.square(fake_quantize(x, form) - x, dtype=np.float64)))


def exact_fractional_length(scale: float) -> int:
    """Return fl of a scale that is exactly 2^−fl.

    Raises:
      ConversionError: it is not.
    """
    mantissa, exponent = math.frexp(float(scale))
    if mantissa != 0.5:
        raise ConversionError(f"the scale is {float(scale)!r}", expected="an exact power of two")
    return 1 - exponent


# Real numbers to integers and back ---------------------------------------------------------------------------


def quantize(x: Any, form: Format, rounding: str = "half_away") -> np.ndarray:
    """Return q = clip(round(x · 2^fl), lowest, highest), in the format's integer type, shape of `x`.

    Args:
      x: real numbers; with fractional lengths per channel the channels are the last axis.
      form: the format.
      rounding: one of `ROUNDINGS`.

    Raises:
      DataError: a value is NaN.
    """
    x = np.asarray(x)
    if np.isnan(x).any():
        raise DataError("a value is NaN", expected="numbers")
    if rounding == "fake_quant":
        return _fake_quant_integers(x, form)
    with np.errstate(over="ignore"):  # what overflows saturates
        lengths = np.asarray(form.fractional_length, np.int32)
        steps = np.ldexp(x.astype(np.float64), lengths)  # exact: only the exponent changes; float32 has no 2^31 − 1
    return _rounded(np.clip(steps, form.lowest, form.highest), rounding).astype(form.dtype)


def dequantize(q: np.ndarray, form: Format, dtype: Any = np.float32) -> np.ndarray:
    """Return the real numbers q · 2^−fl."""
    return np.ldexp(np.asarray(q).astype(dtype), -np.asarray(form.fractional_length, np.int32))


def fake_quantize(x: Any, form: Format, rounding: str = "half_away") -> np.ndarray:
    """Return `x` on the grid of a format: real numbers, float32."""
    return dequantize(quantize(x, form, rounding), form)


def _rounded(steps: np.ndarray, rounding: str) -> np.ndarray:
    if rounding == "half_even":
        return np.rint(steps)
    if rounding not in ("half_away", "half_up"):
        raise ConfigError(f"rounding is {rounding!r}", expected=f"one of {', '.join(ROUNDINGS)}")
    size = np.abs(steps)
    whole = np.floor(size)
    part = size - whole  # exact, where adding 0.5 might round
    up = part > 0.5 if rounding == "half_up" else part >= 0.5
    return np.copysign(whole + np.where(steps < 0, up, part >= 0.5), steps)


def _fake_quant_integers(x: np.ndarray, form: Format) -> np.ndarray:
    """Return the integers of TensorFlow's fake_quant ops, which compute in float32."""
    if form.bits > FAKE_QUANT_BITS:
        raise ConfigError(f"fake_quant has {form.bits} bits", expected=f"at most {FAKE_QUANT_BITS}, as TensorFlow's")
    low, high, scale = (np.float32(value) for value in (*form.range, form.scale))
    shifted = np.clip(x.astype(np.float32), low, high) - low
    levels = np.floor(shifted / scale + np.float32(0.5))
    return (levels + form.lowest).astype(form.dtype)
