"""Lay the weights of a convolution out for WebAssembly: records of eight channels, as mcu/src/sqz_wasm.h reads them."""

from __future__ import annotations

import numpy as np

from converters.compiler.middle import arithmetic
from converters.compiler.middle.program import ConvKernel

GROUP = 8  # channels
LARGEST_SHIFT, LARGEST_SPREAD = 28, 12  # to the right; between two of a group's channels
POINTER_BYTES = 8  # SQZ_POINTER_BYTES
HEAD_BYTES = 96  # before a record's weights


def groups(channels: int) -> list[slice]:
    """Return the channels in groups of eight; the last may have fewer."""
    return [slice(first, first + GROUP) for first in range(0, channels, GROUP)]


def records(conv: ConvKernel) -> bytes:
    """Return the records of a convolution: weights [runs, pairs, 8 channels, 2 inputs], what fills up is 0."""
    runs = conv.weights.reshape(conv.out_channels, _runs(conv), -1)
    padded = np.pad(runs, ((0, -conv.out_channels % GROUP), (0, 0), (0, runs.shape[2] % 2)))
    rows = padded.reshape(len(padded), -1)
    return b"".join(record(conv, each.start, rows[each]) for each in groups(conv.out_channels))


def record(conv: ConvKernel, first: int, rows: np.ndarray) -> bytes:
    """Return the record of the channels from `first` on; `rows` are their weights, int8 [8 or less, an even number]."""
    to, here = conv.requant, slice(first, first + GROUP)
    tables = (np.broadcast_to(each, conv.out_channels)[here] for each in (conv.bias, to.multiplier, to.shift))
    bias, multiplier, shift = tables
    exponent = _exponent(arithmetic.largest_sums(rows[: len(bias)], bias), multiplier, shift)
    scale = np.where(multiplier == 0, 4, 1 << np.maximum(exponent + shift.astype(np.int64), 0)) if exponent else shift
    head = _filled_up(bias, 0, "<i4") + _filled_up(multiplier, 1 << 30, "<i4")
    head += _filled_up(scale, 4, "<i2") + exponent.to_bytes(2, "little")
    return head + bytes(HEAD_BYTES - len(head)) + rows.reshape(GROUP, -1, 2).swapaxes(0, 1).tobytes()


def _exponent(largest: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> int:
    """Return E of mcu/src/sqz_wasm.h for a group of channels, or 0 if one shift for all would not be exact."""
    counts = multiplier != 0  # of the others nothing is left
    right = -shift.astype(np.int64)[counts]
    if not right.size:
        return 3
    apart = right.max() - right
    if right.min() < 1 or right.max() > LARGEST_SHIFT or multiplier[counts].min() < 1 << 30:
        return 0
    if apart.max() > LARGEST_SPREAD or (largest[counts] << (2 + apart)).max() >= arithmetic.INT32_LIMIT:
        return 0
    return int(right.max()) + 2


def _filled_up(values: np.ndarray, last: int, kind: str) -> bytes:
    return np.pad(values, (0, GROUP - len(values)), constant_values=last).astype(kind).tobytes()


def _runs(conv: ConvKernel) -> int:
    """Return the runs that a window lies in: its rows, or all of its places if they are dilated."""
    window = conv.window
    return window.kernel_h * (window.kernel_w if window.dilation_w > 1 else 1)


def scratch_bytes(conv: ConvKernel) -> int:
    """Return what mcu/src/sqz_tile_wasm.h works in."""
    window = conv.window
    columns = (conv.out_width - 1) * window.stride_w + (window.kernel_w - 1) * window.dilation_w + 1
    row = (columns * conv.in_channels + 4) // 4 * 8
    return POINTER_BYTES * _runs(conv) + window.kernel_h * row + GROUP * conv.out_width
