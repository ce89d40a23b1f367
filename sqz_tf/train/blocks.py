"""Blocks of a convolution's weights, four output channels by two inputs, that are pruned together.

A microcontroller's kernel reads weights so: what is zero as a block is not there for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CHANNELS, RUN = 4, 4  # output channels of a block; inputs that lie together and make two pairs
PAIRS = (0, 1, 0, 1)  # the pair of each input of a run: SXTB16 widens every other byte


def block_of(shape: Sequence[int]) -> np.ndarray:
    """Return the number of the block that each weight is in.

    The inputs of a kernel row are a run of bytes, [KW, I]. Four at a time make two pairs; what is left of each row is
    paired in order. Channels and inputs that fill no block make smaller ones.

    Args:
      shape: of a kernel, [KH, KW, I, O].

    Returns:
      int64 [KH, KW, I, O], from 0 on without gaps.
    """
    rows, columns, inputs, channels = shape
    pairs = _pair_of(rows, columns * inputs)
    groups = np.arange(channels) // CHANNELS
    return (pairs[:, None] * (groups[-1] + 1) + groups).reshape(shape)


def _pair_of(rows: int, row: int) -> np.ndarray:
    """Return the number of the pair that each input is in, [rows * row]."""
    whole, left = row // RUN * RUN, row % RUN
    pairs = np.empty((rows, row), np.int64)
    fours = np.arange(rows * whole // RUN)[:, None] * 2 + np.array(PAIRS)
    pairs[:, :whole] = fours.reshape(rows, whole)
    pairs[:, whole:] = rows * whole // 2 + np.arange(rows * left).reshape(rows, left) // 2
    return pairs.ravel()
