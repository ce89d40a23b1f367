"""Run a plan without its arithmetic: every byte of the arena says which row of which stream it belongs to.

The engine's rules are written here once more, from the words of mcu/src/sqz_ops.h, not from the scheduler. A plan is
good if no operator ever finds another's bytes where it expects a row or its state, with everything overwritten that
a kernel may overwrite.
"""

from __future__ import annotations

import numpy as np

from converters.compiler.middle import program as prog
from converters.compiler.middle.costs import state_bytes
from converters.compiler.middle.plan import Plan, header_bytes, in_place_pairs

HEADER, JUNK = -1, -2


class Simulation:
    """One inference."""

    def __init__(self, plan: Plan, scratch_bytes: tuple[int, ...] | None = None) -> None:
        self.plan, self.schedule, self.program = plan, plan.schedule, plan.schedule.program
        operators, streams = self.program.operators, self.program.streams
        self.scratch_bytes = scratch_bytes or (0,) * len(operators)
        self.fired, self.complete = [0] * len(operators), [0] * len(streams)
        self.fired_in: list[list[int]] = [[] for _ in operators]
        self.arena = np.full(plan.arena_bytes, JUNK, np.int64)
        self.arena[: header_bytes(len(operators), len(streams))] = HEADER
        self.overwrites = {target for _, target in in_place_pairs(self.schedule)}
        for i, operator in enumerate(operators):
            self._state(i, operator)[:] = self._state_tag(i)
            if state_bytes(operator.kernel):
                end = plan.state_offset[i] + state_bytes(operator.kernel)
                assert plan.zero_from <= plan.state_offset[i]
                assert end <= plan.zero_from + plan.zero_bytes

    def run(self) -> None:
        """Push every row, then go on until the output is complete."""
        height = self.program.streams[0].height
        for step in range(height + 100_000):
            if step < height:
                self._row(0, step)[:] = self._tag(0, step)
                self.complete[0] += 1
            elif self.complete[self.program.output] == self.program.streams[self.program.output].height:
                break
            fired = [self._offer(step, i) for i in range(len(self.program.operators))]
            assert step < height or any(fired), "nothing fires any more, but the output is not complete"
        for row in range(self.program.streams[self.program.output].height):
            self._expect(self.program.output, row)
        header = header_bytes(len(self.program.operators), len(self.program.streams))
        assert np.all(self.arena[:header] == HEADER), "the engine's header was overwritten"

    def _tag(self, stream: int, row: int) -> int:
        return stream * 100_000 + row

    def _state_tag(self, i: int) -> int:
        return -10 - i

    def _row(self, stream: int, row: int) -> np.ndarray:
        each, life = self.program.streams[stream], self.schedule.lives[stream]
        start = self.plan.stream_offset[stream] + row % life.ring_rows * each.row_bytes
        assert start + each.row_bytes <= self.plan.arena_bytes
        return self.arena[start : start + each.row_bytes]

    def _state(self, i: int, operator: prog.Operator) -> np.ndarray:
        start = self.plan.state_offset[i]
        return self.arena[start : start + state_bytes(operator.kernel)]

    def _expect(self, stream: int, row: int) -> None:
        found = set(self._row(stream, row).tolist())
        assert found == {self._tag(stream, row)}, f"row {row} of stream {stream} is gone: {sorted(found)[:5]}"

    def _offer(self, step: int, i: int) -> bool:
        operator, y = self.program.operators[i], self.fired[i]
        end = y + operator.band if y else operator.first_band
        end = end if end + operator.left_over < operator.fires else operator.fires
        if y == operator.fires or not self._is_ready(i, operator, end - 1):
            return False
        for each in range(y, end):
            self._fire(step, i, each)
        if operator.at_once:  # what was read and written first is there until the last is made
            for each in range(y, end):
                self._read(operator, each)
                self._reread(operator, each)
        return True

    def _reread(self, operator: prog.Operator, y: int) -> None:
        row = self._row_completed(operator, y)
        if row is not None and row < self.complete[operator.output]:
            self._expect(operator.output, row)

    def _fire(self, step: int, i: int, y: int) -> None:
        operator = self.program.operators[i]
        scratch = self.plan.scratch_offset[i]
        self.arena[scratch : scratch + self.scratch_bytes[i]] = JUNK
        in_place = operator.output in self.overwrites
        if in_place:
            self._read(operator, y)
        self._write(i, operator, y)
        if not in_place:
            self._read(operator, y)
        state = self._state(i, operator)
        assert np.all(state == self._state_tag(i)), f"the state of operator {i} was overwritten"
        self.fired[i] += 1
        self.fired_in[i].append(step)

    def _is_ready(self, i: int, operator: prog.Operator, y: int) -> bool:
        height = self.program.streams[operator.inputs[0]].height
        last = max(self._window(operator, y)) + 1 + self.schedule.lag[i]
        return self.complete[operator.inputs[0]] >= min(last, height) and all(
            self.complete[each] > self._row_of_other(each, y) for each in operator.inputs[1:]
        )

    def _row_of_other(self, stream: int, y: int) -> int:
        """Return the row of a second operand that firing y reads; one row meets all."""
        return min(y, self.program.streams[stream].height - 1)

    def _window(self, operator: prog.Operator, y: int) -> range:
        if operator.yields == prog.WINDOW:
            return range(y, y + 1)
        first = y // 2**operator.doublings * operator.stride_h - operator.pad_top
        return range(first, first + operator.rows)

    def _read(self, operator: prog.Operator, y: int) -> None:
        for row in self._window(operator, y):
            if 0 <= row < self.program.streams[operator.inputs[0]].height:
                self._expect(operator.inputs[0], row)
        for other in operator.inputs[1:]:
            self._expect(other, self._row_of_other(other, y))

    def _write(self, i: int, operator: prog.Operator, y: int) -> None:
        row = self._row_completed(operator, y)
        if row is None:
            return
        stream = self.program.streams[operator.output]
        width, channels = _slice(operator, stream)
        pixels = self._row(operator.output, row).reshape(width, -1)
        pixels[:, operator.channel : operator.channel + channels] = self._tag(operator.output, row)
        if self.schedule.lives[operator.output].last_producer == i:
            assert row == self.complete[operator.output]
            self._expect(operator.output, row)
            self.complete[operator.output] += 1

    def _row_completed(self, operator: prog.Operator, y: int) -> int | None:
        """Return the output row that a firing completes."""
        if operator.yields == prog.EACH:
            return y
        if operator.yields == prog.LAST:
            return 0 if y + 1 == operator.fires else None
        in_height = self.program.streams[operator.inputs[0]].height
        ends = [
            min(row * operator.stride_h - operator.pad_top + operator.rows, in_height)
            for row in range(self.program.streams[operator.output].height)
        ]
        return ends.index(y + 1) if y + 1 in ends else None


def _slice(operator: prog.Operator, stream: prog.Stream) -> tuple[int, int]:
    """Return the width and channels of what an operator writes."""
    return stream.width, min(operator.kernel.out_channels, stream.channels)
