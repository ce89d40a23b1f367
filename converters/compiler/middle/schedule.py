"""Find out when each operator fires, and from that how many rows of each stream must be kept.

This follows the engine (mcu/src/sqz_stream.c) exactly: in a step one input row comes (after the last, none), then
every operator in order may fire once, or one band of firings, if the rows of its window are complete. Nothing is
simulated byte by byte: band y happens in step max(step in which its last row is complete, step of band y - 1, plus 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from converters.compiler.faults import Unsupported, check
from converters.compiler.limits import MOST_LAG, MOST_TRIALS
from converters.compiler.middle import program as prog

CALLER = -1  # stands for an operator: the input's rows come from the caller


@dataclass(frozen=True, eq=False)
class Life:
    """How long rows of a stream are needed.

    A transient row is made and read in one step, between operators `born` and `dies` (both included); others stay
    in a ring of `ring_rows` for good. `born_step` and `read_step` hold a step for each row.
    """

    ring_rows: int
    transient: bool
    born: int
    dies: int
    last_producer: int
    born_step: np.ndarray
    read_step: np.ndarray


@dataclass(frozen=True, eq=False)
class Schedule:
    """A program, when it does what, and the lives of its streams.

    `lag` counts the input rows that an operator waits for without reading them; `fires_in[i]` holds the step of each
    firing of operator i.
    """

    program: prog.Program
    lag: tuple[int, ...]
    fires_in: tuple[np.ndarray, ...]
    lives: tuple[Life, ...]
    steps: int


def schedule(program: prog.Program) -> Schedule:
    """Return the schedule of a program.

    Raises:
      ValueError: the slices of a concatenation cannot be brought into one order.
    """
    return _Scheduler(program).schedule()


def _readiness(operator: prog.Operator, complete: list[np.ndarray], lag: int) -> np.ndarray:
    """Return the step from which on each firing has its rows: int64 [fires]."""
    y = _last_of_band(operator)
    rows = complete[operator.inputs[0]]
    if operator.yields == prog.WINDOW:
        needed = y + 1 + lag
    else:
        needed = (y >> operator.doublings) * operator.stride_h - operator.pad_top + operator.rows + lag
    needed = np.minimum(needed, len(rows))
    ready = np.where(needed > 0, rows[np.maximum(needed, 1) - 1], 0)
    for other in operator.inputs[1:]:
        ready = np.maximum(ready, complete[other][np.minimum(y, len(complete[other]) - 1)])  # one row may be for all
    return ready


def _firing_steps(operator: prog.Operator, complete: list[np.ndarray], lag: int) -> np.ndarray:
    """Return the step of each firing: as soon as its band is ready, but one band a step."""
    band = _band(operator)
    return np.maximum.accumulate(_readiness(operator, complete, lag) - band) + band


def _last_of_band(operator: prog.Operator) -> np.ndarray:
    """Return the last firing of each firing's band: int64 [fires]."""
    band = _band(operator)
    return np.where(band == band[-1], operator.fires, operator.first_band + operator.band * band) - 1


def _band(operator: prog.Operator) -> np.ndarray:
    """Return the number of each firing's band: int64 [fires]."""
    band = (np.arange(operator.fires) + operator.band - operator.first_band) // operator.band
    return np.minimum(band, band[max(operator.fires - 1 - operator.left_over, 0)])


def completing_firings(operator: prog.Operator, out_height: int, in_height: int) -> np.ndarray:
    """Return the firing in which each output row is complete: int64 [out_height]."""
    rows = np.arange(out_height)
    if operator.yields == prog.EACH:
        return rows
    if operator.yields == prog.LAST:
        return np.full(out_height, operator.fires - 1)
    return np.minimum(rows * operator.stride_h - operator.pad_top + operator.rows, in_height) - 1


