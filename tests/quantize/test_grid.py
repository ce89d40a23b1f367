"""Which scales a scheme allows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqz_tf.base.pixels import CENTRED, Pixels
from sqz_tf.quantize.schemes.every import QuantizeConfig, grid_of
from sqz_tf.quantize.schemes.free import FREE, FreeGrid
from sqz_tf.quantize.schemes.powers_of_two import PowerOfTwoGrid

RISTRETTO = PowerOfTwoGrid(False)
LARGEST = st.floats(1e-5, 1e6)


def scale(limits: tuple[float, float]) -> float:
    return (limits[1] - limits[0]) / 255


def test_the_schemes() -> None:
    assert grid_of(QuantizeConfig()) == FREE == FreeGrid(True)
    assert grid_of(QuantizeConfig(scheme="ristretto")) == RISTRETTO
    assert grid_of(QuantizeConfig(scheme="ristretto", per_channel=True)) == PowerOfTwoGrid(True)
    assert grid_of(QuantizeConfig(per_channel=False)) == FreeGrid(False)


@given(LARGEST, st.booleans())
def test_a_held_range_is_the_smallest_power_of_two_that_holds(largest: float, saturable: bool) -> None:
    low, high = RISTRETTO.holding(0.0, largest, saturable)
    assert math.frexp(scale((low, high)))[0] == 0.5
    assert high / 2 < largest <= high * (1 + 1e-12)
    assert low == (0.0 if saturable else -128 * scale((low, high)))


@given(LARGEST, st.booleans())
def test_the_nearest_range_is_within_half_an_octave(largest: float, saturable: bool) -> None:
    found = RISTRETTO.nearest(0.0, largest, saturable)
    assert math.frexp(scale(found))[0] == 0.5
    assert abs(math.log2(found[1] / largest)) <= 0.5 + 1e-9


@given(st.floats(8.0, 500.0), st.integers(1, 20))
def test_a_mean_keeps_zero_point_0_by_averaging_an_int8_with_it(high: float, rows: int) -> None:
    source = RISTRETTO.nearest(0.0, 508.0)
    found = RISTRETTO.averaged(high, rows, source)
    assert found is not None
    powers = [(n, math.log2(scale(found) * rows / (rows + n))) for n in range(1, rows + 1)]
    rounded = [(n, 2.0 ** round(power)) for n, power in powers if abs(power - round(power)) < 1e-9]
    taken = [128 * step * (rows + n) / (n * scale(source)) for n, step in rounded]
    assert any(each.is_integer() and each <= 128 for each in taken)
    assert found[0] == 0.0
    assert abs(math.log2(found[1] / high)) <= 0.5 + 1e-9


def test_a_mean_much_larger_than_what_it_averages_cannot_be_moved() -> None:
    source = RISTRETTO.nearest(0.0, 508.0)
    assert RISTRETTO.averaged(508.0, 15, source) == (0.0, 510.0)  # half the step
    assert RISTRETTO.averaged(2000.0, 15, source) is None
    assert FREE.averaged(38.0, 15, (0.0, 500.0)) is None


def test_a_tensor_that_is_nothing_but_zero_gets_an_ordinary_scale() -> None:
    assert (scale(RISTRETTO.holding(0.0, 1e-9)), scale(RISTRETTO.nearest(0.0, 0.0, True))) == (2.0**-6, 2.0**-8)


def test_what_reaches_below_zero_is_held_too() -> None:
    assert RISTRETTO.holding(-128.0, 1.0) == (-128.0, 127.0)
    assert RISTRETTO.holding(-128.5, 1.0) == (-256.0, 254.0)


def test_free_ranges_stay_as_they_are_and_hold_zero() -> None:
    assert FREE.holding(-1.5, 3.7) == FREE.nearest(-1.5, 3.7) == (-1.5, 3.7)
    assert FREE.holding(2.0, 3.7) == (0.0, 3.7)


@pytest.mark.parametrize("power_of_two", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_kernel_bounds(power_of_two: bool, per_channel: bool) -> None:
    grid = (PowerOfTwoGrid if power_of_two else FreeGrid)(per_channel)
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 6)).astype(np.float32)
    kernel[..., 2] = 0
    bound = grid.bound(kernel)
    assert bound.shape == ((6,) if per_channel else ())
    assert np.all(bound > 0), "a channel that is all zero needs a scale, too"
    if power_of_two:
        assert np.all(np.frexp(bound / 127)[0] == 0.5)
    else:
        held = np.abs(kernel).max((0, 1, 2) if per_channel else None)
        np.testing.assert_allclose(np.where(held > 0, bound, 0), held, rtol=1e-6)


def test_pixels() -> None:
    images = np.array([0, 128, 255], np.uint8)
    assert RISTRETTO.pixels(1 / 255) == CENTRED
    assert CENTRED.numbers(images).tolist() == [-128.0, 0.0, 127.0]
    assert CENTRED.range == (-128.0, 127.0)
    assert FREE.pixels(0.5) == Pixels(0.5)
    assert Pixels(0.5).numbers(images).tolist() == [0.0, 64.0, 127.5]


def test_the_gain_brings_pixels_into_one() -> None:
    assert CENTRED.gain == 2.0**-7
    assert Pixels(1 / 255).gain == 1.0
