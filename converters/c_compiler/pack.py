"""Lay the weights of a convolution out as the target's kernel eats them, and say which kernel that is.

Every kernel computes the same bytes. The fast ones ask for more of the arithmetic; mcu/src/sqz_conv_dsp.c and
sqz_conv_mve.c say why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.c_compiler import arithmetic
from converters.c_compiler.graph import ConvKernel

TARGETS = ("generic", "cortex-m4", "cortex-m55")
LARGEST_SHARED_SUM = 1 << 23  # sums in the upper bytes of 32 bits stay below it
VECTOR = 16  # bytes
LARGEST_SHIFT = 22  # to the right: rounding and zero point, shifted left, stay within 32 bits


@dataclass(frozen=True)
class PackedConv:
    """A convolution as a kernel runs it: the C function, its weights, bytes of scratch."""

    function: str
    weights: bytes
    scratch_bytes: int


def pack(conv: ConvKernel, target: str) -> PackedConv:
    """Choose the kernel of a convolution on a target (one of TARGETS), and pack the weights for it."""
    fast = {"cortex-m4": _for_dsp, "cortex-m55": _for_mve}.get(target)
    return (fast(conv) if fast and _is_plain(conv) else None) or _portable(conv)


def _portable(conv: ConvKernel) -> PackedConv:
    """[O, KH, KW, I]; depthwise [KH, KW, O]."""
    row = "sqz_depthwise_row" if conv.depthwise else "sqz_conv_row"
    return PackedConv("sqz_conv_mean_row" if conv.mean else row, conv.weights.tobytes(), 0)


def _is_plain(conv: ConvKernel) -> bool:
    """Whether the fast kernels' requantization is exact: shifts to the right, no clamp but int8's or RELU's."""
    to = conv.requant
    shifts = bool(np.all((to.shift <= -1) & (to.shift >= -LARGEST_SHIFT)))
    return not conv.depthwise and shifts and to.highest == 127 and to.lowest in (-128, to.zero_point)


def _largest_sums(conv: ConvKernel) -> np.ndarray:
    """The largest magnitude of each output channel's sum, for any input."""
    weights = conv.weights.reshape(conv.out_channels, -1).astype(np.int64)
    positive, negative = np.maximum(weights, 0).sum(axis=1), np.minimum(weights, 0).sum(axis=1)
    highest = conv.bias + arithmetic.QMAX * positive + arithmetic.QMIN * negative
    lowest = conv.bias + arithmetic.QMIN * positive + arithmetic.QMAX * negative
    return np.maximum(np.abs(highest), np.abs(lowest))


# Cortex-M with SMLAD.


def _segments(conv: ConvKernel) -> tuple[int, int]:
    """Number and bytes of the contiguous runs of input in a window: kernel rows, or taps of a dilated kernel."""
    if conv.window.dilation_w > 1:
        return conv.window.kernel_h * conv.window.kernel_w, conv.in_channels
    return conv.window.kernel_h, conv.window.kernel_w * conv.in_channels


def _dsp_order(conv: ConvKernel) -> np.ndarray:
    """The inputs of a window in the order of sqz_conv_dsp.c's patch; the last is -1 (a zero) if they are odd."""
    count, size = _segments(conv)
    whole = size // 4 * 4
    position = np.arange(count * size).reshape(count, size)
    fours = position[:, :whole].reshape(-1, 4)[:, [0, 2, 1, 3]]
    order = np.concatenate([fours.ravel(), position[:, whole:].ravel()])
    return np.append(order, -1) if len(order) % 2 else order


def _for_dsp(conv: ConvKernel) -> PackedConv | None:
    """For sqz_conv_dsp.c; None where there is no kernel for sums that large."""
    order = _dsp_order(conv)
    flat = conv.weights.reshape(conv.out_channels, -1).astype(np.int16)
    weights = np.pad(flat, ((0, conv.out_channels % 2), (0, 1)))[:, order]
    first, second = weights[::2], weights[1::2]
    together = 256 * second.astype(np.int32) + first
    wide = bool(_largest_sums(conv).max() >= LARGEST_SHARED_SUM or together.min() < -(1 << 15))
    fours = 0 if wide else conv.out_channels // 4 * 2
    packed = _dsp_fours(together[:fours]) + _dsp_pairs(first[fours:], second[fours:])
    scratch = 4 * len(order) + 2 * _segments(conv)[1]
    if conv.mean:
        return None if wide else PackedConv("sqz_conv_mean_row_dsp", packed, scratch)
    return PackedConv("sqz_conv_row_dsp_wide" if wide else "sqz_conv_row_dsp", packed, scratch)


def _dsp_fours(together: np.ndarray) -> bytes:
    """For each four channels and pair of inputs: two halfwords of channels 0 and 1, two of 2 and 3."""
    pairs = together.reshape(len(together) // 2, 2, together.shape[1] // 2, 2)
    return pairs.transpose(0, 2, 1, 3).astype("<i2").tobytes()


def _dsp_pairs(first: np.ndarray, second: np.ndarray) -> bytes:
    """For each two channels and pair of inputs: bytes of channel 0 and 1 for one input, then for the other."""
    return np.stack([first, second], axis=-1).astype(np.int8).tobytes()


# Cortex-M with Helium.


def _for_mve(conv: ConvKernel) -> PackedConv:
    rows = conv.weights.reshape(conv.out_channels, -1)
    inputs, fours = rows.shape[1], conv.out_channels // 4 * 4
    whole = inputs // VECTOR * VECTOR
    blocks = rows[:fours, :whole].reshape(fours // 4, 4, whole // VECTOR, VECTOR).transpose(0, 2, 1, 3)
    tails = rows[:fours, whole:].reshape(fours // 4, 4 * (inputs - whole))
    packed = np.concatenate([blocks.reshape(fours // 4, 4 * whole), tails], axis=1).tobytes() + rows[fours:].tobytes()
    beyond = -inputs % VECTOR  # vectors are loaded whole
    function = "sqz_conv_mean_row_mve" if conv.mean else "sqz_conv_row_mve"
    return PackedConv(function, packed + bytes(beyond), 2 * (inputs + beyond))
