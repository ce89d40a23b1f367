"""The operators of NAME.c: for each its parameters, its row of the table, and what it is in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from converters import c_text as c
from converters.compiler.back.c.parameters import Site, parameters
from converters.compiler.back.c.tables import Tables
from converters.compiler.back.c.targets import pointer_bytes
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.middle import program as prog
from converters.compiler.middle.plan import Plan


@dataclass(frozen=True)
class CodedOperator:
    """An operator as C: a comment, the structure that its function reads, its row of the table.

    Attributes:
      comment: on one line.
      ctype, values: the structure and its fields.
      fields: of its row but the parameters.
    """

    comment: str
    ctype: str
    values: Mapping[str, object]
    function: str
    fields: Mapping[str, object]

    def row(self, params: str) -> str:
        """Return the row of the table, `params` being where the structure lies."""
        row = {"kernel": self.function, "params": params, **self.fields}
        return f"    {{{', '.join(f'.{key} = {value}' for key, value in row.items())}}},"


def coded(plan: Plan, i: int, choice: Choice, tables: Tables) -> CodedOperator:
    """Return operator `i` as C; its constants are added to the tables."""
    program = plan.schedule.program
    operator = program.operators[i]
    stream = program.streams[operator.output]
    owner = re.sub(r"[^A-Za-z0-9]+", "_", operator.name).strip("_") or "layer"
    ctype, values = parameters(operator.kernel, Site(stream.channels, choice, tables, owner))
    row = {
        "scratch": plan.scratch_offset[i] + pointer_bytes(operator),
        "state": plan.state_offset[i],
        "out_offset": operator.channel,
        "fires": operator.fires,
        "yields": "SQZ_GROWN" if operator.doublings else f"SQZ_{operator.yields}",
        "input": operator.inputs[0],
        "input_b": operator.inputs[1] if len(operator.inputs) > 1 else "SQZ_NONE",
        "output": operator.output,
        "kernel_h": operator.rows,
        "stride_h": operator.stride_h,
        "pad_top": operator.pad_top,
        **_band(operator),
        "lag": plan.schedule.lag[i],
        **({"doublings": operator.doublings} if operator.doublings else {}),
    }
    return CodedOperator(_comment(program, i), ctype, values, choice.function, row)


def _band(operator: prog.Operator) -> dict[str, object]:
    if (operator.band, operator.first_band, operator.left_over) == (1, 1, 0):
        return {"band": 0}
    at_once = int(operator.at_once)
    names = ("band", "first_band", "left_over")
    return {**{name: getattr(operator, name) for name in names}, "at_once": at_once}


def _comment(program: prog.Program, i: int) -> str:
    operator = program.operators[i]
    source, target = program.streams[operator.inputs[0]], program.streams[operator.output]
    channels = operator.kernel.out_channels
    of = f" (from channel {operator.channel} of {target.channels})" if channels < target.channels else ""
    shapes = f"{source.height}x{source.width}x{source.channels} to {target.height}x{target.width}x{channels}{of}"
    macs = f", {operator.macs} MACs" if operator.macs else ""
    return f"/* {i}: {c.harmless(operator.name)[:60]} ({operator.operator}), {shapes}{macs} */"
