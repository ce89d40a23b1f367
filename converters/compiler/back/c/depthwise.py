"""Say which kernel runs a depthwise convolution on a target; each computes the same bytes.

mcu/src/sqz_depthwise_dsp.c, sqz_depthwise_mve.c, sqz_depthwise_neon.c and sqz_depthwise_wasm.c say what they ask for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converters.compiler.back.c import wasm_records
from converters.compiler.back.c.weight_layout import LARGEST_SHIFT, Choice, has_neon_shifts, record
from converters.compiler.middle import arithmetic
from converters.compiler.middle.program import ConvKernel

DSP_GROUP, MVE_GROUP, NEON_GROUPS = 4, 8, (16, 8)  # channels
PIXELS = 32  # of a row, made ready at once: SQZ_PIXELS
WORD = 4  # bytes
LARGEST_SUM = 1 << 30  # of which the double fits 32 bits


def lay_out(conv: ConvKernel, target: str) -> Choice:
    """Choose the kernel of a depthwise convolution, one of the target's own if FAST has it, and lay out its weights."""
    fast = FAST.get(target)
    return (fast(conv) if fast else None) or Choice("sqz_depthwise_row", conv.weights.reshape(-1))


def _is_simple(conv: ConvKernel) -> bool:
    """Whether shifts are to the right, sums can be doubled, columns lie in order, each channel has its own input."""
    shifts = bool(np.all((conv.requant.shift <= -1) & (conv.requant.shift >= -LARGEST_SHIFT)))
    small = int(arithmetic.largest_sums(conv.rows, conv.bias).max()) < LARGEST_SUM
    return shifts and small and conv.window.dilation_w == 1 and conv.in_channels == conv.out_channels


def _for_dsp(conv: ConvKernel) -> Choice | None:
    """For sqz_depthwise_dsp.c; None if it is not simple, or there are too few channels."""
    if not _is_simple(conv) or conv.out_channels < DSP_GROUP:
        return None
    window = conv.window
    pairs = -(-window.kernel_h // 2)
    words = 12 * pairs + DSP_GROUP * (4 + pairs * (window.kernel_w + _columns(conv)))
    records = b"".join(_dsp_record(conv, each) for each in _groups(conv.out_channels, DSP_GROUP))
    return Choice("sqz_depthwise_row_dsp", np.frombuffer(records, np.int8), WORD * words, records=True)


def _columns(conv: ConvKernel) -> int:
    """Return the columns that are made ready at once."""
    return (min(conv.out_width, PIXELS) - 1) * conv.window.stride_w + conv.window.kernel_w


def _groups(channels: int, size: int) -> list[slice]:
    """Return the channels in groups of one size; the last overlaps those before if need be."""
    starts = (min(first, channels - size) for first in range(0, channels, size))
    return [slice(first, first + size) for first in starts]


def _dsp_record(conv: ConvKernel, channels: slice) -> bytes:
    """Biases, multipliers, shifts, and the weights of each column in the window, two rows at a time."""
    window = conv.window
    weights = conv.weights.reshape(window.kernel_h, window.kernel_w, conv.out_channels)[:, :, channels]
    weights = np.pad(weights, ((0, window.kernel_h % 2), (0, 0), (0, 0)))
    pairs = weights.reshape(-1, 2, window.kernel_w, 2, 2)  # [pair, row, column, channels 2, channels 1]
    bias, multiplier, shift = _tables(conv, channels)
    head = bias.astype("<i4").tobytes() + multiplier.astype("<i4").tobytes() + (-1 - shift).astype(np.int8).tobytes()
    return head + pairs.transpose(2, 0, 3, 1, 4).tobytes()


def _for_mve(conv: ConvKernel) -> Choice | None:
    """For sqz_depthwise_mve.c; None if it is not simple, there are too few channels, or a sum of two products could
    leave 16 bits.
    """
    if not _is_simple(conv) or conv.out_channels < MVE_GROUP or conv.weights.min() == arithmetic.QMIN:
        return None
    records = b"".join(_mve_record(conv, each) for each in _groups(conv.out_channels, MVE_GROUP))
    if conv.in_width == conv.out_width == conv.window.kernel_w == 1:
        return Choice("sqz_depthwise_column_row_mve", np.frombuffer(records, np.int8), records=True)
    scratch = MVE_GROUP * conv.window.kernel_h * _columns(conv)
    return Choice("sqz_depthwise_row_mve", np.frombuffer(records, np.int8), scratch, records=True)


def _mve_record(conv: ConvKernel, channels: slice) -> bytes:
    """Biases, shifts and multipliers, each of the even channels first, then the weights column by column."""
    bias, multiplier, shift = (each.reshape(-1, 2).T for each in _tables(conv, channels))
    head = bias.astype("<i4").tobytes() + shift.astype(np.int8).tobytes() + multiplier.astype("<i4").tobytes()
    return head + conv.weights[0].swapaxes(0, 1)[:, :, channels].tobytes()


def _for_neon(conv: ConvKernel) -> Choice | None:
    """For sqz_depthwise_neon.c; None if channels are too few or share an input, or a sum of two products could leave
    16 bits.
    """
    size = next((each for each in NEON_GROUPS if each <= conv.out_channels), None)
    own = conv.in_channels == conv.out_channels and has_neon_shifts(conv) and conv.weights.min() > arithmetic.QMIN
    if size is None or not own:
        return None
    groups = _groups(conv.out_channels, size)
    records = b"".join(record(conv, each.start, size, conv.weights[..., each].tobytes()) for each in groups)
    taps = conv.window.kernel_h * conv.window.kernel_w
    return Choice("sqz_depthwise_row_neon", np.frombuffer(records, np.int8), 8 * taps + conv.in_channels, records=True)


def _for_wasm(conv: ConvKernel) -> Choice | None:
    """For sqz_depthwise_wasm.c; None if channels are too few or share an input."""
    if not conv.in_channels == conv.out_channels >= wasm_records.GROUP:
        return None
    groups = _groups(conv.out_channels, wasm_records.GROUP)
    taps = conv.weights.reshape(-1, conv.out_channels).T
    rows = np.pad(taps, ((0, 0), (0, taps.shape[1] % 2)))
    records = b"".join(wasm_records.record(conv, each.start, rows[each]) for each in groups)
    scratch = wasm_records.POINTER_BYTES * rows.shape[1] + conv.in_channels
    return Choice("sqz_depthwise_row_wasm", np.frombuffer(records, np.int8), scratch, records=True)


def _tables(conv: ConvKernel, channels: slice) -> tuple[np.ndarray, ...]:
    """Return biases, multipliers and shifts of some channels."""
    to = conv.requant
    tables = conv.bias, to.multiplier, to.shift
    return tuple(np.broadcast_to(table, conv.out_channels)[channels] for table in tables)


FAST: dict[str, Callable[[ConvKernel], Choice | None]] = {
    "cortex-m4": _for_dsp,
    "cortex-m55": _for_mve,
    "aarch64": _for_neon,
    "wasm32": _for_wasm,
}
