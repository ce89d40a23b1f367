"""Arrange compressed weights in RAM: how many rows share one decoding, how many channels are decoded at a time.

More rows in a band are fewer decodings, and more rows kept; more channels in a block are fewer times that a pixel's
inputs are gathered, and more scratch. Both are taken as far as the arena may grow, what spares most first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from converters.compiler.back.c.weight_layout import Choice, with_memory
from converters.compiler.faults import Unsupported
from converters.compiler.middle import program as prog
from converters.compiler.middle.bands import MOST_BAND, Band, merged, stretch, with_bands
from converters.compiler.middle.plan import ALIGN, Plan, plan
from converters.compiler.middle.schedule import schedule

GROWTH = 1.4  # of the arena, where no budget is given
WORTH = 0.01  # of all instructions: what RAM is not spent for
GATHERED = 2.25  # instructions for an input of two pixels


@dataclass(frozen=True, eq=False)
class Arranged:
    """A program in bands, its choices in blocks, and what they take; instructions are estimated."""

    program: prog.Program
    choices: tuple[Choice, ...]
    arena_bytes: int
    instructions: float


def arrange(
    program: prog.Program, choices: Sequence[Choice], arena_budget: int | None, spare_ram: bool
) -> tuple[prog.Program, tuple[Choice, ...]]:
    """Return the program with bands and the choices with blocks.

    Args:
      program: what is to run.
      choices: how each operator is run.
      arena_budget: the most bytes of the arena; None for somewhat more than the least.
      spare_ram: whether no byte is to be spent on speed.
    """
    if spare_ram or not any(choice.packed for choice in choices):
        return program, tuple(choices)
    budget = int(GROWTH * planned(program, choices).arena_bytes) if arena_budget is None else arena_budget
    best = _in_bands(program, choices, budget)
    return best.program, best.choices


def planned(program: prog.Program, choices: Sequence[Choice]) -> Plan:
    """Return the memory plan of a program run so."""
    return plan(schedule(program), tuple(choice.scratch_bytes for choice in choices))


# Bands.


def _in_bands(program: prog.Program, choices: Sequence[Choice], budget: int) -> Arranged:
    """Return the arrangement with the bands that spare the most, one start after another."""
    starts: dict[int, int] = {}
    tried = {key: part for key in _starts(program, choices) if (part := stretch(program, *key))}
    best = _arranged(program, choices, {}, budget)
    while True:
        found, chosen = best, starts
        for start, band in tried:
            more = {**starts, start: band}
            each = _tried(program, choices, merged([tried[key] for key in more.items()]), budget)
            if each and each.arena_bytes <= budget and each.instructions < found.instructions:
                found, chosen = each, more
        if found.instructions > (1 - WORTH) * best.instructions:
            return best
        best, starts = found, chosen


def _tried(
    program: prog.Program, choices: Sequence[Choice], bands: Mapping[int, Band] | None, budget: int
) -> Arranged | None:
    try:
        return None if bands is None else _arranged(program, choices, bands, budget)
    except Unsupported:  # branches of a concatenation that no longer keep step
        return None


def _starts(program: prog.Program, choices: Sequence[Choice]) -> Iterator[tuple[int, int]]:
    """Yield streams whose rows wait anyway and are read by a kernel that decodes, with sizes of bands."""
    lives = schedule(program).lives
    pairs = zip(program.operators, choices, strict=True)
    for stream in sorted({operator.inputs[0] for operator, choice in pairs if choice.packed}):
        if not lives[stream].transient:
            yield from ((stream, band) for band in range(2, MOST_BAND + 1))


# Blocks.


def _arranged(program: prog.Program, choices: Sequence[Choice], bands: Mapping[int, Band], budget: int) -> Arranged:
    """Return the arrangement with these bands and the blocks that fill what is left of the arena at each operator."""
    banded = with_bands(program, bands, {i for i, choice in enumerate(choices) if choice.packed})
    timed = schedule(banded)
    made = plan(timed, tuple(choice.scratch_bytes for choice in choices))
    for part in (1.0, 0.8, 0.6, 0.3):  # gaps between what is placed may leave less
        rooms = [int(part * (budget - alive(made, i))) for i in range(len(choices))]
        wide = tuple(map(_widened, banded.operators, choices, rooms))
        arena = plan(timed, tuple(choice.scratch_bytes for choice in wide)).arena_bytes
        if arena <= budget:
            return Arranged(banded, wide, arena, sum(map(_instructions, banded.operators, wide)))
    return Arranged(banded, tuple(choices), made.arena_bytes, sum(map(_instructions, banded.operators, choices)))


def alive(made: Plan, now: int) -> int:
    """Return the bytes in use while an operator runs."""
    return sum(part.bytes for part in made.parts if part.born <= now <= part.dies) + ALIGN


def _widened(operator: prog.Operator, choice: Choice, room: int) -> Choice:
    """Return the choice that takes least memory of those nearly as fast as the fastest with `room` bytes more."""
    section = choice.packed
    if section is None:
        return choice
    used, once = section.memory_bytes(choice.block, choice.group_bits), _gathering(operator)
    options = []
    for bits, decoding in section.lookups.items():
        for blocks in _numbers_of_blocks(section.groups):
            block = -(-section.groups // blocks) * section.group_channels
            memory = section.memory_bytes(block, bits)
            if memory - used <= room:
                options.append((memory, operator.bands * decoding + blocks * once, block, bits))
    if not options:
        return choice
    fast = (1 + WORTH) * min(instructions for _, instructions, _, _ in options)
    _, _, block, bits = min(option for option in options if option[1] <= fast)
    return with_memory(choice, block, bits)


def _numbers_of_blocks(groups: int) -> list[int]:
    """Return in how many blocks groups can be decoded: few numbers, ever further apart."""
    return sorted({-(-groups // size) for size in (groups, *range(1, 17), *range(20, 65, 4), *range(72, 257, 8))})


def _instructions(operator: prog.Operator, choice: Choice) -> float:
    """Return what decoding takes in one inference, and gathering inputs once for each block."""
    if choice.packed is None:
        return 0
    return operator.bands * choice.decoding + -(-operator.kernel.out_channels // choice.block) * _gathering(operator)


def _gathering(operator: prog.Operator) -> float:
    conv = operator.kernel
    assert isinstance(conv, prog.ConvKernel)
    return GATHERED * operator.fires * -(-conv.out_width // 2) * conv.rows.shape[1]
