"""Let operators fire several times in a step: a band of rows then goes through a stretch of the network together.

A band begins where rows wait for later steps anyway, and goes on to where a pool makes one row of it. What a band is
for is the back end's to say: a kernel that decodes its weights needs to do so only once for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from converters.compiler.middle import program as prog
from converters.compiler.middle.schedule import completing_firings

MOST_BAND = 4  # SQZ_MOST_BAND


class Band(NamedTuple):
    """Firings of an operator in one step, in the first step it fires in, and those that the last one takes besides."""

    firings: int
    first: int
    left_over: int = 0


ONE = Band(1, 1)


def with_bands(program: prog.Program, bands: Mapping[int, Band], at_once: Collection[int]) -> prog.Program:
    """Return the program with bands for the operators named, those of `at_once` made in one call of the kernel."""
    operators = []
    for i, each in enumerate(program.operators):
        band = bands.get(i, ONE)
        firings, first, left_over = band
        together = i in at_once and firings > 1
        operators.append(replace(each, band=firings, first_band=first, left_over=left_over, at_once=together))
    return replace(program, operators=tuple(operators))


def stretch(program: prog.Program, start: int, band: int) -> dict[int, Band] | None:
    """Return the bands of the operators that a band of rows goes through; None where it cannot.

    Args:
      program: without bands.
      start: the stream whose readers begin the band.
      band: rows that those make in a step.
    """
    found: dict[int, Band] = {}
    rows: dict[int, int] = {}  # of each stream, in a step
    for i, operator in enumerate(program.operators):
        source = operator.inputs[0]
        if source != start and not any(each in rows for each in operator.inputs):
            continue
        if len(operator.inputs) > 1 or not operator.stride_h:
            return None
        found[i] = Band(band, band) if source == start else _band(operator, rows[source])
        made = _rows_made(operator, found[i].firings)
        if rows.setdefault(operator.output, made) != made:
            return None
        if made == 1:
            del rows[operator.output]
    whole = all(i in found for i, each in enumerate(program.operators) if each.output in rows)
    return found if whole else None


def forward(program: prog.Program, starts: Mapping[int, int]) -> dict[int, Band]:
    """Return bands with which rows wait in the streams of `starts` alone: what makes rows of others goes along.

    Args:
      program: without bands.
      starts: streams, and the rows that their readers make in a step.
    """
    found: dict[int, Band] = {}
    rows: dict[int, int] = {}  # of each stream, in a step
    late: dict[int, int] = {}  # rows of each stream beyond those, in the last one
    for i, operator in enumerate(program.operators):
        source = operator.inputs[0]
        band = ONE
        if source in starts:
            band = Band(starts[source], starts[source])
        elif operator.stride_h and not operator.doublings:
            band = _band(operator, rows.get(source, 1))
            band = band._replace(left_over=late.get(source, 0) if band == ONE and operator.yields == prog.EACH else 0)
        found[i] = band
        made = _rows_made(operator, band.firings)
        rows[operator.output] = max(rows.get(operator.output, 1), made)
        if operator.yields == prog.WINDOW:
            late[operator.output] = max(0, _rows_in_the_end(program, operator, band) - made)
    return found


def _rows_in_the_end(program: prog.Program, operator: prog.Operator, band: Band) -> int:
    """Return the rows that a pool completes in its last band: two if the last window leaves the image."""
    out, source = program.streams[operator.output].height, program.streams[operator.inputs[0]].height
    made_by = completing_firings(operator, out, source)
    start = band.first + (operator.fires - 1 - band.first) // band.firings * band.firings
    return int(np.count_nonzero(made_by >= start))


def _band(operator: prog.Operator, rows: int) -> Band:
    """Return an operator's band for so many rows of its input."""
    firings = rows if operator.yields == prog.WINDOW else -(-rows // operator.stride_h)
    before = operator.pad_top if operator.yields == prog.LAST else 0  # firings that see no row
    return Band(firings, before % firings or firings)


def _rows_made(operator: prog.Operator, firings: int) -> int:
    if operator.yields == prog.LAST:
        return 1
    return -(-firings // operator.stride_h) if operator.yields == prog.WINDOW else firings


def merged(parts: Collection[Mapping[int, Band]]) -> dict[int, Band] | None:
    """Return the bands of several stretches together; None where they do not agree."""
    result: dict[int, Band] = {}
    for part in parts:
        if any(result.get(i, band) != band for i, band in part.items()):
            return None
        result |= part
    return result
