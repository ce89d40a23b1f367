"""Say which layers' weights lie compressed in flash: what must be, for a budget, at the least cost in instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converters.compiler.back.c.constants import constant_bytes
from converters.compiler.back.c.weight_layout import Choice, packed
from converters.compiler.faults import check
from converters.compiler.middle import program as prog

OPTIMIZE = ("speed", "ram", "flash")


@dataclass(frozen=True)
class Packing:
    """What to compress for.

    Attributes:
      flash_budget: the most bytes that the constants may take; None for no limit.
      optimize: what to spare once that is kept: speed, ram or flash.
    """

    flash_budget: int | None = None
    optimize: str = "speed"


DENSE = Packing()


def select(program: prog.Program, dense: Sequence[Choice], target: str, packing: Packing) -> tuple[Choice, ...]:
    """Return the choice for each operator.

    Args:
      program: what is to run.
      dense: the choices without compression.
      target: whose kernels run it.
      packing: what to compress for.

    Raises:
      ValueError: even with everything compressed the constants do not keep the budget.
    """
    chosen = list(dense)
    kernels = [operator.kernel for operator in program.operators]
    total = sum(map(constant_bytes, kernels, chosen))
    budget = 0 if packing.optimize == "flash" else packing.flash_budget
    if budget is None or total <= budget:
        return tuple(chosen)
    for saved, i, choice in _savings(program, dense, target):
        if total <= budget:
            break
        chosen[i], total = choice, total - saved
    limit = packing.flash_budget
    check(
        limit is None or total <= limit,
        f"the weights and tables take {total} bytes at the least; expected {limit} or fewer",
    )
    return tuple(chosen)


def _savings(program: prog.Program, dense: Sequence[Choice], target: str) -> list[tuple[int, int, Choice]]:
    """Return what compressing saves, the operator and its choice, the most bytes for an instruction first."""
    found = []
    for i, (operator, choice) in enumerate(zip(program.operators, dense, strict=True)):
        if not isinstance(operator.kernel, prog.ConvKernel):
            continue
        small = packed(operator.kernel, target)
        if small is None or small.packed is None:
            continue
        saved = constant_bytes(operator.kernel, choice) - constant_bytes(operator.kernel, small)
        if saved > 0:
            found.append((saved / (small.packed.instructions * operator.fires), saved, i, small))
    return [(saved, i, small) for _, saved, i, small in sorted(found, key=lambda each: (-each[0], each[2]))]
