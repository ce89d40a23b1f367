"""What a function of each value makes of all 256 int8, by the arithmetic of TFLite's reference kernels.

A device looks values up; nothing is computed there. Tables are int8 [256], in the order of the byte without its sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.middle import arithmetic
from converters.compiler.middle import program as prog

BYTES = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)


def table(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    """Return the table of an operator of `TABLES` between two maps."""
    return TABLES[kind.operator](kind, source, target)


def prelu(slopes: net.Constant, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    """Return the table of a PRELU of one slope."""
    values = BYTES - source.zero_point
    factor = int(slopes.values[0]) - slopes.zero_point
    scales = (source.scale, slopes.scale, target.scale)
    return sloped(np.where(values < 0, values * factor, values), scales, target.zero_point, values >= 0)


def of_constant(operator: str, kernel: prog.Kernel, constant: int) -> np.ndarray:
    """Return the table of an operator of two operands, the second always the same byte."""
    return OF_CONSTANT[operator](kernel, constant)


def _sum(kernel: prog.AddKernel, constant: int) -> np.ndarray:
    operands = (BYTES, np.array([constant]))
    parts = [
        arithmetic.rescaled((values - zero_point) << 20, np.array([multiplier]), np.array([shift]))
        for values, zero_point, multiplier, shift in zip(
            operands, kernel.zero_point, kernel.multiplier, kernel.shift, strict=False
        )
    ]
    sum_ = kernel.signs[0] * parts[0] + kernel.signs[1] * parts[1]
    total = arithmetic.rescaled(sum_, np.array(kernel.multiplier[2:]), np.array(kernel.shift[2:]))
    return clamped(total + kernel.zero_point[2], kernel.lowest, kernel.highest)


def _product(kernel: prog.MulKernel, constant: int) -> np.ndarray:
    to, (zero_a, zero_b) = kernel.requant, kernel.zero_point
    products = arithmetic.rescaled((BYTES - zero_a) * (constant - zero_b), to.multiplier, to.shift)
    return clamped(products + to.zero_point, to.lowest, to.highest)


def _extreme(kernel: prog.ExtremeKernel, constant: int) -> np.ndarray:
    return clamped(np.maximum(BYTES, constant) if kernel.larger else np.minimum(BYTES, constant))


OF_CONSTANT: dict[str, Callable[[Any, int], np.ndarray]] = {
    "ADD": _sum,
    "MAXIMUM": _extreme,
    "MINIMUM": _extreme,
    "MUL": _product,
    "SUB": _sum,
}


def sloped(values: np.ndarray, scales: tuple[float, float, float], zero_point: int, positive: np.ndarray) -> np.ndarray:
    """Return what becomes of values where negative ones are multiplied by a slope (LEAKY_RELU, PRELU).

    Args:
      values: int64, the input less its zero point, and for PRELU's negative ones times the slope's byte.
      scales: of the input, of the slope (LEAKY_RELU's is the slope), of the output.
      zero_point: of the output.
      positive: which values keep their slope.
    """
    source, slope, target = (np.float32(scale) for scale in scales)
    kept = scaled(np.where(positive, values, 0), float(source / target))
    return clamped(np.where(positive, kept, scaled(values, float(source * slope / target))) + zero_point)


def scaled(values: np.ndarray, real: float) -> np.ndarray:
    """Return values times a real factor, as `MultiplyByQuantizedMultiplier` does, proven not to overflow."""
    multiplier, shift = arithmetic.quantized_multipliers(np.array([abs(real)]))
    arithmetic.check_sums(np.abs(values), multiplier, shift)
    return arithmetic.rescaled(values, multiplier if real >= 0 else -multiplier, shift)


def clamped(values: np.ndarray, lowest: int = arithmetic.QMIN, highest: int = arithmetic.QMAX) -> np.ndarray:
    """Return values as int8, those beyond the ends at the ends."""
    return np.clip(values, lowest, highest).astype(np.int8)


def _in_floats(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Return what makes the table of a function that TFLite computes in float32 (`LUTPopulate`)."""

    def values(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
        real = np.float32(source.scale) * (BYTES - source.zero_point).astype(np.float32)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            steps = function(real) * (np.float32(1) / np.float32(target.scale))
        steps = np.nan_to_num(steps, nan=-np.inf, posinf=np.inf, neginf=-np.inf)  # a logarithm of less than nothing
        rounded = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps)
        return clamped(rounded + target.zero_point)

    return values


def _logistic(real: np.ndarray) -> np.ndarray:
    return np.float32(1) / (np.float32(1) + np.exp(-real))


def _gelu(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    return _in_floats(_gelu_by_tanh if kind.approximate else _gelu_by_erf)(kind, source, target)


def _gelu_by_tanh(real: np.ndarray) -> np.ndarray:
    half, root = np.float32(0.5), np.float32(math.sqrt(2 / math.pi))
    return half * real * (np.float32(1) + np.tanh(root * (real + np.float32(0.044715) * real**3)))


def _gelu_by_erf(real: np.ndarray) -> np.ndarray:
    """Return x times the normal distribution's integral up to it."""
    below = [np.float32(math.erfc(value)) for value in (real * np.float32(-math.sqrt(0.5))).tolist()]
    return np.float32(0.5) * real * np.array(below, np.float32)


def _abs(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    values = np.abs(BYTES - source.zero_point)
    if source.scale != target.scale:
        values = scaled(values, float(np.float32(source.scale) / np.float32(target.scale)))
    return clamped(values + target.zero_point)


def _leaky_relu(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    scales, values = (source.scale, kind.slope, target.scale), BYTES - source.zero_point
    return sloped(values, scales, target.zero_point, values >= 0)


def _hard_swish(kind: net.Elementwise, source: net.FeatureMap, target: net.FeatureMap) -> np.ndarray:
    """x * relu6(x + 3) / 6 in int16: the first factor in the output's scale, the second with 15 bits from 0 to 1."""
    fine = np.float32(1 / 128) * np.float32(source.scale)
    to_output, exponent = _int16_multiplier(fine / np.float32(target.scale))
    if not -15 <= exponent <= 0:  # beyond, TFLite shifts an int16 by more than its bits
        small = "small" if exponent > 0 else "large"
        raise ValueError(f"the output's scale {target.scale} is too {small} for the input's {source.scale}")
    to_gate, gate_exponent = _int16_multiplier(fine / np.float32(3 / 32768))
    value = (BYTES - source.zero_point) << 7
    gate = _saturated(value << (gate_exponent - 1)) if gate_exponent > 0 else value
    gate = _high_product(gate, to_gate)
    gate = _saturated(gate << 1) if gate_exponent > 0 else _rounded_right(gate, -gate_exponent)
    gate = (gate + (1 << 15)) >> 1
    product = gate * _high_product(value, to_output)
    shortened = np.where(product < 0, -(-product >> 15), product >> 15)
    return clamped(_rounded_right(shortened, -exponent) + target.zero_point)


def _int16_multiplier(real: np.float32) -> tuple[int, int]:
    """Return a factor as multiplier / 2^15 * 2^exponent."""
    multiplier, exponent = arithmetic.quantized_multipliers(np.array([float(real)]))
    return min((int(multiplier[0]) + (1 << 15)) >> 16, 32767), int(exponent[0])


def _saturated(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -(1 << 15), (1 << 15) - 1)


def _high_product(values: np.ndarray, multiplier: int) -> np.ndarray:
    """Return gemmlowp's SaturatingRoundingDoublingHighMul of int16."""
    return (values * multiplier + (1 << 14)) >> 15


def _rounded_right(values: np.ndarray, exponent: int) -> np.ndarray:
    """Return values / 2^exponent, halves away from zero."""
    half = (1 << exponent) >> 1
    return np.where(values < 0, -((-values + half) >> exponent), (values + half) >> exponent)


TABLES: dict[str, Callable[[net.Elementwise, net.FeatureMap, net.FeatureMap], np.ndarray]] = {
    "ABS": _abs,
    "EXP": _in_floats(np.exp),
    "GELU": _gelu,
    "HARD_SWISH": _hard_swish,
    "LEAKY_RELU": _leaky_relu,
    "LOG": _in_floats(np.log),
    "LOGISTIC": _in_floats(_logistic),
    "TANH": _in_floats(np.tanh),
}
