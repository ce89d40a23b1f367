"""The control program: a job for each row that an operator makes, in the order of the compiler's schedule.

The schedule and the memory plan are the compiler's own; only pools see whole windows instead of keeping maxima, and the
ring of input rows has one row more, which is filled while the others are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.compiler.back.fpga.layers import LANES, Layer, layer_of
from converters.compiler.faults import Unsupported, check
from converters.compiler.middle import program as prog
from converters.compiler.middle.plan import Plan, plan
from converters.compiler.middle.schedule import Schedule, schedule

IDLE = -1  # stands for an operator: the job only takes a row of the picture
SETTLED = 32  # cycles after the last step of a job by which its rows are written, whatever it is


@dataclass(frozen=True)
class Job:
    """One firing of an operator: what it is of, and the fields of the control program that are not 0."""

    operator: int
    firing: int
    fields: dict[str, int]


@dataclass(frozen=True, eq=False)
class Design:
    """A network on the accelerator.

    Attributes:
      program: what the chip computes, without what follows the sums of the last layer.
      mean: how those sums become scores.
      softmax: what follows those, if anything does.
      layers: the operators as loops.
      outputs: output channels at once.
      plan: where rows lie, and when they are made.
      jobs: the control program.
      weights: int8 [words, outputs, LANES].
      bias, shift: int64 [words, LANES], the table.
      row_tensors: for each operator the tensor in the file that holds the rows it makes.
    """

    program: prog.Program
    mean: prog.MeanKernel
    softmax: prog.SoftmaxKernel | None
    layers: tuple[Layer, ...]
    outputs: int
    plan: Plan
    jobs: tuple[Job, ...]
    weights: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    row_tensors: tuple[int, ...]

    @property
    def multipliers(self) -> int:
        """Multipliers of the array."""
        return self.outputs * LANES

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a picture."""
        return sum(operator.macs for operator in self.program.operators)


def design(program: prog.Program, tensors: Mapping[str, int], multipliers: int) -> Design:
    """Return a network on an accelerator with so many multipliers, a multiple of 16.

    Args:
      program: the network as operators.
      tensors: for each layer's name the tensor in the file that it writes.
      multipliers: of the array.

    Raises:
      ValueError: its scales are not powers of two, or the accelerator lacks an operator.
    """
    outputs = multipliers // LANES
    check(multipliers % (LANES * LANES) == 0 and 0 < outputs <= 64, f"{multipliers} multipliers; expected 16, 32 … 256")
    program, mean, softmax = _split(program)
    program = replace(program, operators=tuple(_whole_windows(each, program) for each in program.operators))
    layers = tuple(_layers(program, outputs))
    timed = _one_row_more(schedule(program))
    planned = plan(timed, (0,) * len(program.operators))
    jobs = _Jobs(program, layers, timed, planned, outputs)
    tables = (jobs.weights, jobs.bias, jobs.shift)
    rows = tuple(_row_tensor(tensors, program, operator) for operator in program.operators)
    return Design(program, mean, softmax, layers, outputs, planned, tuple(jobs.all()), *tables, rows)


def _row_tensor(tensors: Mapping[str, int], program: prog.Program, operator: prog.Operator) -> int:
    """Return the tensor of the rows that an operator makes: before the mean, where it ends with one."""
    if type(operator.kernel) is prog.MeanKernel:
        return program.streams[operator.inputs[0]].tensor
    if operator.yields == prog.LAST:
        return tensors[operator.name]
    return operator.tensor


def _layers(program: prog.Program, outputs: int) -> Iterator[Layer]:
    last = program.operators[-1]
    for operator in program.operators:
        try:
            early = operator is not last and _mean_of(operator.kernel) is not None
            check(not early, "the accelerator takes a MEAN at the end alone; expected no layer after it but SOFTMAX")
            yield layer_of(operator, program, outputs)
        except ValueError as error:
            raise Unsupported(f"layer {operator.name} ({operator.operator}): {error}") from error


def _split(program: prog.Program) -> tuple[prog.Program, prog.MeanKernel, prog.SoftmaxKernel | None]:
    """Return what the chip computes, up to the sums, the mean that makes scores of those, and a softmax."""
    softmax = None
    last = program.operators[-1]
    if type(last.kernel) is prog.SoftmaxKernel and not last.kernel.logarithm and len(program.operators) > 1:
        softmax = last.kernel
        program = replace(
            program,
            operators=program.operators[:-1],
            streams=tuple(each for i, each in enumerate(program.streams) if i != last.output),
            output=last.inputs[0],
        )
        check(last.output == len(program.streams), "its softmax is not its last layer")
    last = program.operators[-1]
    kernel: Any = last.kernel
    mean = _mean_of(kernel) if last.yields == prog.LAST else None
    others = [each.output for each in program.operators[:-1]]
    if mean is None or last.output != program.output or program.output in others:
        raise Unsupported(
            f"layer {last.name} ({last.operator}) makes the scores; expected a MEAN over height and width, and "
            "at most a SOFTMAX after it"
        )
    return program, mean, softmax


def _mean_of(kernel: Any) -> prog.MeanKernel | None:
    """Return the mean that a kernel ends with."""
    if type(kernel) is prog.MeanKernel:
        return kernel
    if type(kernel) is prog.ConvKernel and kernel.mean is not None:
        return prog.MeanKernel(kernel.mean, 0, 1, kernel.out_channels, kernel.zero_sum)
    return None


def _whole_windows(operator: prog.Operator, program: prog.Program) -> prog.Operator:
    """Let a pool see its whole window."""
    if type(operator.kernel) is not prog.PoolKernel or not operator.kernel.streaming:
        return operator
    height = program.streams[operator.output].height
    return replace(operator, kernel=replace(operator.kernel, streaming=False), yields=prog.EACH, fires=height)


