"""How many cycles a picture takes, and what each is spent on: the accelerator's clock, followed group by group.

What the pixels' arrival costs depends on who sends them: here one comes in each cycle in which one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.compiler.back.fpga.jobs import IDLE, Design
from converters.compiler.back.fpga.layers import LANES

ACTIVITIES = ("fetch", "load", "wait for pixels", "wait for rows", "multiply", "wait for sums", "send")
FETCH, LOAD, ROW, WRITES, STEP, QUADS, SEND = range(len(ACTIVITIES))
WRITTEN = 13  # cycles from the last step of a group to the one in which its first word is in the row memory
GRANTED = 3  # from a job's beginning to the first pixel of the row that it grants


@dataclass(frozen=True, eq=False)
class Cycles:
    """Cycles of each of ACTIVITIES in each job of a picture, and in what follows the last: int64 [jobs + 1, 7]."""

    activity: np.ndarray

    @property
    def total(self) -> int:
        """Cycles of a picture, from the end of the one before."""
        return int(self.activity.sum())


def cycles(design: Design) -> Cycles:
    """Return what the cycles of a picture go to, pictures following one another."""
    clock = _Clock(design)
    for number, job in enumerate(design.jobs):
        clock.begin(number, job.fields)
        if job.operator != IDLE:
            clock.run(number, job.operator)
    clock.send(len(design.jobs))
    return Cycles(clock.activity)


class _Clock:
    def __init__(self, design: Design) -> None:
        self.layers, self.outputs, self.classes = design.layers, design.outputs, design.layers[-1].channels
        self.activity = np.zeros((len(design.jobs) + 1, len(ACTIVITIES)), np.int64)
        self.now, self.free, self.written = 1, 0, 0  # next cycle; when a group may end; when all is written
        self.activity[0, FETCH] = 1
        self.row_bytes = design.program.streams[0].row_bytes
        self.rows_at = [self.row_bytes + GRANTED]  # when rows that were not taken yet are there

    def begin(self, number: int, fields: dict[str, int]) -> None:
        if fields.get("wait_row"):
            self._wait(number, ROW, self.rows_at[0])
        if fields.get("wait_writes"):
            self._wait(number, WRITES, self.written)
        if fields.get("wait_row"):
            self.rows_at.pop(0)
        if fields.get("grant_row"):
            before = max(self.rows_at, default=0)
            self.rows_at.append(max(self.now + GRANTED, before) + self.row_bytes)
        self.activity[number, LOAD] += 1
        self.now += 1
        if fields.get("idle") and not fields.get("finish"):
            self.activity[number + 1, FETCH] += 1
            self.now += 1

    def _wait(self, number: int, what: int, until: int) -> None:
        self.activity[number, what] += max(until - self.now, 0)
        self.now = max(self.now, until)

    def run(self, number: int, operator: int) -> None:
        layer = self.layers[operator]
        size = LANES if layer.diagonal else self.outputs
        quads = [-(-min(size, layer.channels - at) // LANES) for at in range(0, layer.channels, size)]
        for words in quads * layer.pixels:
            last = self.now + layer.steps - 1
            stalled = max(self.free - last, 0)
            self.activity[number, STEP] += layer.steps
            self.activity[number, QUADS] += stalled
            self.now = last + stalled + 1
            self.free = self.now + words - 1
            self.written = self.now - 1 + WRITTEN + words - 1

    def send(self, number: int) -> None:
        """Wait for the last sums, and send all."""
        self.activity[number, WRITES] += max(self.written - self.now, 0) + 1
        self.activity[number, SEND] += self.classes
