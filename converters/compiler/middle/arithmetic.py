"""TFLite's int8 arithmetic as numbers: multipliers, clamps, folded biases, and the proof that no sum overflows.

Equal to TFLite's reference kernels with double rounding (`MultiplyByQuantizedMultiplier`):
gemmlowp, "Building a quantization paradigm from first principles", https://github.com/google/gemmlowp.
"""

from __future__ import annotations

import math

import numpy as np

QMIN, QMAX = -128, 127
PRODUCT_LIMIT = 1 << 30  # of a sum times its factor: with a zero point it fits 32 bits
INT32_LIMIT = 1 << 31


def quantized_multipliers(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write each real number as multiplier / 2^31 * 2^shift, with the multiplier in [2^30, 2^31), as TFLite does.

    Args:
      real: float64 [N], finite, not negative. Below about 2^-31 a number becomes 0.

    Returns:
      multiplier int32 [N], shift int64 [N].
    """
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = np.floor(fraction * (1 << 31) + 0.5).astype(np.int64)
    shift = shift.astype(np.int64)
    carried = multiplier == 1 << 31
    multiplier, shift = np.where(carried, 1 << 30, multiplier), shift + carried
    vanishing = shift < -31
    return np.where(vanishing, 0, multiplier).astype(np.int32), np.where(vanishing, 0, shift)


def exact_factors(real: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write each real number as (high * 2^31 + low) / 2^shift with all 53 bits of a double.

    TFLite's reference FULLY_CONNECTED multiplies by the double and rounds once, halves away from zero.

    Args:
      real: float64 [N], finite, not negative. Below 2^-41 a number becomes 0: no sum reaches a half.

    Returns:
      high, low int32 [N], shift int8 [N] in 32…94.

    Raises:
      ValueError: a number is 2^21 or more.
    """
    fraction, exponent = np.frexp(np.asarray(real, np.float64))
    if int(exponent.max(initial=0)) > 21:
        raise ValueError(f"a factor is {float(np.max(real))}; expected less than 2^21")
    vanishing = exponent < -41
    mantissa = np.where(vanishing, 0, np.ldexp(fraction, 53).astype(np.int64))
    shift = np.where(vanishing, 53, 53 - exponent)
    return (mantissa >> 31).astype(np.int32), (mantissa & (2**31 - 1)).astype(np.int32), shift.astype(np.int8)


_ACTIVATIONS = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}


def activation_range(activation: str, scale: float, zero_point: int) -> tuple[int, int]:
    """Return the lowest and highest int8 that a fused activation lets through.

    Raises:
      ValueError: the activation is not known, or the scale too small for it.
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation {activation} is not supported; expected one of {', '.join(_ACTIVATIONS)}")
    low, high = _ACTIVATIONS[activation]
    lowest = QMIN if low is None else max(QMIN, _quantized(low, scale, zero_point))
    highest = QMAX if high is None else min(QMAX, _quantized(high, scale, zero_point))
    return lowest, highest


def _quantized(value: float, scale: float, zero_point: int) -> int:
    with np.errstate(over="ignore"):
        ratio = float(np.float32(value) / np.float32(scale))  # in float32, as TFLite divides
    if not abs(ratio) < INT32_LIMIT:
        raise ValueError(f"scale {scale} is too small to quantize {value}")
    return zero_point + int(math.copysign(math.floor(abs(ratio) + 0.5), ratio))


def sum_range(weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest sum of each output channel for any int8 inputs, int64 [O].

    Args:
      weights: int8 [O, K].
      bias: int32 [O], the input's zero point folded in.
    """
    wide = weights.astype(np.int64)
    positive, negative = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
    return bias + QMIN * positive + QMAX * negative, bias + QMAX * positive + QMIN * negative


