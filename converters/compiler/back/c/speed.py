"""Choose layers that run faster for more RAM: those that make two rows at once with fewer products.

Of the layers that gain instructions, those are left out that gain the least for a byte until the arena keeps its budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from converters.compiler.back.c import winograd
from converters.compiler.back.c.arrangement import planned
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.faults import Unsupported
from converters.compiler.middle import program as prog
from converters.compiler.middle.bands import forward, with_bands

TARGETS = ("cortex-m4",)  # whose processors gain by it
GROWTH, MOST_GROWTH = 1.9, 44 << 10  # of the arena, where no budget is given: so many times, and bytes
WORTH = 0.003  # of a network's multiplications, in instructions: what RAM is not spent for


class Faster(NamedTuple):
    """The instructions that a layer is spared in one inference, and how."""

    gain: float
    choice: Choice


class Sped(NamedTuple):
    """A program in bands, its choices, and the arena that it takes."""

    program: prog.Program
    choices: tuple[Choice, ...]
    arena_bytes: int


def speed_up(
    program: prog.Program, choices: Sequence[Choice], target: str, arena_budget: int | None
) -> tuple[prog.Program, tuple[Choice, ...]]:
    """Return the program and choices with the layers run by Winograd's method that gain by it.

    Args:
      program: what is to run, without bands.
      choices: how each operator is run.
      target: whose kernels.
      arena_budget: the most bytes of the arena; None for somewhat more than it is.
    """
    before = planned(program, choices).arena_bytes
    budget = min(int(GROWTH * before), before + MOST_GROWTH) if arena_budget is None else arena_budget
    taken = _faster(program, choices) if target in TARGETS else {}
    found = _with(program, choices, taken)
    while taken and (found is None or found.arena_bytes > budget):
        without = {i: _with(program, choices, {j: taken[j] for j in taken if j != i}) for i in taken}
        least = min(taken, key=lambda i: _loss(taken[i], found, without[i]))
        found = without[least]
        del taken[least]
    return (found.program, found.choices) if taken and found else (program, tuple(choices))


def _loss(taken: Faster, before: Sped | None, after: Sped | None) -> float:
    """Return the instructions lost for a byte saved by not taking a layer."""
    if before is None or after is None:
        return taken.gain
    return taken.gain / max(before.arena_bytes - after.arena_bytes, 1)


def _faster(program: prog.Program, choices: Sequence[Choice]) -> dict[int, Faster]:
    """Return the layers that gain."""
    least = WORTH * sum(operator.macs for operator in program.operators)
    found = {}
    for i, operator in enumerate(program.operators):
        if isinstance(operator.kernel, prog.ConvKernel) and not choices[i].packed:
            choice, gain = winograd.lay_out(operator.kernel), winograd.gain(operator)
            if choice and gain > least:
                found[i] = Faster(gain, choice)
    return found


def _with(program: prog.Program, choices: Sequence[Choice], taken: Mapping[int, Faster]) -> Sped | None:
    """Return a program with these layers; None if it cannot be timed so."""
    starts = {program.operators[i].inputs[0]: each.choice.rows for i, each in taken.items()}
    banded = with_bands(program, forward(program, starts), taken)
    chosen = tuple(taken[i].choice if i in taken else choice for i, choice in enumerate(choices))
    try:
        return Sped(banded, chosen, planned(banded, chosen).arena_bytes)
    except Unsupported:  # branches of a concatenation that no longer keep step
        return None
