"""Say which kernel runs a fully connected layer on a target, and lay its weights out as that kernel eats them.

The sqz_fully_connected_*.c of mcu/src say what they ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from converters.compiler.back.c.weight_layout import LARGEST_SHARED_SUM, Choice, dsp_four, together
from converters.compiler.middle.arithmetic import QMIN
from converters.compiler.middle.program import FullyConnectedKernel


def lay_out(kernel: FullyConnectedKernel, target: str) -> Choice:
    """Choose the kernel of a fully connected layer, one of the target's own if FAST has it, and lay out its weights."""
    plain = Choice("sqz_fully_connected_row", kernel.weights.reshape(-1))
    choice = FAST[target](kernel) if target in FAST else plain
    if not kernel.width:
        return choice
    return replace(choice, function=choice.function.replace("connected_row", "connected_each_row"))


def _for_dsp(kernel: FullyConnectedKernel) -> Choice:
    """Four outputs together where their sums over a row stay below 2^23, those left over plain."""
    rows = kernel.weights.reshape(kernel.out_channels, kernel.height, kernel.row_bytes)
    fours = kernel.out_channels // 4 * 4
    scratch = 2 * (kernel.row_bytes + -kernel.row_bytes % 4)
    largest = -QMIN * int(np.abs(rows.astype(np.int64)).sum(axis=2).max())
    if largest >= LARGEST_SHARED_SUM or together(rows[:fours]).min(initial=0) < -(1 << 15):
        return Choice("sqz_fully_connected_row_dsp_wide", kernel.weights.reshape(-1), scratch)
    padded = np.pad(rows[:fours], ((0, 0), (0, 0), (0, -kernel.row_bytes % 4)))
    ordered = padded.reshape(fours, kernel.height, scratch // 8, 4)[..., [0, 2, 1, 3]].reshape(padded.shape)
    together_ = b"".join(dsp_four(each) for o in range(0, fours, 4) for each in ordered[o : o + 4].transpose(1, 0, 2))
    return Choice("sqz_fully_connected_row_dsp", np.frombuffer(together_ + rows[fours:].tobytes(), np.int8), scratch)


def _for_mve(kernel: FullyConnectedKernel) -> Choice:
    return Choice("sqz_fully_connected_row_mve", kernel.weights.reshape(-1))


def _for_neon(kernel: FullyConnectedKernel) -> Choice:
    lowest = kernel.weights.min() == QMIN
    return Choice(f"sqz_fully_connected_row{'' if lowest else '_neon'}", kernel.weights.reshape(-1))


def _for_wasm(kernel: FullyConnectedKernel) -> Choice:
    return Choice("sqz_fully_connected_row_wasm", kernel.weights.reshape(-1))


FAST: dict[str, Callable[[FullyConnectedKernel], Choice]] = {
    "cortex-m4": _for_dsp,
    "cortex-m55": _for_mve,
    "aarch64": _for_neon,
    "wasm32": _for_wasm,
}
