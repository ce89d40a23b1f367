"""Leave zero blocks of weights out of a convolution, where that pays: four channels by two inputs, on SMLAD.

mcu/src/sqz_tile_dsp_sparse.h says how the others lie in flash.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.compiler.back.c import weight_layout as dense
from converters.compiler.middle.program import ConvKernel

STEPS, STEP_BYTES = 16, 52  # of a round; of code for a block
NO_BLOCKS = 840  # SQZ_SPARSE_NONE
INPUT_BYTES = 8  # of a pair of inputs of two pixels
ROW, MEAN_ROW = "sqz_conv_row_dsp_sparse", "sqz_conv_mean_row_dsp_sparse"
FUNCTIONS = {
    **{f"sqz_conv_{shape}row_dsp": ROW for shape in ("", "fours_", "odd_", "nine_")},
    **{f"sqz_conv_mean_{shape}row_dsp": MEAN_ROW for shape in ("", "fours_")},
}

# Instructions on a Cortex-M4 for two pixels by four channels: for each pair of inputs with all of them, for each block
# with some, for each round of STEPS. A row's last pixel alone: for each pair, for each round of ONE_STEPS, and what its
# outputs take less.
PAIR, ROUND = 12, 3
BLOCK, SPARSE_ROUND = 13, 2
ONE_STEPS = 8
ONE_PAIR, ONE_LESS = 7, 35


def instead(choice: dense.Choice, conv: ConvKernel) -> dense.Choice:
    """Return the choice without zero blocks of weights if that takes fewer instructions and no more flash."""
    if not _can_be(choice, conv) or _sparse_cost(conv) >= _dense_cost(conv, odd="odd" in choice.function):
        return choice
    small = without_zeros(choice, conv)
    assert small is not None
    assert small.weights is not None
    assert choice.weights is not None
    return small if small.weights.size <= choice.weights.size else choice


def spared(conv: ConvKernel) -> float:
    """Return the instructions of a row that leaving out zero blocks spares."""
    return _dense_cost(conv, odd=False) - _sparse_cost(conv)


def without_zeros(choice: dense.Choice, conv: ConvKernel) -> dense.Choice | None:
    """Return a convolution's choice without zero blocks; None where no kernel can leave them out."""
    if not _can_be(choice, conv):
        return None
    weights = np.frombuffer(_records(conv), np.int8)
    return replace(choice, function=FUNCTIONS[choice.function], weights=weights, sparse=True)


def _can_be(choice: dense.Choice, conv: ConvKernel) -> bool:
    """Whether a kernel can leave a convolution's zero blocks out."""
    return choice.function in FUNCTIONS and conv.out_channels >= 4


def _blocks(conv: ConvKernel) -> np.ndarray:
    """Return the weights of whole fours of channels in the order of the patch: int8 [O / 4, pairs, 4, 2]."""
    rows = dense.in_dsp_order(conv)
    fours = conv.out_channels // 4
    return rows[: 4 * fours].reshape(fours, 4, -1, 2).swapaxes(1, 2)


def _dense_cost(conv: ConvKernel, *, odd: bool) -> float:
    """Return the instructions of a row's sums with all blocks."""
    groups, pairs = _blocks(conv).shape[:2]
    two = groups * (PAIR * pairs + ROUND * -(-pairs // STEPS))
    one = groups * (ONE_PAIR * pairs + ROUND * -(-pairs // ONE_STEPS) - ONE_LESS)
    return conv.out_width // 2 * two + one if odd else -(-conv.out_width // 2) * two


def _sparse_cost(conv: ConvKernel) -> float:
    """Return the instructions of a row's sums without zero blocks."""
    counts = _blocks(conv).any(axis=(2, 3)).sum(axis=1)
    return -(-conv.out_width // 2) * float((BLOCK * counts + SPARSE_ROUND * -(-counts // STEPS)).sum())


def _records(conv: ConvKernel) -> bytes:
    """Return the records of fours without their zero blocks, and those of twos."""
    blocks = _blocks(conv)
    fours = dense.dsp_fours(conv, [_weights(group) for group in blocks])
    return b"".join([*fours, *dense.dsp_twos(conv, 4 * len(blocks))])


def _weights(group: np.ndarray) -> bytes:
    """Return the blocks, int8 [pairs, 4, 2], that are not zero, with what says where their inputs are."""
    places = np.flatnonzero(group.any(axis=(1, 2)))
    skipped = STEP_BYTES * (-len(places) % STEPS) if len(places) else NO_BLOCKS
    where = 2 * INPUT_BYTES * places + (places == places[-1:])
    halfwords = dense.together(group[places].swapaxes(0, 1)).swapaxes(0, 1)  # [blocks, channels / 2, inputs]
    words = np.column_stack([halfwords.astype("<i2").reshape(-1, 4).view("<u4"), where.astype("<u4")])
    return np.uint32(skipped).astype("<u4").tobytes() + words.astype("<u4").tobytes()
