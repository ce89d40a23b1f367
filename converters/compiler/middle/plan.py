"""Give every stream, state and scratch its place in the one arena.

The engine's header comes first, then what operators keep from row to row (cleared together at the start), then rows
and scratch: best fit, the largest first, where things may share bytes that are never alive at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from converters.compiler.faults import check
from converters.compiler.limits import LARGEST_ARENA
from converters.compiler.middle import program as prog
from converters.compiler.middle.costs import may_overwrite, state_bytes
from converters.compiler.middle.schedule import Schedule

ARENA_ALIGN = 16  # SQZ_ARENA_ALIGN
ALIGN = 8  # of every part: kernels read words, and int32 and int16 from states and scratch


@dataclass(frozen=True)
class Part:
    """A part of the arena; alive from operator `born` to operator `dies` of each step, both included.

    `kind` is header, state, ring, row (transient), or scratch; `streams` and `operators` say whose it is.
    """

    name: str
    kind: str
    bytes: int
    born: int
    dies: int
    streams: tuple[int, ...] = ()
    operators: tuple[int, ...] = ()
    offset: int = 0

    def meets(self, other: Part) -> bool:
        """Whether both are ever alive at the same time."""
        return self.born <= other.dies and other.born <= self.dies


@dataclass(frozen=True, eq=False)
class Plan:
    """Where everything lies. Offsets of streams, states and scratch are by number; 0 where there is none."""

    schedule: Schedule
    parts: tuple[Part, ...]
    stream_offset: tuple[int, ...]
    state_offset: tuple[int, ...]
    scratch_offset: tuple[int, ...]
    zero_from: int
    zero_bytes: int
    arena_bytes: int
    needed_bytes: int  # what is alive at the worst moment: no plan can be smaller


def header_bytes(operators: int, streams: int) -> int:
    """Return SQZ_HEADER_BYTES: a mark, two uint16 for each operator and one for each stream."""
    return 4 + 2 * (2 * operators + streams)


def plan(schedule: Schedule, scratch_bytes: tuple[int, ...]) -> Plan:
    """Return the memory plan of a schedule.

    Args:
      schedule: of the program.
      scratch_bytes: what each operator's kernel needs to work in.

    Raises:
      ValueError: the arena would be larger than 2 GiB.
    """
    program = schedule.program
    fixed = _fixed_parts(program)
    start = fixed[-1].offset + fixed[-1].bytes
    scratch = _scratch_parts(program, scratch_bytes)
    loose = [[*_stream_parts(schedule, in_place), *scratch] for in_place in (True, False)]
    placed = min((_placed(order, start) for parts in loose for order in _orders(parts)), key=_end)
    parts = (*fixed, *sorted(placed, key=lambda part: (part.offset, part.born, part.name)))
    arena = _up(max(_end(parts), start), ARENA_ALIGN)
    check(arena < LARGEST_ARENA, f"the arena would take {arena} bytes; expected less than 2 GiB")
    states = [part for part in fixed if part.kind == "state"]
    zero_from = states[0].offset if states else 0
    return Plan(
        schedule,
        parts,
        _offsets(parts, len(program.streams), lambda part: part.streams),
        _offsets(states, len(program.operators), lambda part: part.operators),
        _offsets([p for p in parts if p.kind == "scratch"], len(program.operators), lambda part: part.operators),
        zero_from,
        start - zero_from if states else 0,
        arena,
        start + min(map(_needed, loose)),
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _fixed_parts(program: prog.Program) -> list[Part]:
    always = (-1, len(program.operators))
    size = header_bytes(len(program.operators), len(program.streams))
    parts = [Part("header", "header", _up(size, ALIGN), *always)]
    for i, operator in enumerate(program.operators):
        if size := state_bytes(operator.kernel):
            end = parts[-1].offset + parts[-1].bytes
            parts.append(Part(operator.name, "state", _up(size, ALIGN), *always, operators=(i,), offset=end))
    return parts


def _stream_parts(schedule: Schedule, in_place: bool) -> list[Part]:
    parts = {i: _stream_part(schedule, i) for i in range(len(schedule.lives))}
    for source, target in in_place_pairs(schedule) if in_place else []:
        into, row = parts[source], parts[target]
        streams = (*into.streams, *row.streams)
        merged = replace(into, bytes=max(into.bytes, row.bytes), dies=row.dies, streams=streams)
        parts |= dict.fromkeys(streams, merged)
    return list({part.streams: part for part in parts.values()}.values())


def _stream_part(schedule: Schedule, i: int) -> Part:
    stream, life = schedule.program.streams[i], schedule.lives[i]
    alive = (life.born, life.dies) if life.transient else (-1, len(schedule.program.operators))
    kind = "row" if life.transient else "ring"
    return Part(stream.name, kind, _up(life.ring_rows * stream.row_bytes, ALIGN), *alive, streams=(i,))


def in_place_pairs(schedule: Schedule) -> list[tuple[int, int]]:
    """Return the streams (input, output) of operators that may write their row over one they read."""
    pairs = []
    for i, operator in enumerate(schedule.program.operators):
        sources = (each for each in operator.inputs if _is_in_place(schedule, i, operator, each))
        pairs += [(source, operator.output) for source in list(sources)[:1]]
    return pairs


def _is_in_place(schedule: Schedule, i: int, operator: prog.Operator, read: int) -> bool:
    source, target = schedule.lives[read], schedule.lives[operator.output]
    whole_rows = operator.kernel.out_channels == schedule.program.streams[operator.output].channels
    both_transient = source.transient and target.transient and source.dies == i
    streams = schedule.program.streams
    if streams[read].row_bytes < streams[operator.output].row_bytes:  # one pixel that meets all: read to the row's end
        return False
    return both_transient and whole_rows and operator.band == 1 and may_overwrite(operator.kernel)


def _scratch_parts(program: prog.Program, scratch_bytes: tuple[int, ...]) -> list[Part]:
    return [
        Part(operator.name, "scratch", _up(size, ALIGN), i, i, operators=(i,))
        for i, (operator, size) in enumerate(zip(program.operators, scratch_bytes, strict=True))
        if size
    ]


def _orders(parts: list[Part]) -> list[list[Part]]:
    """Return the orders in which to try placing: the best of a few rules is taken, always in the same way."""
    rules = (
        lambda part: (-part.bytes, part.born),
        lambda part: (part.born - part.dies, -part.bytes),
        lambda part: (-part.bytes * (part.dies - part.born + 1), part.born),
        lambda part: (part.born, -part.bytes),
    )
    return [sorted(parts, key=rule) for rule in rules]


def _placed(order: list[Part], start: int) -> list[Part]:
    """Place parts one after another, each in the smallest gap it fits in."""
    placed: list[Part] = []
    for part in order:
        placed.append(replace(part, offset=_best_gap(part, placed, start)))
    return placed


def _best_gap(part: Part, placed: list[Part], start: int) -> int:
    best, best_gap, end = None, None, start
    for other in sorted((other for other in placed if other.meets(part)), key=lambda other: other.offset):
        gap = other.offset - end
        if gap >= part.bytes and (best_gap is None or gap < best_gap):
            best, best_gap = end, gap
        end = max(end, other.offset + other.bytes)
    return end if best is None else best


def _end(parts: list[Part] | tuple[Part, ...]) -> int:
    return max((part.offset + part.bytes for part in parts), default=0)


def _needed(parts: list[Part]) -> int:
    moments = range(-1, 1 + max((part.dies for part in parts), default=-1))
    return max(sum(part.bytes for part in parts if part.born <= now <= part.dies) for now in moments)


def _offsets(parts: Iterable[Part], count: int, owners: Callable[[Part], tuple[int, ...]]) -> tuple[int, ...]:
    result = [0] * count
    for part in parts:
        for owner in owners(part):
            result[owner] = part.offset
    return tuple(result)
