"""Which function of the C library runs an operator on a chip, with its weights as that function reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from converters.compiler.back.c import connected, depthwise, sparse, weight_layout
from converters.compiler.back.c.selection import DENSE, Packing, select
from converters.compiler.back.c.weight_layout import FAST, PLAIN, Choice, packed
from converters.compiler.middle import program as prog

# generic: any C compiler, any chip; those after it have plain C, too, but costs and tests of their own
TARGETS = ("generic", *FAST, *PLAIN)
ROWS_ON_STACK, POINTER_BYTES = 16, 8  # SQZ_ROWS_ON_STACK, SQZ_POINTER_BYTES


def choose(program: prog.Program, target: str, packing: Packing = DENSE) -> tuple[Choice, ...]:
    """Return the choice for each operator.

    Args:
      program: what is to run.
      target: one of TARGETS.
      packing: which weights to compress.

    Raises:
      ValueError: the target is not known.
    """
    if target not in TARGETS:
        raise ValueError(f"target {target!r} is not known; expected one of {', '.join(TARGETS)}")
    layout = "generic" if packing.optimize == "ram" and target in PLAIN else target  # which takes no scratch
    if packing.slot:
        return tuple(_in_slot(each.kernel, layout, target, packing) for each in program.operators)
    plain = tuple(_without_zeros(each.kernel, layout) for each in program.operators)
    return select(program, plain, lambda i: compressed(program.operators[i].kernel, target), packing)


def _in_slot(kernel: prog.Kernel, layout: str, target: str, packing: Packing) -> Choice:
    """Return the choice that every network of the same shapes gets."""
    small = compressed(kernel, target, slot=True) if packing.optimize == "flash" else None
    return small or uncompressed(kernel, layout)


def with_pointers(program: prog.Program, choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return the choices with room in front of each operator's scratch for what the engine keeps there."""
    pairs = zip(choices, map(pointer_bytes, program.operators), strict=True)
    return tuple(replace(choice, scratch_bytes=choice.scratch_bytes + more) for choice, more in pairs)


def _without_zeros(kernel: Any, target: str) -> Choice:
    return sparse.instead(uncompressed(kernel, target), kernel)


def uncompressed(kernel: prog.Kernel, target: str) -> Choice:
    """Return how a kernel is run with all of its weights as they are."""
    return CHOICES[type(kernel)](kernel, target)


def compressed(kernel: prog.Kernel, target: str, slot: bool = False) -> Choice | None:
    """Return how a kernel is run with its weights compressed, or None if it cannot be."""
    return COMPRESSED[type(kernel)](kernel, target, slot)


def pointer_bytes(operator: prog.Operator) -> int:
    """Return what the first of an operator's scratch holds besides the kernel's: pointers to a tall window's rows."""
    rows = operator.rows_at_once
    return POINTER_BYTES * rows if rows > ROWS_ON_STACK else 0


# The function of each kernel, and its weights as that reads them.


def _convolution(kernel: prog.ConvKernel, target: str) -> Choice:
    return (depthwise if kernel.depthwise else weight_layout).lay_out(kernel, target)


def _pool(kernel: prog.PoolKernel, target: str) -> Choice:
    kind = "average" if kernel.average else "max"
    return Choice(f"sqz_{kind}_pool_{'window' if kernel.streaming else 'row'}")


def _sum(kernel: prog.AddKernel, target: str) -> Choice:
    functions = {(1, 1): "sqz_add_row", (1, -1): "sqz_sub_row", (-1, 1): "sqz_sub_from_row"}
    return Choice(functions[kernel.signs])


def _prelu(kernel: prog.PReluKernel, target: str) -> Choice:
    return Choice("sqz_prelu_row" if kernel.slopes.size == kernel.channels else "sqz_prelu_map_row")


def _reshape(kernel: prog.ReshapeKernel, target: str) -> Choice:
    return Choice("sqz_unstack_row" if kernel.parts else "sqz_reshape_row")


def _pad(kernel: prog.PadKernel, target: str) -> Choice:
    return Choice("sqz_pad_channels_row" if kernel.pads_channels else "sqz_pad_row")


def _softmax(kernel: prog.SoftmaxKernel, target: str) -> Choice:
    return Choice("sqz_log_softmax_row" if kernel.logarithm else "sqz_softmax_row")


def _always(function: str) -> Callable[[prog.Kernel, str], Choice]:
    """Return what chooses the same function on every target, for a kernel without weights."""
    return lambda kernel, target: Choice(function)


CHOICES: dict[type, Callable[[Any, str], Choice]] = {
    prog.AddKernel: _sum,
    prog.ExtremeKernel: _always("sqz_extreme_row"),
    prog.MulKernel: _always("sqz_mul_row"),
    prog.PReluKernel: _prelu,
    prog.TableKernel: _always("sqz_table_row"),
    prog.TransposeKernel: _always("sqz_transpose_row"),
    prog.ConvKernel: _convolution,
    prog.FullyConnectedKernel: connected.lay_out,
    prog.MeanKernel: _always("sqz_mean_row"),
    prog.PadKernel: _pad,
    prog.PoolKernel: _pool,
    prog.QuantizeKernel: _always("sqz_quantize_row"),
    prog.ReshapeKernel: _reshape,
    prog.BilinearKernel: _always("sqz_bilinear_row"),
    prog.NearestKernel: _always("sqz_nearest_row"),
    prog.ConstantKernel: _always("sqz_constant_row"),
    prog.SliceKernel: _always("sqz_slice_row"),
    prog.SoftmaxKernel: _softmax,
}


def _never(kernel: prog.Kernel, target: str, slot: bool) -> Choice | None:
    return None


COMPRESSED: dict[type, Callable[[Any, str, bool], Choice | None]] = {
    prog.AddKernel: _never,
    prog.ExtremeKernel: _never,
    prog.MulKernel: _never,
    prog.PReluKernel: _never,
    prog.TableKernel: _never,
    prog.TransposeKernel: _never,
    prog.ConvKernel: packed,
    prog.FullyConnectedKernel: _never,
    prog.MeanKernel: _never,
    prog.PadKernel: _never,
    prog.PoolKernel: _never,
    prog.QuantizeKernel: _never,
    prog.ReshapeKernel: _never,
    prog.BilinearKernel: _never,
    prog.NearestKernel: _never,
    prog.ConstantKernel: _never,
    prog.SliceKernel: _never,
    prog.SoftmaxKernel: _never,
}
