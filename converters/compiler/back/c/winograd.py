"""Say which convolutions of 3 x 3 take fewer products by Winograd's method, and lay their weights out for it.

mcu/src/sqz_winograd_dsp.h says how it is exact; mcu/src/sqz_conv_winograd_dsp.c what it asks for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.compiler.back.c.weight_layout import Choice, is_plain, record
from converters.compiler.middle import arithmetic
from converters.compiler.middle import program as prog

FUNCTION = "sqz_conv_winograd_row_dsp"
ROWS, COLUMNS = 2, 4  # of a tile
GROUP = 4  # channels
PRODUCTS = 24
WORD = 4  # bytes
LARGEST_SUM = (1 << 27) // 3


def lay_out(conv: prog.ConvKernel, tiles: int | None = None) -> Choice | None:
    """Return a convolution run by Winograd's method; None where it cannot be.

    Args:
      conv: the convolution.
      tiles: for how many the weights are transformed at once, an even number; None for all of a row.
    """
    window = conv.window
    simple = (window.kernel_h, window.kernel_w, window.stride_h, window.stride_w, window.dilation_h, window.dilation_w)
    if (
        simple != (3, 3, 1, 1, 1, 1)
        or conv.mean
        or conv.depthwise
        or conv.in_channels % GROUP
        or conv.out_channels % GROUP
    ):
        return None
    if not is_plain(conv) or arithmetic.largest_sums(conv.rows, conv.bias).max() >= LARGEST_SUM:
        return None
    weights = _in_pairs(conv)
    records = (record(conv, o, GROUP, weights[o : o + GROUP].tobytes()) for o in range(0, conv.out_channels, GROUP))
    laid_out = np.frombuffer(b"".join(records), np.int8)
    return with_tiles(Choice(FUNCTION, laid_out, records=True, rows=ROWS), conv, tiles or tiles_in_row(conv))


def tiles_in_row(conv: prog.ConvKernel) -> int:
    """Return the tiles of a row, one that fills an odd number up included."""
    return -(-conv.out_width // (2 * COLUMNS)) * 2


def with_tiles(choice: Choice, conv: prog.ConvKernel, tiles: int) -> Choice:
    """Return a choice with scratch for inputs of so many tiles, weights of four outputs, the sums of two tiles."""
    scratch = WORD * PRODUCTS * (conv.in_channels // 2 * (tiles + GROUP) + 2 * GROUP)
    return replace(choice, tiles=tiles, scratch_bytes=scratch)


def _in_pairs(conv: prog.ConvKernel) -> np.ndarray:
    """Return weights int8 [O, I / 2, 18] as sqz_winograd_weights reads them.

    Of four channels in a word of inputs the first and third make a pair, the second and fourth.
    """
    taps = conv.weights.reshape(conv.out_channels, 9, -1, 2, 2).transpose(0, 2, 4, 1, 3)  # [O, I / 4, pair, tap, 2]
    taps = taps.reshape(conv.out_channels, -1, 9, 2)
    twos = taps[:, :, :8].reshape(*taps.shape[:2], 4, 2, 2).swapaxes(3, 4)
    return np.concatenate([twos.reshape(*taps.shape[:2], 16), taps[:, :, 8]], axis=2)


# Instructions, counted.


def gain(operator: prog.Operator, tiles: int) -> float:
    """Return the instructions of one inference that an operator is spared with so many tiles at once."""
    conv = operator.kernel
    assert isinstance(conv, prog.ConvKernel)
    return operator.fires * _direct(conv) - -(-operator.fires // ROWS) * _in_bands(conv, tiles)


def _direct(conv: prog.ConvKernel) -> float:
    """Return the instructions of one row with all products."""
    inputs = conv.rows.shape[1]
    return -(-conv.out_width // 2) * (conv.out_channels / 4 * (6 * inputs + 69) + 2.25 * inputs + 90)


def _in_bands(conv: prog.ConvKernel, at_once: int) -> float:
    """Return the instructions of a band of two rows."""
    pairs, groups = conv.in_channels // 2, conv.out_channels // GROUP
    tiles, passes = -(-conv.out_width // COLUMNS), -(-tiles_in_row(conv) // at_once)
    return (
        tiles * pairs * INPUTS
        + passes * groups * GROUP * pairs * WEIGHTS
        + groups * -(-tiles // 2) * PRODUCTS * (11 * pairs + SUMS)
        + conv.out_channels * tiles * OUTPUTS
    )


INPUTS, WEIGHTS, SUMS, OUTPUTS = 300, 91, 30, 170
