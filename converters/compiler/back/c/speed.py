"""Choose layers that run faster for more RAM: those that make two rows at once with fewer products.

All layers that gain instructions are taken. Until the arena keeps its budget, one after another is left out or
transforms fewer inputs at once: what loses the fewest instructions for a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from converters.compiler.back.c import sparse, winograd
from converters.compiler.back.c.arrangement import alive, planned
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.faults import Unsupported
from converters.compiler.middle import program as prog
from converters.compiler.middle.bands import forward, with_bands

TARGETS = ("cortex-m4",)  # whose processors gain by it
GROWTH, MOST_GROWTH = 1.9, 46 << 10  # of the arena, where no budget is given: so many times, and bytes
WORTH = 0.003  # of a network's multiplications, in instructions: what RAM is not spent for


def _never(kernel: prog.Kernel) -> Choice | None:
    return None


FASTER: dict[type, Callable[[Any], Choice | None]] = {
    **dict.fromkeys(get_args(prog.Kernel), _never),
    prog.ConvKernel: winograd.lay_out,
}


class Faster(NamedTuple):
    """The instructions that a layer is spared in one inference, and how."""

    gain: float
    choice: Choice


Layers = Mapping[int, Faster]  # by their operators


class Sped(NamedTuple):
    """A program in bands, its choices, and the bytes beyond the budget, of all operators together."""

    program: prog.Program
    choices: tuple[Choice, ...]
    excess: int


class _Step(NamedTuple):
    taken: Layers
    sped: Sped | None


def speed_up(
    program: prog.Program, choices: Sequence[Choice], target: str, arena_budget: int | None, whole_map_bytes: int
) -> tuple[prog.Program, tuple[Choice, ...]]:
    """Return the program and choices with the layers run by Winograd's method that gain by it.

    Args:
      program: what is to run, without bands.
      choices: how each operator is run.
      target: whose kernels.
      arena_budget: the most bytes of the arena; None for somewhat more than it is.
      whole_map_bytes: what running map by map takes; without a budget at most half of that is used.
    """
    every = _faster(program, choices) if target in TARGETS else {}
    if not every:
        return program, tuple(choices)
    before = planned(program, choices).arena_bytes
    budget = max(before, _allowed(before, whole_map_bytes)) if arena_budget is None else arena_budget
    taken: Layers = every
    found = _with(program, choices, taken, budget)
    while taken and (found is None or found.excess):
        tried = [_Step(change, _with(program, choices, change, budget)) for change in _less(program, taken)]
        step = min(tried, key=lambda each: _loss(taken, found, each))
        taken, found = step.taken, step.sped
    taken = _filled_up(program, choices, every, taken, budget)
    found = _with(program, choices, taken, budget)
    return (found.program, found.choices) if taken and found else (program, tuple(choices))


def _allowed(before: int, whole_map_bytes: int) -> int:
    return min(int(GROWTH * before), before + MOST_GROWTH, whole_map_bytes // 2)


def _filled_up(program: prog.Program, choices: Sequence[Choice], every: Layers, taken: Layers, budget: int) -> Layers:
    """Return layers with those added, or made faster, for which there is room after all, what gains most first."""
    for i in sorted(every, key=lambda i: -every[i].gain):
        for each in _sizes(program.operators[i], every[i]):
            if each.gain <= (taken[i].gain if i in taken else 0):
                break
            found = _with(program, choices, {**taken, i: each}, budget)
            if found and not found.excess:
                taken = {**taken, i: each}
    return taken


def _sizes(operator: prog.Operator, full: Faster) -> Iterator[Faster]:
    """Yield a layer with all, half, a quarter … of its tiles at once."""
    tiles = full.choice.tiles
    while tiles >= 2:
        yield _layer(operator, full.choice, tiles)
        tiles = tiles // 4 * 2


def _less(program: prog.Program, taken: Layers) -> Iterator[Layers]:
    """Yield what takes less RAM: one layer not taken, or with half as many tiles at once."""
    for i, each in taken.items():
        yield {j: other for j, other in taken.items() if j != i}
        if each.choice.tiles > 2:
            yield {**taken, i: _layer(program.operators[i], each.choice, each.choice.tiles // 4 * 2)}


def _loss(taken: Layers, before: Sped | None, step: _Step) -> float:
    """Return the instructions lost for a byte less beyond the budget."""
    lost = sum(each.gain for each in taken.values()) - sum(each.gain for each in step.taken.values())
    if before is None or step.sped is None:
        return lost
    return lost / max(before.excess - step.sped.excess, 1e-3)


def _faster(program: prog.Program, choices: Sequence[Choice]) -> Layers:
    """Return the layers that gain."""
    least = WORTH * sum(operator.macs for operator in program.operators)
    found = {}
    for i, operator in enumerate(program.operators):
        choice = FASTER[type(operator.kernel)](operator.kernel)
        if choice and not choices[i].packed:
            found[i] = _layer(operator, choice, choice.tiles)
    return {i: each for i, each in found.items() if each.gain > max(least, _spared(program.operators[i], choices[i]))}


def _spared(operator: prog.Operator, choice: Choice) -> float:
    """Return the instructions that a layer's present choice spares already, by leaving out zeros."""
    if not choice.sparse:
        return 0
    assert isinstance(operator.kernel, prog.ConvKernel)
    return operator.fires * sparse.spared(operator.kernel)


def _layer(operator: prog.Operator, choice: Choice, tiles: int) -> Faster:
    assert isinstance(operator.kernel, prog.ConvKernel)
    return Faster(winograd.gain(operator, tiles), winograd.with_tiles(choice, operator.kernel, tiles))


def _with(program: prog.Program, choices: Sequence[Choice], taken: Layers, budget: int) -> Sped | None:
    """Return a program with these layers; None if it cannot be timed so."""
    starts = {program.operators[i].inputs[0]: each.choice.rows for i, each in taken.items()}
    banded = with_bands(program, forward(program, starts), taken)
    chosen = tuple(taken[i].choice if i in taken else choice for i, choice in enumerate(choices))
    try:
        made = planned(banded, chosen)
    except Unsupported:  # branches of a concatenation that no longer keep step
        return None
    used = [made.arena_bytes, *(alive(made, i) for i in range(len(choices)))]
    return Sped(banded, chosen, sum(max(0, bytes_ - budget) for bytes_ in used))
