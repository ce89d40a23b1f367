"""What a network may take on a core, and whether a measurement keeps to it.

`peers.json` has the figures: a `limit` that is missed ends a bench with code 1, and tests hold most of them; what was
`asked` for beyond them may be missed, and is then said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tools.bench_mcu.measurement import KB, PEERS, Measurement

SHARE = "instructions, of TFLM + CMSIS-NN's"
CYCLES = "modelled cycles, of TFLM + CMSIS-NN's at least"


@dataclass(frozen=True)
class Verdict:
    """A figure of a network on a core beside the most that it may be."""

    place: str
    what: str
    value: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether the figure is within its limit."""
        return self.value <= self.limit

    def __str__(self) -> str:
        told, sign = ("met", "≤") if self.kept else ("missed", ">")
        return f"{told}: {self.place}: {self.what} {_number(self.value)} {sign} {_number(self.limit)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3f}"


def verdicts(row: Measurement) -> list[Verdict]:
    """Return a measurement's verdicts on its limits."""
    place = f"{row.graph} on {row.core}"
    return [Verdict(place, *each) for each in _limits(row)]


def _limits(row: Measurement) -> Iterator[tuple[str, float, float]]:
    """Yield what was measured, its value, and its limit."""
    limits, network = PEERS["limits"], row.graph
    yield "outputs that are not TFLite's", 0 if row.equal else 1, 0
    yield from _shares(row, limits)
    if row.core in limits["instructions"].get(network, {}):
        yield "instructions", row.instructions, limits["instructions"][network][row.core]
    if row.arena_share is not None:
        yield "arena + stack, of TFLM's arena", row.arena_share, limits["arena_share"][network]
    if network in limits["ram_kb"]:
        yield "code KB", row.code_bytes / KB, limits["code_kb"]
        yield "RAM KB", row.ram_bytes / KB, limits["ram_kb"][network]
    if network in limits["model"]:
        yield "weights + tables, of weights", row.model_ratio, limits["model"][network]


def asked(row: Measurement) -> list[Verdict]:
    """Return a measurement's verdicts on what was asked for beyond the limits."""
    return [Verdict(f"{row.graph} on {row.core}, asked", *each) for each in _shares(row, PEERS["asked"])]


def _shares(row: Measurement, limits: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yield what is compared with the peer's, its value, and its limit, where there is one."""
    shares = [(SHARE, row.instruction_ratio, "share"), (CYCLES, row.cycle_ratio, "cycle_share")]
    for what, value, kind in shares:
        limit = limits[kind].get(row.graph, {}).get(row.core)
        if value is not None and limit is not None:
            yield what, value, limit


def missed(row: Measurement) -> list[str]:
    """Return the limits that a measurement misses, as text."""
    return [str(verdict) for verdict in verdicts(row) if not verdict.kept]


def judged(rows: Iterable[Measurement]) -> tuple[str, bool]:
    """Return a line for each limit and each figure that was asked for, and whether all limits are kept."""
    held, wished = [], []
    for row in rows:
        held += verdicts(row)
        wished += asked(row)
    return "\n".join(map(str, [*held, *wished])), all(verdict.kept for verdict in held)