def last_readings(operator: prog.Operator, in_height: int) -> np.ndarray:
    """Return the last firing that reads each input row, -1 for a row that none reads: int64 [in_height]."""
    rows = np.arange(in_height)
    stride, top, seen = operator.stride_h, operator.pad_top, operator.rows
    if operator.yields == prog.WINDOW:
        stride, top, seen = 1, 0, 1
    several = 1 << operator.doublings
    latest = ((rows + top) // stride + 1) * several - 1 if stride else operator.fires - 1
    firing = np.minimum(latest, operator.fires - 1)
    return np.where(firing // several * stride - top + seen > rows, firing, -1)


class _Scheduler:
    def __init__(self, program: prog.Program) -> None:
        self.program = program
        count = len(program.operators)
        self.lag = [0] * count
        self.fires_in: list[np.ndarray] = [np.zeros(0, np.int64)] * count
        self.producers: list[list[int]] = [[] for _ in program.streams]
        for i, operator in enumerate(program.operators):
            self.producers[operator.output].append(i)
        self.last_producer = [each[-1] if each else CALLER for each in self.producers]
        self.complete = [np.zeros(0, np.int64)] * len(program.streams)
        self.complete[0] = np.arange(program.streams[0].height)

    def schedule(self) -> Schedule:
        for i, operator in enumerate(self.program.operators):
            self._time(i, 0)
            producers = self.producers[operator.output]
            if i == producers[-1]:
                if len(producers) > 1:
                    self._align(operator.output)
                self.complete[operator.output] = self._steps_of_rows(self.last_producer[operator.output])
        lives = tuple(self._life(stream) for stream in range(len(self.program.streams)))
        return Schedule(self.program, tuple(self.lag), tuple(self.fires_in), lives, self._steps())

    def _steps(self) -> int:
        """Return the steps of one inference: one for each input row, and what follows the last."""
        fired = max(int(each[-1]) for each in self.fires_in)
        return 1 + max(fired, self.program.streams[0].height - 1)

    def _time(self, i: int, lag: int) -> None:
        self.lag[i] = lag
        self.fires_in[i] = _firing_steps(self.program.operators[i], self.complete, lag)

    def _completing(self, i: int) -> np.ndarray:
        operator = self.program.operators[i]
        heights = (self.program.streams[each].height for each in (operator.output, operator.inputs[0]))
        return completing_firings(operator, *heights)

    def _steps_of_rows(self, i: int) -> np.ndarray:
        """Return the step in which operator i makes each row of its output."""
        return self.fires_in[i][self._completing(i)]

    # Concatenation.

    def _align(self, stream: int) -> None:
        """Let the faster producers of a row wait, so that its slices are made in one step if that can be.

        One producer must be the last for every row, for it is that one that completes rows. Each is tried; the one
        with which rows lie unfinished for the fewest steps is taken.
        """
        producers = self.producers[stream]
        height, tried = self.program.streams[stream].height, max(len(self._lags(each)) for each in producers)
        check(
            len(producers) ** 2 * height * tried <= MOST_TRIALS,
            f"a concatenation of {len(producers)} branches and {height} rows takes too long to be timed",
        )
        best: tuple[int, tuple[int, ...], int] | None = None
        for last in reversed(producers):
            found = self._ending_with(last, producers)
            best = min(filter(None, (best, found)), default=None)
            if best and best[0] == 0:
                break
        name = self.program.streams[stream].name[:80]
        if best is None:
            raise Unsupported(f"the slices of {name!r} are made in no fixed order; expected branches that keep step")
        _, lags, self.last_producer[stream] = best
        for i, lag in zip(producers, lags, strict=True):
            self._time(i, lag)

    def _ending_with(self, last: int, producers: list[int]) -> tuple[int, tuple[int, ...], int] | None:
        """Return the steps that rows lie unfinished, the producers' lags, and `last`, which completes each row.

        None if it cannot be the last for every row, however long it waits.
        """
        others = {i: self._with_lag(i, 0) for i in producers if i != last}
        for lag in self._lags(last):
            steps = self._with_lag(last, lag)
            # Of two in one step, the later in order is the last.
            limits = {i: steps if i < last else steps - 1 for i in others}
            if all(np.all(others[i] <= limit) for i, limit in limits.items()):
                made = {last: (steps, lag), **{i: self._longest_wait(i, limit) for i, limit in limits.items()}}
                first = np.min([each for each, _ in made.values()], axis=0)
                return int((steps - first).sum()), tuple(made[i][1] for i in producers), last
        return None

    def _longest_wait(self, i: int, limit: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the steps of a producer's rows, as late as the limit allows, and the lag that makes them so."""
        latest, best = self._with_lag(i, 0), 0
        for lag in self._lags(i):
            steps = self._with_lag(i, lag)
            if np.any(steps > limit):
                break
            if np.any(steps > latest):
                latest, best = steps, lag
            if np.all(latest == limit):
                break
        return latest, best

    def _lags(self, i: int) -> range:
        """Return the lags that make a difference: beyond the input's height all are the same."""
        height = self.program.streams[self.program.operators[i].inputs[0]].height
        return range(min(MOST_LAG, height) + 1)

    def _with_lag(self, i: int, lag: int) -> np.ndarray:
        self._time(i, lag)
        return self._steps_of_rows(i)

    # Rings.

    def _key(self, step: np.ndarray, operator: int) -> np.ndarray:
        """Return when something happens as one number: steps first, then operators in order."""
        return step * (len(self.program.operators) + 1) + operator + 1

    def _life(self, stream: int) -> Life:
        each = self.program.streams[stream]
        born, read = self._births(stream), self._last_uses(stream)
        ring = int(np.max(np.searchsorted(born, read, side="right") - np.arange(each.height)))
        ring = max(1, min(ring, each.height))
        per_step = len(self.program.operators) + 1
        born_step, read_step = born // per_step, read // per_step
        first, last = int(np.min(born % per_step)) - 1, int(np.max(read % per_step)) - 1
        transient = bool(np.all(born_step == read_step))
        if stream == self.program.output:
            # Copied out when all is done: nothing comes after it if it is made in the very last step.
            ring, last = each.height, len(self.program.operators)
            transient = bool(np.all(born_step == self._steps() - 1))
            read_step = np.full(each.height, self._steps() - 1)
        return Life(ring, transient, first, last, self.last_producer[stream], born_step, read_step)

    def _births(self, stream: int) -> np.ndarray:
        """Return when the first byte of each row is written."""
        if not self.producers[stream]:
            return self._key(self.complete[stream], CALLER)
        return np.min([self._key(self._steps_of_rows(i), i) for i in self.producers[stream]], axis=0)

    def _last_uses(self, stream: int) -> np.ndarray:
        """Return when each row is read for the last time, or completed if nobody reads it."""
        height = self.program.streams[stream].height
        last = self._key(self.complete[stream], self.last_producer[stream])
        for i, operator in enumerate(self.program.operators):
            for position, source in enumerate(operator.inputs):
                if source == stream:
                    last_row = np.where(np.arange(height) == height - 1, operator.fires - 1, np.arange(height))
                    firing = last_readings(operator, height) if position == 0 else last_row
                    key = self._key(self.fires_in[i][firing], i)
                    last = np.maximum(last, np.where(firing >= 0, key, 0))
        return last
