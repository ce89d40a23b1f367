"""Networks of powers of two in TFLite's integers, written to be read: what its reference kernels must give.

Accumulators are rounded twice: halves up in the multiplication, then halves away from zero in the shift
(`requantize`). Rounding once gives other bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sqz_tf.base.errors import ConversionError
from sqz_tf.quantize.fixed_point import Format, exact_fractional_length

INT32 = np.iinfo(np.int32)


def format_of_scale(scale: Any, bits: int = 8, narrow: bool = False) -> Format:
    """Return the format of a TFLite tensor's scale: one number, or one per channel.

    Raises:
      ConversionError: a scale is not exactly a power of two.
    """
    scales = np.atleast_1d(np.asarray(scale, np.float64))
    lengths = tuple(exact_fractional_length(value) for value in scales)
    return Format(bits, lengths[0] if len(lengths) == 1 else lengths, narrow)


def quantize_bias(bias: Any, inputs: Format, weights: Format) -> np.ndarray:
    """Return biases as int32 [O] in steps of input scale times weight scale, halves away from zero.

    Raises:
      ConversionError: a bias does not fit.
    """
    steps = np.asarray(bias, np.float64) / (inputs.scale * weights.scale)
    if np.any(np.abs(steps) > INT32.max):
        raise ConversionError(
            f"a bias is {np.abs(steps).max():.3g} steps of input scale times weight scale",
            expected=f"at most {INT32.max}",
            fix="use smaller fractional lengths",
        )
    return np.copysign(np.floor(np.abs(steps) + 0.5), steps).astype(np.int32)


def quantized_multiplier(real: float) -> tuple[int, int]:
    """Return (multiplier, shift) with real = multiplier · 2^(shift − 31), multiplier in [2^30, 2^31) or 0.

    For a power of two the multiplier is 2^30: all that is left is the shift.
    """
    if real == 0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def requantize(acc: Any, multiplier: Any, shift: Any) -> np.ndarray:
    """Return acc · multiplier · 2^(shift − 31), rounded as TFLite's reference kernels do: twice.

    First the high half of the doubled product, halves up (SaturatingRoundingDoublingHighMul), then the shift to the
    right, halves away from zero (RoundingDivideByPOT).

    Args:
      acc: accumulators, int32 [..., O].
      multiplier, shift: as `quantized_multiplier` returns them; scalars or [O].

    Returns:
      int64 [..., O], not yet clipped.
    """
    multiplier, shift = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    shifted = np.asarray(acc, np.int64) << np.maximum(shift, 0)
    product = (shifted * multiplier + (1 << 30)) >> 31
    return _divide_by_power_of_two(product, np.maximum(-shift, 0))


def _divide_by_power_of_two(x: np.ndarray, exponent: Any) -> np.ndarray:
    """Return x / 2^exponent, halves away from zero."""
    half = (np.int64(1) << exponent) >> 1
    return np.sign(x) * ((np.abs(x) + half) >> exponent)


def _rescale(acc: np.ndarray, real: Any, low: int, high: int) -> np.ndarray:
    """Return accumulators [..., O] times one or O real factors, as clipped int8."""
    pairs = [quantized_multiplier(float(value)) for value in np.atleast_1d(real)]
    multiplier, shift = np.array(pairs, np.int64).T
    return np.clip(requantize(acc, multiplier, shift), low, high).astype(np.int8)


def conv2d(
    inputs: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    formats: Sequence[Format],
    *,
    strides: int = 1,
    padding: str = "same",
    relu: bool = True,
) -> np.ndarray:
    """Return a convolution in integers, byte for byte as TFLite's reference kernel.

    Args:
      inputs: int8 [N, H, W, I].
      weights: int8 [KH, KW, I, O].
      bias: int32 [O], as `quantize_bias` returns it.
      formats: of inputs, weights and outputs.
      strides: of both directions.
      padding: `same` or `valid`.
      relu: clip below at 0.

    Returns:
      int8 [N, OH, OW, O].
    """
    source, kernel, target = formats
    acc = _accumulate(inputs.astype(np.int64), weights.astype(np.int64), strides, padding) + bias
    if np.any(np.abs(acc) > INT32.max):
        raise ConversionError("an accumulator leaves 32 bits", fix="use smaller fractional lengths")
    return _rescale(acc, source.scale * kernel.scale / target.scale, 0 if relu else target.lowest, target.highest)


def _accumulate(x: np.ndarray, weights: np.ndarray, strides: int, padding: str) -> np.ndarray:
    windows = _windows(x, weights.shape[:2], strides, padding, 0)
    result: np.ndarray = np.tensordot(windows, weights, axes=([3, 4, 5], [2, 0, 1]))
    return result


def _windows(x: np.ndarray, size: tuple[int, ...], strides: int, padding: str, fill: int) -> np.ndarray:
    """Return every window, [N, OH, OW, C, KH, KW]; `same` pads as TensorFlow does, the odd row at the end."""
    if padding == "same":
        needed = [max((-(-n // strides) - 1) * strides + k - n, 0) for n, k in zip(x.shape[1:3], size, strict=True)]
        pads = [(0, 0), *((total // 2, total - total // 2) for total in needed), (0, 0)]
        x = np.pad(x, pads, constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return windows[:, ::strides, ::strides]


def max_pool(inputs: np.ndarray, size: int = 3, strides: int = 2, padding: str = "valid") -> np.ndarray:
    """Return the largest int8 of each window; the format stays, so nothing is rounded."""
    result: np.ndarray = _windows(inputs, (size, size), strides, padding, -128).max(axis=(4, 5))
    return result


def mean(inputs: np.ndarray, source: Format, target: Format) -> np.ndarray:
    """Return the mean over height and width, int8 [N, C], as TFLite's reference kernel.

    The division by the number of positions is folded into the multiplier as far as its 32 bits reach.
    """
    count = inputs.shape[1] * inputs.shape[2]
    multiplier, shift = quantized_multiplier(source.scale / target.scale)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    total = inputs.astype(np.int64).sum(axis=(1, 2))
    found = requantize(total, (multiplier << extra) // count, shift - extra)
    return np.clip(found, target.lowest, target.highest).astype(np.int8)
