"""Say which layers' weights lie compressed in flash: what must be, for a budget, at the least cost in instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from converters.compiler.back.c.constants import constant_bytes
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.faults import check
from converters.compiler.middle import program as prog

OPTIMIZE = ("speed", "ram", "flash")


@dataclass(frozen=True)
class Packing:
    """What to compress for.

    Attributes:
      flash_budget: the most bytes that the constants may take; None for no limit.
      optimize: what to spare once that is kept: speed, ram or flash.
      arena_budget: the most bytes that bands and blocks may take the arena to; None for 1.4 times those without.
      slot: whether weights and all numbers lie in a slot, for a program that runs any network of these shapes; then
        no choice depends on weights.
      classes: that such a program has room for; 0 for as many as the network has.
    """

    flash_budget: int | None = None
    optimize: str = "speed"
    arena_budget: int | None = None
    slot: bool = False
    classes: int = 0


DENSE = Packing()


def select(
    program: prog.Program, dense: Sequence[Choice], compressed: Callable[[int], Choice | None], packing: Packing
) -> tuple[Choice, ...]:
    """Return the choice for each operator.

    Args:
      program: what is to run.
      dense: the choices without compression.
      compressed: returns the choice with compression for an operator's number, or None.
      packing: what to compress for.

    Raises:
      ValueError: even with everything compressed the constants do not keep the budget.
    """
    chosen = list(dense)
    total = sum(constant_bytes(each.kernel, choice) for each, choice in zip(program.operators, dense, strict=True))
    limit = packing.flash_budget
    wanted = 0 if packing.optimize == "flash" else limit
    if wanted is None or total <= wanted:
        return tuple(chosen)
    for saved, i, choice in _savings(program, dense, compressed):
        if total <= wanted:
            break
        chosen[i], total = choice, total - saved
    least = f"the weights and tables take {total} bytes at the least"
    check(limit is None or total <= limit, f"{least}; expected {limit} or fewer")
    return tuple(chosen)


def _savings(
    program: prog.Program, dense: Sequence[Choice], compressed: Callable[[int], Choice | None]
) -> list[tuple[int, int, Choice]]:
    """Return what compressing saves, the operator and its choice, the most bytes for an instruction first."""
    found = []
    for i, (operator, choice) in enumerate(zip(program.operators, dense, strict=True)):
        small = compressed(i)
        if small is not None and small.packed is not None:
            saved = constant_bytes(operator.kernel, choice) - constant_bytes(operator.kernel, small)
            found.append((saved / (small.decoding * operator.fires), saved, i, small))
    found.sort(key=lambda each: (-each[0], each[2]))
    return [(saved, i, small) for _, saved, i, small in found if saved > 0]