def largest_sums(weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the largest magnitude of each output channel's sum, int64 [O]; arguments as for `sum_range`."""
    lowest, highest = sum_range(weights, bias)
    return np.maximum(np.abs(lowest), np.abs(highest))


def fold_bias(weights: np.ndarray, bias: np.ndarray, input_zero_point: int) -> np.ndarray:
    """Fold the input's zero point into the bias: sums then run over the input bytes as they are.

    Args:
      weights: int8 [O, K].
      bias: int32 [O].
      input_zero_point: of the int8 input.

    Returns:
      int32 [O], bias - input_zero_point * sum of weights.

    Raises:
      ValueError: a partial sum could leave 32 bits.
    """
    wide = weights.astype(np.int64)
    folded = bias.astype(np.int64) - input_zero_point * wide.sum(axis=1)
    partial = int((np.abs(folded) - QMIN * np.abs(wide).sum(axis=1)).max())
    if partial >= INT32_LIMIT:
        raise ValueError(f"a partial sum can reach {partial}; expected less than 2^31 = {INT32_LIMIT}")
    return folded.astype(np.int32)


def rescaled(sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return what TFLite's `MultiplyByQuantizedMultiplier` makes of sums that stay in 32 bits when shifted left."""
    high = (shifted_left(sums, multiplier, shift) * multiplier.astype(np.int64) + (1 << 30)) >> 31
    right = np.maximum(-shift.astype(np.int64), 0)
    halves_away = (high < 0) & (right > 0)
    return (high + ((1 << right) >> 1) - halves_away) >> right


def one_for_all(multiplier: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return tables of one entry where all channels have the same; int32, int8."""
    same = np.all(multiplier == multiplier[0]) and np.all(shift == shift[0])
    count = 1 if same else len(shift)
    return multiplier[:count].astype(np.int32), shift[:count].astype(np.int8)


def shifted_left(sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return sums as far to the left as their scales ask for."""
    return sums << np.where(multiplier == 0, 0, np.clip(shift.astype(np.int64), 0, 31))


def check_sums(largest: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> None:
    """Prove that no sum leaves 32 bits, shifted left or rounded as its scale asks: kernels need not saturate.

    Args:
      largest: int64 [O], the largest magnitude of each sum.
      multiplier: int32 [O] or [1].
      shift: int64 [O] or [1], positive to the left.

    Raises:
      ValueError: one can.
    """
    # Rounding adds half of what is shifted out, then comes a zero point, at most 2^7.
    added = 1 << np.maximum(-shift.astype(np.int64) - 1, 7)
    reached = int((shifted_left(largest, multiplier, shift) + added).max())
    if reached >= INT32_LIMIT:
        raise ValueError(f"a sum can reach {reached}, rounding included; expected less than 2^31 = {INT32_LIMIT}")


def check_products(largest: np.ndarray, real: np.ndarray) -> None:
    """Prove that no sum times its factor reaches 2^30. (`fold_bias` has proven that sums fit 32 bits.)

    Args:
      largest: int64 [O], the largest magnitude of each sum.
      real: float64 [O] or [1].

    Raises:
      ValueError: one can.
    """
    reached = float((largest * real).max())
    if reached >= PRODUCT_LIMIT:
        raise ValueError(f"a scaled sum can reach {reached:.0f}; expected less than 2^30 = {PRODUCT_LIMIT}")


def softmax_scaling(beta: float, scale: float) -> tuple[int, int, int]:
    """Return multiplier, left shift and diff_min of TFLite's fixed-point softmax (5 integer bits).

    At the largest shift, 31, only the largest score counts (diff_min is 0): 30 then gives the same, and C defines it.

    Raises:
      ValueError: the scale is too small to be scaled up.
    """
    real = min(beta * scale * (1 << 26), float((1 << 31) - 1))
    if not real > 1.0:
        raise ValueError(f"beta {beta} and scale {scale} are too small for a softmax")
    (multiplier,), (shift,) = quantized_multipliers(np.array([real]))
    radius = math.floor(31.0 * (1 << 26) / (1 << int(shift)))
    return int(multiplier), min(int(shift), 30), -radius
