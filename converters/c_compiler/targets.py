"""Which function of the C library runs an operator on a chip, with its weights as that function reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from converters.c_compiler import graph as g
from converters.c_compiler import pack


@dataclass(frozen=True)
class Choice:
    """How an operator is run: the C function, its weights (int8, flat; None for most), and bytes of scratch.

    `records`: the weights hold the biases, multipliers and shifts too.
    """

    function: str
    weights: np.ndarray | None = None
    scratch_bytes: int = 0
    records: bool = False


def generic(kernel: g.Kernel) -> Choice:
    """Return the portable function: any C compiler, any chip."""
    if isinstance(kernel, g.ConvKernel):
        row = "sqz_depthwise_row" if kernel.depthwise else "sqz_conv_row"
        return Choice("sqz_conv_mean_row" if kernel.mean else row, kernel.weights.reshape(-1))
    if isinstance(kernel, g.FullyConnectedKernel):
        return Choice("sqz_fully_connected_row", kernel.weights.reshape(-1))
    if isinstance(kernel, g.PoolKernel):
        kind = "average" if kernel.average else "max"
        return Choice(f"sqz_{kind}_pool_{'window' if kernel.streaming else 'row'}")
    return Choice(_FUNCTIONS[type(kernel)])


_FUNCTIONS: dict[type, str] = {
    g.AddKernel: "sqz_add_row",
    g.MeanKernel: "sqz_mean_row",
    g.PadKernel: "sqz_pad_row",
    g.QuantizeKernel: "sqz_quantize_row",
    g.SoftmaxKernel: "sqz_softmax_row",
}


def _fast(target: str) -> Callable[[g.Kernel], Choice]:
    """Return what chooses the target's own functions where there are some, and the portable ones elsewhere."""

    def choose_one(kernel: g.Kernel) -> Choice:
        if not isinstance(kernel, g.ConvKernel) or kernel.depthwise:
            return generic(kernel)
        packed = pack.pack(kernel, target)
        return Choice(packed.function, np.frombuffer(packed.weights, np.int8), packed.scratch_bytes, packed.records)

    return choose_one


TARGETS: dict[str, Callable[[g.Kernel], Choice]] = {
    "generic": generic,
    "cortex-m4": _fast("cortex-m4"),
    "cortex-m55": _fast("cortex-m55"),
}


def choose(program: g.Program, target: str) -> tuple[Choice, ...]:
    """Return the choice for each operator.

    Args:
      program: what is to run.
      target: one of TARGETS.

    Raises:
      ValueError: the target is not known.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is not known; expected one of {', '.join(TARGETS)}")
    return tuple(TARGETS[target](operator.kernel) for operator in program.operators)
