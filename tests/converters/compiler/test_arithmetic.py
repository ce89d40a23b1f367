"""The fixed-point arithmetic is TFLite's, and no sum that could overflow passes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.compiler.middle import arithmetic


@given(st.floats(1e-8, 1e6))
def test_a_multiplier_is_the_nearest_of_31_bits(real: float) -> None:
    (multiplier,), (shift,) = arithmetic.quantized_multipliers(np.array([real]))
    assert 1 << 30 <= multiplier < 1 << 31
    assert abs(int(multiplier) * 2.0 ** (int(shift) - 31) - real) <= real * 2**-31


@pytest.mark.parametrize(
    ("real", "multiplier", "shift"),
    [(0.0, 0, 0), (0.5, 1 << 30, 0), (1.0, 1 << 30, 1), (1 - 2**-40, 1 << 30, 1), (2.0**-33, 0, 0), (0.75, 3 << 29, 0)],
)
def test_multipliers_at_the_ends(real: float, multiplier: int, shift: int) -> None:
    found = arithmetic.quantized_multipliers(np.array([real]))
    assert (int(found[0][0]), int(found[1][0])) == (multiplier, shift)


@pytest.mark.parametrize(
    ("activation", "scale", "zero_point", "ends"),
    [
        ("NONE", 0.1, 3, (-128, 127)),
        ("RELU", 0.1, -20, (-20, 127)),
        ("RELU6", 0.1, -20, (-20, 40)),
        ("RELU6", 0.01, -20, (-20, 127)),
        ("RELU_N1_TO_1", 0.1, 5, (-5, 15)),
        ("RELU6", 0.08, -128, (-128, -53)),  # 75 after TFLite's division in float32, halves away from zero
    ],
)
def test_activations_are_clamps(activation: str, scale: float, zero_point: int, ends: tuple[int, int]) -> None:
    assert arithmetic.activation_range(activation, scale, zero_point) == ends


def test_an_activation_that_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="activation TANH is not supported"):
        arithmetic.activation_range("TANH", 0.1, 0)
    with pytest.raises(ValueError, match="too small to quantize"):
        arithmetic.activation_range("RELU6", 1e-12, 0)


@given(st.integers(0, 2**32 - 1), st.integers(-128, 127))
def test_a_folded_bias_gives_the_same_sums_within_the_bound(seed: int, zero_point: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (3, 7)).astype(np.int8)
    bias = rng.integers(-1000, 1000, 3).astype(np.int32)
    folded = arithmetic.fold_bias(weights, bias, zero_point)
    lowest, highest = arithmetic.sum_range(weights, folded)
    extremes = np.where(weights > 0, 127, -128).astype(np.int64)
    for inputs in (rng.integers(-128, 128, (3, 7)), extremes, -1 - extremes):
        sums = ((inputs - zero_point) * weights).sum(axis=1) + bias
        assert np.array_equal((inputs * weights).sum(axis=1) + folded, sums)
        assert np.all((lowest <= sums) & (sums <= highest))
    reached = [((x - zero_point) * weights).sum(axis=1) + bias for x in (extremes, -1 - extremes)]
    assert np.array_equal(reached, [highest, lowest]), "the bounds are met, not merely kept"


@pytest.mark.parametrize(
    ("most", "shift"), [(2**31 - 129, 0), (2**31 - 129, -8), (2**31 - 2**21 - 1, -22), (2**30 - 1, -31), (2**20, 10)]
)
def test_sums_that_could_overflow_are_refused(most: int, shift: int) -> None:
    """What rounding and a zero point add is part of the sum."""
    assert arithmetic.check_sums(np.array([most]), np.array([1 << 30]), np.array([shift])) is None
    with pytest.raises(ValueError, match=r"a sum can reach \d+, rounding included; expected less than 2\^31"):
        arithmetic.check_sums(np.array([2 * most if shift > 0 else most + 1]), np.array([1 << 30]), np.array([shift]))


def test_partial_sums_that_could_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="a partial sum"):
        arithmetic.fold_bias(np.ones((1, 2), np.int8), np.array([2**31 - 1], np.int32), -128)


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-31, 6))
def test_rescaling_is_that_of_the_reference_kernels(value: int, multiplier: int, shift: int) -> None:
    value >>= max(shift, 0)
    (found,) = arithmetic.rescaled(np.array([value]), np.array([multiplier], np.int32), np.array([shift], np.int8))
    high = math.floor(Fraction(value * 2 ** max(shift, 0) * multiplier, 2**31) + Fraction(1, 2))
    exact = Fraction(high, 2 ** max(-shift, 0))
    assert int(found) == math.copysign(math.floor(abs(exact) + Fraction(1, 2)), high)
