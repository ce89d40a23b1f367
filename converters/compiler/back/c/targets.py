"""Which function of the C library runs an operator on a chip, with its weights as that function reads them."""

from __future__ import annotations

from dataclasses import replace

from converters.compiler.back.c.weight_layout import FAST, Choice, pack
from converters.compiler.front import graph as g

TARGETS = ("generic", *FAST)  # generic: any C compiler, any chip
ROWS_ON_STACK, POINTER_BYTES = 16, 8  # SQZ_ROWS_ON_STACK, SQZ_POINTER_BYTES

_FUNCTIONS: dict[type, str] = {
    g.AddKernel: "sqz_add_row",
    g.MeanKernel: "sqz_mean_row",
    g.PadKernel: "sqz_pad_row",
    g.QuantizeKernel: "sqz_quantize_row",
    g.ReshapeKernel: "sqz_reshape_row",
    g.SoftmaxKernel: "sqz_softmax_row",
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
    choices = ((_choice(each.kernel, target), pointer_bytes(each)) for each in program.operators)
    return tuple(replace(choice, scratch_bytes=choice.scratch_bytes + before) for choice, before in choices)


def _choice(kernel: g.Kernel, target: str) -> Choice:
    if isinstance(kernel, g.ConvKernel):
        return pack(kernel, target)
    if isinstance(kernel, g.FullyConnectedKernel):
        return Choice("sqz_fully_connected_row", kernel.weights.reshape(-1))
    if isinstance(kernel, g.PoolKernel):
        kind = "average" if kernel.average else "max"
        return Choice(f"sqz_{kind}_pool_{'window' if kernel.streaming else 'row'}")
    return Choice(_FUNCTIONS[type(kernel)])


def pointer_bytes(operator: g.Operator) -> int:
    """Return what the first of an operator's scratch holds besides the kernel's: pointers to a tall window's rows."""
    return POINTER_BYTES * operator.rows if operator.yields != g.WINDOW and operator.rows > ROWS_ON_STACK else 0
