"""Every byte of the arena is used by one thing at a time, and few are lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters import compiler
from converters.compiler.front.read import read_graph
from converters.compiler.middle.legalise import legalise
from converters.compiler.middle.plan import Part, header_bytes, plan
from converters.compiler.middle.schedule import schedule
from tests.helpers.arena_simulation import Simulation
from tests.helpers.compiled_networks import benchmark, deep, program_of
from tests.helpers.int8_networks import Map, Net, squeezenet
from tests.helpers.random_networks import RandomNet, random_nets
from tools.bench_mcu.coarse import coarse


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_nets(), st.integers(0, 99))
def test_no_plan_reads_a_row_that_is_gone(net: RandomNet, scratch: int) -> None:
    timed = schedule(legalise(read_graph(net.model)))
    scratch_bytes = tuple(scratch + i for i in range(len(timed.program.operators)))
    planned = plan(timed, scratch_bytes)
    simulation = Simulation(planned, scratch_bytes)
    simulation.run()
    for found, expected in zip(simulation.fired_in, timed.fires_in, strict=True):
        assert np.array_equal(found, expected[: len(found)])
    assert planned.needed_bytes <= planned.arena_bytes
    _check_parts(planned.parts, planned.arena_bytes)


@pytest.mark.parametrize("budget", [0, 6_000, 9_000, 1 << 20])
@pytest.mark.parametrize("name", deep())
def test_no_plan_with_bands_reads_a_row_that_is_gone(name: str, budget: int) -> None:
    packing = compiler.Packing(optimize="flash", arena_budget=budget)
    found = compiler.analyse(coarse(deep()[name]), "cortex-m4", packing)
    scratch_bytes = tuple(choice.scratch_bytes for choice in found.choices)
    simulation = Simulation(found.plan, scratch_bytes)
    simulation.run()
    for fired, expected in zip(simulation.fired_in, found.schedule.fires_in, strict=True):
        assert np.array_equal(fired, expected[: len(fired)])
    _check_parts(found.plan.parts, found.plan.arena_bytes)
    least = compiler.analyse(coarse(deep()[name]), "cortex-m4", replace(packing, arena_budget=0))
    assert found.plan.arena_bytes <= max(budget, least.plan.arena_bytes)


def _check_parts(parts: tuple[Part, ...], arena_bytes: int) -> None:
    for i, part in enumerate(parts):
        assert part.offset % 8 == 0
        assert 0 <= part.offset <= arena_bytes - part.bytes
        for other in parts[:i]:
            apart = part.offset >= other.offset + other.bytes or other.offset >= part.offset + part.bytes
            assert apart or not part.meets(other), (part, other)


def test_the_simulation_sees_a_plan_that_is_wrong() -> None:
    timed = schedule(legalise(read_graph(squeezenet())))
    planned = plan(timed, (0,) * len(timed.program.operators))
    for i, life in enumerate(timed.lives):
        if life.ring_rows > 1 and i:
            lives = tuple(replace(each, ring_rows=each.ring_rows - (j == i)) for j, each in enumerate(timed.lives))
            with pytest.raises(AssertionError, match=r"is gone|was overwritten"):
                Simulation(replace(planned, schedule=replace(timed, lives=lives))).run()
    moved = tuple(0 if i == 2 else each for i, each in enumerate(planned.stream_offset))
    with pytest.raises(AssertionError, match=r"header was overwritten|is gone"):
        Simulation(replace(planned, stream_offset=moved)).run()


def test_a_pool_writes_over_the_row_that_it_reads() -> None:
    def build(n: Net) -> Map:
        return n.mean(n.conv(n.pool(n.conv(n.input(9, 9, 2), 8)), 3, (1, 1)))

    timed = schedule(program_of(build))
    planned = plan(timed, (0,) * len(timed.program.operators))
    assert planned.stream_offset[1] == planned.stream_offset[2]
    (shared,) = [part for part in planned.parts if part.streams == (1, 2)]
    assert (shared.bytes, shared.born, shared.dies) == (72, 0, 2)


def test_states_lie_together_and_are_aligned() -> None:
    timed = schedule(legalise(read_graph(squeezenet())))
    planned = plan(timed, (0,) * len(timed.program.operators))
    states = [part for part in planned.parts if part.kind == "state"]
    assert len(states) == 3
    assert planned.zero_from == states[0].offset >= header_bytes(len(timed.program.operators), len(timed.lives))
    assert sum(part.bytes for part in states) == planned.zero_bytes


@pytest.mark.parametrize(
    ("name", "arena_bytes", "flash_share"),
    [("a", 5_300, 1.08), ("b", 3_100, 1.04), ("c", 45_400, 1.02)],
)
def test_the_benchmarks_networks_stay_small(name: str, arena_bytes: int, flash_share: float) -> None:
    said = compiler.report(compiler.analyse(benchmark()[name]))
    assert said["arena"]["bytes"] <= arena_bytes
    assert said["arena"]["bytes"] <= said["arena"]["needed_bytes"] + 16, "nothing is lost between the parts"
    flash = said["flash"]
    assert flash["total"] <= flash_share * (flash["weights"] + flash["bias"])
