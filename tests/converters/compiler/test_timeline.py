"""The timeline stays within the plan it tells of, and whole maps are what TFLite-Micro measures."""

from __future__ import annotations

import pytest

from converters.compiler.compilation import Compilation, analyse
from converters.compiler.middle import timeline
from converters.tflite.writer import for_microcontroller
from sqz_tf.inference import interpreters
from tests.helpers import keras_models as tiny
from tests.helpers.needs import require


@pytest.fixture(scope="module")
def compiled() -> Compilation:
    return analyse(tiny.int8_model())


def test_each_step_stays_within_the_arena_and_the_worst_comes_near(compiled: Compilation) -> None:
    found, plan = timeline.timeline(compiled.plan), compiled.plan
    assert len(found.kept) == len(found.working) == plan.schedule.steps
    assert found.peak <= plan.needed_bytes <= plan.arena_bytes
    assert found.peak > 0.7 * plan.needed_bytes
    parts = sum(part.bytes for part in plan.parts if part.kind in ("header", "state"))
    assert min(found.kept) >= parts


def test_a_step_works_on_what_fires_in_it(compiled: Compilation) -> None:
    found, schedule = timeline.timeline(compiled.plan), compiled.plan.schedule
    busy = {int(step) for steps in schedule.fires_in for step in steps}
    input_row = schedule.program.streams[0].row_bytes
    for step in {*range(schedule.steps)} - busy:
        assert found.working[step] <= input_row + 8, "the input row alone, where it is not kept"
    assert 0 < max(found.working) <= sum(part.bytes for part in compiled.plan.parts if part.kind in ("row", "scratch"))


def test_rings_fill_row_by_row(compiled: Compilation) -> None:
    """The first convolution has three rows, so the first step cannot hold what later ones do."""
    found = timeline.timeline(compiled.plan)
    assert found.kept[0] < found.kept[len(found.kept) // 2]


def test_whole_maps_are_what_tflite_micro_plans(compiled: Compilation) -> None:
    reason = interpreters.why_not("tflm")
    require(not reason, reason or "")
    layers = timeline.whole_maps(compiled.graph)
    assert len(layers) == len(compiled.graph.layers)
    most = max(size for _, size in layers)
    planned = interpreters.arena_bytes(for_microcontroller(tiny.int8_model())).head
    assert most <= planned < 1.15 * most + 512, "its planner adds alignment and scratch"
