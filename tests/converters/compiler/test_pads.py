"""A PAD joins what reads it where that sees the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from converters.compiler.middle import program as prog
from tests.helpers.compiled_networks import functions, program_of
from tests.helpers.int8_networks import Map, Net


@pytest.mark.parametrize(
    ("layer", "zero_point", "folded"),
    [
        (lambda n, x: n.conv(x, 2, (3, 3), padding="VALID"), 7, True),
        (lambda n, x: n.conv(x, 2, (1, 1)), 7, True),
        (lambda n, x: n.conv(x, 1, (3, 3), padding="VALID", depthwise=True), 7, True),
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID"), -128, True),
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID"), 7, False),  # real 0 may be larger than all of a window
        (lambda n, x: n.pool(x, (1, 1), (1, 1), "VALID"), -128, False),  # a window would see nothing
        (lambda n, x: n.pool(x, (3, 3), (2, 2), "VALID", average=True), -128, False),
    ],
)
def test_padding_joins_windows_that_see_the_same(
    layer: Callable[[Net, Map], Map], zero_point: int, folded: bool
) -> None:
    program = program_of(lambda n: layer(n, n.pad(n.requantize(n.input(6, 6, 2), 0.1, zero_point))))
    assert ("PAD" not in functions(program)) == folded
    if folded:
        assert program.operators[-1].pad_top == 1


def test_a_value_of_its_own_joins_convolutions_that_see_no_other() -> None:
    def padded(n: Net, **how: Any) -> Map:
        return n.conv(n.pad(n.requantize(n.input(6, 6, 2), 0.1, 7), value=-128), 2, (3, 3), **how)

    folded = program_of(lambda n: padded(n, padding="VALID"))
    kernel = folded.operators[-1].kernel
    assert isinstance(kernel, prog.ConvKernel)
    assert (folded.operators[-1].pad_top, kernel.input_zero_point) == (1, -128)
    assert "PADV2" in functions(program_of(lambda n: padded(n, padding="SAME")))  # around it are zero points, too


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3)])
def test_a_pad_before_a_mean_is_part_of_its_sum(kernel: tuple[int, int]) -> None:
    def build(n: Net) -> Map:
        return n.mean(n.pad(n.conv(n.input(4, 5, 2), 3, kernel), bottom=2, left=1, right=0, top=0, value=-64))

    padded = program_of(build).operators[-1].kernel
    assert isinstance(padded, prog.ConvKernel | prog.MeanKernel)
    assert padded.zero_sum == -128 * 6 * 6 - -64 * (6 * 6 - 4 * 5)
    assert "PADV2" not in functions(program_of(build))
