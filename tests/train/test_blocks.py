"""Blocks are what the compiled kernel leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from converters.compiler.back.c.weight_layout import in_dsp_order
from sqz_tf.train.blocks import block_of
from tests.mcu.test_fast_convolutions import random_conv

SHAPES = [(3, 3, 3, 16), (1, 1, 16, 12), (3, 2, 7, 8), (1, 3, 5, 4), (1, 1, 1, 4), (5, 1, 6, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_block_is_one_of_the_kernel_for_smlad(shape: tuple[int, int, int, int]) -> None:
    rows, columns, inputs, channels = shape
    number = block_of(shape)
    conv = random_conv(0, (rows, columns, 1, 0, 1, 9, inputs, channels))
    assert set(number.ravel()) == set(range(channels // 4 * -(-rows * columns * inputs // 2)))
    for i in range(number.max() + 1):
        weights = (number == i).transpose(3, 0, 1, 2).astype(np.int8)
        ordered = in_dsp_order(replace(conv, weights=weights)).reshape(channels // 4, 4, -1, 2)
        assert ordered.any(axis=(1, 3)).sum() == 1


def test_channels_and_inputs_that_fill_no_block_make_smaller_ones() -> None:
    number = block_of((1, 1, 5, 6))
    assert sorted(np.bincount(number.ravel())) == [2, 4, 4, 4, 8, 8]
