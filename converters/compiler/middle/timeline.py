"""How much RAM a compiled model holds from step to step, and what an interpreter would hold that keeps whole maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.middle.plan import Part, Plan


@dataclass(frozen=True)
class Timeline:
    """Bytes in use in each step; a step takes one input row, or none after the last.

    Attributes:
      kept: the engine's header, sums and maxima, and the rows that wait in rings for later steps.
      working: the most that rows made and read within the step, and scratch, take at once.
    """

    kept: tuple[int, ...]
    working: tuple[int, ...]

    @property
    def peak(self) -> int:
        """The most bytes in use in any step."""
        return max(kept + working for kept, working in zip(self.kept, self.working, strict=True))


def timeline(plan: Plan) -> Timeline:
    """Return what a plan's arena holds from step to step."""
    steps = range(plan.schedule.steps)
    fixed = sum(part.bytes for part in plan.parts if part.kind in ("header", "state"))
    waiting = fixed + sum(
        (_waiting(plan, part) for part in plan.parts if part.kind == "ring"), np.zeros(len(steps), int)
    )
    return Timeline(tuple(waiting.tolist()), tuple(_working(plan).tolist()))


def _waiting(plan: Plan, ring: Part) -> np.ndarray:
    """Return the bytes of a ring's rows that are there at some time of each step: int64 [steps]."""
    (stream,) = ring.streams
    life, steps = plan.schedule.lives[stream], np.arange(plan.schedule.steps)
    born = np.searchsorted(np.sort(life.born_step), steps, side="right")
    gone = np.searchsorted(np.sort(life.read_step), steps, side="left")
    return np.minimum(born - gone, life.ring_rows) * plan.schedule.program.streams[stream].row_bytes


def _working(plan: Plan) -> np.ndarray:
    """Return the most bytes of transient rows and scratch at any operator of each step: int64 [steps]."""
    steps = plan.schedule.steps
    fired = [_marked(steps, each) for each in plan.schedule.fires_in]
    used = [(part, part.bytes * _uses(plan, part, fired)) for part in plan.parts if part.kind in ("row", "scratch")]
    alive, most = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    for operator, fires in enumerate([np.ones(steps, bool), *fired], -1):
        alive += sum((held for part, held in used if part.born == operator), np.zeros(steps, np.int64))
        most = np.maximum(most, np.where(fires, alive, 0))
        alive -= sum((held for part, held in used if part.dies == operator), np.zeros(steps, np.int64))
    return most


def _marked(steps: int, when: np.ndarray) -> np.ndarray:
    """Return whether something happens in each step: bool [steps]."""
    marks = np.zeros(steps, bool)
    marks[when[when < steps]] = True
    return marks


def _uses(plan: Plan, part: Part, fired: list[np.ndarray]) -> np.ndarray:
    """Return whether each step makes a row in a part, or works in it: bool [steps]."""
    if part.kind == "scratch":
        return np.any([fired[each] for each in part.operators], axis=0)
    lives = [plan.schedule.lives[each] for each in part.streams]
    made = [_marked(plan.schedule.steps, life.born_step) for life in lives if life.transient]
    return np.any(made, axis=0) if made else np.zeros(plan.schedule.steps, bool)


def whole_maps(graph: net.Graph) -> tuple[tuple[str, int], ...]:
    """Return for each layer, in order, the bytes of all feature maps alive while it runs: what no planner that keeps
    whole maps can go below. A map is alive from the layer that makes it to the last that reads it; a reshaped one
    is the one it was reshaped from.
    """
    own = _owners(graph)
    born, dies = dict.fromkeys(own, 0), dict.fromkeys(own, 0)
    for now, layer in enumerate(graph.layers):
        born[layer.output] = now
        for index in (*layer.inputs, layer.output):
            dies[own[index]] = now
    for output in graph.outputs:
        dies[own[output]] = len(graph.layers)
    held = [index for index, owner in own.items() if index == owner]
    sizes = {index: graph.maps[index].size for index in held if graph.maps[index].tensor != net.NO_TENSOR}
    held = list(sizes)
    return tuple(
        (layer.name, sum(sizes[index] for index in held if born[index] <= now <= dies[index]))
        for now, layer in enumerate(graph.layers)
    )


def _owners(graph: net.Graph) -> dict[int, int]:
    """Return for each map the one whose bytes it is."""
    own = {index: index for index in range(len(graph.maps))}
    for layer in graph.layers:
        if isinstance(layer.kind, net.Reshape) and graph.maps[layer.inputs[0]].tensor != net.NO_TENSOR:
            own[layer.output] = own[layer.inputs[0]]
    return own