def _one_row_more(timed: Schedule) -> Schedule:
    """Return a schedule whose input ring has room for the row that comes next."""
    life = timed.lives[0]
    rows = min(life.ring_rows + 1, timed.program.streams[0].height)
    return replace(timed, lives=(replace(life, ring_rows=max(rows, 2), transient=False), *timed.lives[1:]))


class _Jobs:
    """Writes the control program, the weights and the table."""

    def __init__(
        self, program: prog.Program, layers: tuple[Layer, ...], timed: Schedule, planned: Plan, outputs: int
    ) -> None:
        self.program, self.layers, self.timed, self.plan, self.outputs = program, layers, timed, planned, outputs
        self.weights_at = np.cumsum([0, *(len(each.weights) for each in layers)]).tolist()
        self.weights = np.concatenate([each.weights for each in layers])
        tables = [_table(each, outputs) for each in layers]
        self.table_at = np.cumsum([0, *(len(bias) for bias, _ in tables)]).tolist()
        self.bias, self.shift = (np.concatenate(each) for each in zip(*tables, strict=True))

    def all(self) -> Iterator[Job]:
        """Yield the jobs in order; the last one, which may only take a row that nothing reads, ends the picture."""
        *jobs, last = self._in_order()
        yield from jobs
        yield replace(last, fields=last.fields | {"finish": 1})

    def _in_order(self) -> Iterator[Job]:
        """Yield the jobs; in a step in which nothing fires one only takes its row."""
        underway: dict[int, int] = {}  # stream → cycles, at least, since a job that writes it ended
        height = self.program.streams[0].height
        for step, fired in enumerate(self._steps()):
            takes = {"wait_row": step < height, "grant_row": step + 1 < height}
            if not fired and step < height:
                yield Job(IDLE, step, takes | {"idle": 1})
            for i, firing in fired:
                operator = self.program.operators[i]
                waits = any(underway.get(each, SETTLED) < SETTLED for each in operator.inputs)
                yield Job(i, firing, self._fields(i, firing) | takes | {"wait_writes": waits})
                takes = {}
                steps = self.layers[i].pixels * self.layers[i].groups(self.outputs) * self.layers[i].steps
                underway = {} if waits else {stream: cycles + steps for stream, cycles in underway.items()}
                underway[operator.output] = 0

    def _steps(self) -> list[list[tuple[int, int]]]:
        """Return for each step the operators that fire, and how often they fired before."""
        steps: list[list[tuple[int, int]]] = [[] for _ in range(self.timed.steps)]
        for i, fires in enumerate(self.timed.fires_in):
            for firing, step in enumerate(fires.tolist()):
                steps[step].append((i, firing))
        return steps

    def _fields(self, i: int, y: int) -> dict[str, int]:
        operator, layer = self.program.operators[i], self.layers[i]
        target = self.program.streams[operator.output]
        last = i == len(self.layers) - 1
        return {
            **self._rows(operator, y),
            "row_bytes": self.program.streams[operator.inputs[0]].row_bytes,
            "rows": layer.rows - 1,
            "taps": layer.taps - 1,
            "vectors": layer.vectors - 1,
            "tap_step": layer.tap_step,
            "first": layer.first,
            "step": layer.step,
            "pixels": layer.pixels - 1,
            "groups": layer.groups(self.outputs) - 1,
            "channels": layer.channels,
            "diagonal": layer.diagonal,
            "uniform": layer.uniform,
            "maximum": layer.maximum,
            "weights": self.weights_at[i],
            "table": self.table_at[i],
            "out": 0 if last else self._address(operator.output, y) + operator.channel,
            "out_step": 0 if last else target.channels,
            "to_sums": last,
            "fresh": last and y == 0,
            "fill": layer.fill & 0xFF,
            "low": layer.low,
            "high": layer.high,
            "zero": layer.zero,
        }

    def _address(self, stream: int, row: int) -> int:
        life = self.timed.lives[stream]
        return self.plan.stream_offset[stream] + row % life.ring_rows * self.program.streams[stream].row_bytes

    def _rows(self, operator: prog.Operator, y: int) -> dict[str, int]:
        """Return where a job's first row lies, where it goes on from the end of the ring, and which rows there are."""
        source, *others = operator.inputs
        stream = self.program.streams[source]
        if others:  # the second operand's row follows the first one's
            first, second = (self._address(each, y) for each in (source, *others))
            return {"address": first, "ring_end": first + stream.row_bytes, "ring": second, "above": 0, "below": 2}
        top, rows = y * operator.stride_h - operator.pad_top, operator.rows
        above = min(max(-top, 0), rows)
        below = min(max(stream.height - top, 0), rows)
        start = self.plan.stream_offset[source]
        size = self.timed.lives[source].ring_rows * stream.row_bytes
        return {
            "address": self._address(source, max(top, 0)),
            "ring": start,
            "ring_end": start + size,
            "above": above,
            "below": below,
        }


def _table(layer: Layer, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return biases and shifts of a layer in the order of its words of LANES channels: int64 [words, LANES]."""
    if layer.uniform:
        return np.full((1, LANES), layer.bias[0]), np.full((1, LANES), layer.shift[0])
    words = -(-layer.channels // LANES)
    bias, shift = np.zeros((2, words * LANES), np.int64)
    bias[: layer.channels], shift[: layer.channels] = layer.bias, layer.shift
    return bias.reshape(-1, LANES), shift.reshape(-1, LANES)
