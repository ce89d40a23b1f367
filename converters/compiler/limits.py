"""How large a network can be: what the fields of the C library's tables (mcu/src/sqz_ops.h) hold."""

from __future__ import annotations

LARGEST_SIDE = 0xFFFE  # heights, widths and channels are uint16; the engine keeps 0xFFFF for itself
LARGEST_STEP = 0xFF  # kernels, strides and paddings are uint8
MOST_LAG = 0xFF  # rows that an operator waits for without reading them: uint8
MOST_NUMBERED = 254  # streams and operators are numbered in uint8, of which 0xFF means none
LARGEST_ARENA = 1 << 31  # bytes: offsets are uint32, sizes must be int on 32-bit chips
MOST_LAYERS = 4 * MOST_NUMBERED  # in the file: reshapes, paddings and concatenations go, so there may be more
MOST_TRIALS = 1 << 31  # comparisons to find out how long the branches of one concatenation wait for each other
