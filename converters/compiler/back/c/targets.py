"""Which function of the C library runs an operator on a chip, with its weights as that function reads them."""

from __future__ import annotations

from dataclasses import replace

from converters.compiler.back.c.weight_layout import FAST, Choice, lay_out
from converters.compiler.middle import program as prog

TARGETS = ("generic", *FAST)  # generic: any C compiler, any chip
ROWS_ON_STACK, POINTER_BYTES = 16, 8  # SQZ_ROWS_ON_STACK, SQZ_POINTER_BYTES

_FUNCTIONS: dict[type, str] = {
    prog.AddKernel: "sqz_add_row",
    prog.MeanKernel: "sqz_mean_row",
    prog.PadKernel: "sqz_pad_row",
    prog.QuantizeKernel: "sqz_quantize_row",
    prog.ReshapeKernel: "sqz_reshape_row",
    prog.SoftmaxKernel: "sqz_softmax_row",
}


def choose(program: prog.Program, target: str) -> tuple[Choice, ...]:
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


def _choice(kernel: prog.Kernel, target: str) -> Choice:
    if isinstance(kernel, prog.ConvKernel):
        return lay_out(kernel, target)
    if isinstance(kernel, prog.FullyConnectedKernel):
        return Choice("sqz_fully_connected_row", kernel.weights.reshape(-1))
    if isinstance(kernel, prog.PoolKernel):
        kind = "average" if kernel.average else "max"
        return Choice(f"sqz_{kind}_pool_{'window' if kernel.streaming else 'row'}")
    return Choice(_FUNCTIONS[type(kernel)])


def pointer_bytes(operator: prog.Operator) -> int:
    """Return what the first of an operator's scratch holds besides the kernel's: pointers to a tall window's rows."""
    return POINTER_BYTES * operator.rows if operator.yields != prog.WINDOW and operator.rows > ROWS_ON_STACK else 0
