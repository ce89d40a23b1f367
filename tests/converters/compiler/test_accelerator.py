"""The accelerator gives every row of every layer as TFLite's reference kernels do, in the cycles that were foretold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.compiler.accelerator import design_accelerator
from converters.compiler.back.fpga.cycles import ACTIVITIES, ROW, WRITES, cycles
from converters.compiler.back.fpga.hardware.requantize import Requantizer
from converters.compiler.back.fpga.jobs import IDLE, Design
from converters.compiler.middle import arithmetic
from tests.helpers.accelerators import first_difference, powers, random_powers, simulated
from tests.helpers.int8_networks import Net, pixels, squeezenet


def inputs(of: Design, count: int) -> np.ndarray:
    source = of.program.streams[0]
    return pixels((source.height, source.width, source.channels), 4)[:count]


@pytest.mark.parametrize(("multipliers", "stalls"), [(16, 0), (32, 90)])
def test_every_row_equals_the_reference_kernels(multipliers: int, stalls: int) -> None:
    model = powers()
    of = design_accelerator(model, multipliers)
    given_pictures = inputs(of, 2)
    found = simulated(of, given_pictures, stalls)
    assert first_difference(model, of, given_pictures, found) is None
    assert {each.operator for each in of.jobs} >= set(range(len(of.layers)))


def test_rows_that_nothing_reads_are_taken_before_the_next_picture() -> None:
    net = Net(0)
    x = net.conv(net.input(6, 5, 2, scale=1.0, zero_point=0), 7, (1, 1), (2, 2), power_of_two=True)
    model = net.bytes(net.mean(x))
    of = design_accelerator(model, 16)
    assert of.jobs[-1].operator == IDLE
    given_pictures = inputs(of, 3)
    assert first_difference(model, of, given_pictures, simulated(of, given_pictures)) is None


def test_the_sums_are_those_of_the_last_rows() -> None:
    of = design_accelerator(powers(), 16)
    found = simulated(of, inputs(of, 2))
    last = len(of.layers) - 1
    jobs = [job for job in of.jobs if job.operator >= 0]
    for sums, rows in zip(found.sums, found.rows, strict=True):
        added = sum(
            row.astype(np.int64).sum(axis=0) for job, row in zip(jobs, rows, strict=True) if job.operator == last
        )
        assert sums.tolist() == added.tolist()


def test_a_wrong_weight_is_found() -> None:
    model = powers()
    of = design_accelerator(model, 16)
    of.weights[of.weights > 100] -= 8
    given_pictures = inputs(of, 1)
    assert first_difference(model, of, given_pictures, simulated(of, given_pictures))


def test_cycles_are_foretold() -> None:
    of = design_accelerator(powers(), 32)
    foretold, found = cycles(of).activity, simulated(of, inputs(of, 2)).activity
    exact = [i for i in range(len(ACTIVITIES)) if i not in (ROW, WRITES)]  # pixels wait for whoever else writes
    assert found[:, exact].tolist() == foretold[:, exact].tolist()
    waited, expected = (each[:, [ROW, WRITES]].sum() for each in (found, foretold))
    assert expected <= waited <= 1.2 * expected


def test_requantizing_rounds_as_tflite_does() -> None:
    bits = 24
    rng = np.random.default_rng(0)
    ends = [-(1 << 22), (1 << 22) - 1, -1, 0, 1, -2, 2, -3, 3]
    sums = np.array([*ends, *rng.integers(-(1 << 22), 1 << 22, 60), *(rng.integers(-9, 9, 30) * 2**9 + 2**8)])
    shift = np.array([*range(33), *rng.integers(0, 16, len(sums) - 33)])
    wanted = arithmetic.rescaled(sums, np.full(len(sums), 1 << 30), 1 - shift)
    vanishing = shift > 31  # TFLite's multiplier is 0 then
    wanted = np.clip(np.where(vanishing, 0, wanted) + 3, -120, 110)
    assert _requantized(bits, sums, shift).tolist() == wanted.tolist()


def _requantized(bits: int, sums: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    unit = Requantizer(bits)
    found = []

    async def run(context) -> None:
        context.set(unit.zero, 3)
        context.set(unit.low, -120)
        context.set(unit.high, 110)
        for value, shift in zip(sums.tolist(), shifts.tolist(), strict=True):
            context.set(unit.sum, value - 5)
            context.set(unit.bias, 5)
            context.set(unit.shift, shift)
            await context.tick().repeat(3)
            found.append(context.get(unit.byte))

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return np.array(found)


SETTLED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


def check_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_powers(rng)
    of = design_accelerator(model, int(rng.choice([16, 32, 48])))
    given_pictures = inputs(of, 2)
    found = simulated(of, given_pictures, int(rng.choice([0, 80])))
    assert first_difference(model, of, given_pictures, found) is None


@settings(max_examples=4, **SETTLED)
@given(st.integers(0, 1 << 30))
def test_random_networks_are_equal(seed: int) -> None:
    check_random(seed)


@pytest.mark.slow
@settings(max_examples=60, **SETTLED)
@given(st.integers(0, 1 << 30))
def test_many_random_networks_are_equal(seed: int) -> None:
    check_random(seed)


def test_free_scales_are_refused() -> None:
    with pytest.raises(ValueError, match=r"layer conv\w* \(CONV_2D\): its scales are not powers of two; expected"):
        design_accelerator(squeezenet(), 32)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda net, x: net.mean(net.elementwise("TANH", x, 1, 0)), r"\(TANH\): the accelerator does not have this"),
        (lambda net, x: net.mean(net.pool(x, average=True)), r"\(AVERAGE_POOL_2D\): averages are not taken"),
        (lambda net, x: x, r"makes the scores; expected a MEAN over height and width"),
        (lambda net, x: net.softmax(x), r"makes the scores; expected a MEAN"),
        (
            lambda net, x: net.mean(net.conv(x, 3, dilation=(2, 2), power_of_two=True)),
            r"its dilation is 2, 2; expected",
        ),
        (
            lambda net, x: net.mean(net.conv(x, 2, depthwise=True, power_of_two=True)),
            r"expected a depth multiplier of 1",
        ),
        (
            lambda net, x: net.mean(net.conv(x, 2, power_of_two=True, out=(x.scale * 2.0**-10, 0))),
            r"times finer than its products",
        ),
        (lambda net, x: net.mean(net.add(x, x, scale=0.3)), r"\(ADD\): its scales are not powers of two"),
        (
            lambda net, x: net.mean(net.conv(net.mean(x, keep_dims=True, scale=x.scale), 2, (1, 1), power_of_two=True)),
            r"takes a MEAN at the end alone; expected no layer after it",
        ),
    ],
)
def test_what_the_accelerator_lacks_is_refused_by_name(build, said: str) -> None:
    net = Net(0)
    x = net.conv(net.input(8, 8, 3, scale=1.0, zero_point=0), 4, power_of_two=True)
    with pytest.raises(ValueError, match=said):
        design_accelerator(net.bytes(build(net, x)), 32)


def test_multipliers_come_by_sixteen() -> None:
    with pytest.raises(ValueError, match="20 multipliers; expected 16, 32"):
        design_accelerator(powers(), 20)
