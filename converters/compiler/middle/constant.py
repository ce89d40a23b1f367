"""Find the output channels of a convolution that every input gives the same byte, and let them fit in with the others.

Training leaves channels without weights, or with tiny ones. For these the official converter writes the smallest scale
that keeps the bias within 2^30: sums too large, and shifts too far, for the fast kernels, which run a whole layer. With
no weights and the scale of another channel, a bias gives the same byte.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.compiler.middle import arithmetic
from converters.compiler.middle import program as prog

LARGEST_BIAS = (1 << 23) - 1  # as far as the fast kernels sum


def with_constant_channels(conv: prog.ConvKernel) -> prog.ConvKernel:
    """Return a convolution that computes the same, its constant channels without weights."""
    count, to = conv.out_channels, conv.requant
    multiplier, shift = (np.broadcast_to(table, count) for table in (to.multiplier, to.shift))
    lowest, highest = arithmetic.sum_range(conv.rows, conv.bias)
    largest = arithmetic.shifted_left(np.maximum(np.abs(lowest), np.abs(highest)), multiplier, shift)
    fits = largest < arithmetic.INT32_LIMIT  # TFLite's own sums would overflow elsewhere
    value, other = (_to_int8(np.where(fits, sums, 0), multiplier, shift, to) for sums in (lowest, highest))
    constant = fits & (value == other)
    like = _largest_scale(multiplier, shift, ~constant)
    bias = np.rint((value - to.zero_point) * 2.0 ** (31 - int(like[1][0])) / int(like[0][0]))
    bias = np.clip(bias, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int64)
    constant &= _to_int8(bias, *like, to) == value
    tables = (np.where(constant, *pair) for pair in zip(like, (multiplier, shift), strict=True))
    multiplier, shift = arithmetic.one_for_all(*tables)
    return replace(
        conv,
        weights=np.where(constant if conv.depthwise else constant[:, None, None, None], np.int8(0), conv.weights),
        bias=np.where(constant, bias, conv.bias).astype(np.int32),
        requant=replace(to, multiplier=multiplier, shift=shift),
    )


def _to_int8(sums: np.ndarray, multiplier: np.ndarray, shift: np.ndarray, to: prog.Requant) -> np.ndarray:
    return np.clip(arithmetic.rescaled(sums, multiplier, shift) + to.zero_point, to.lowest, to.highest)


def _largest_scale(multiplier: np.ndarray, shift: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return multiplier and shift of the channel with the largest scale, [1] each; a quarter if there is none."""
    if not among.any():
        return np.array([1 << 30], np.int32), np.array([-1], np.int8)
    scales = np.where(among, np.ldexp(multiplier.astype(np.float64), shift), -1)
    best = int(scales.argmax())
    return multiplier[best : best + 1], shift[best : best + 1]
