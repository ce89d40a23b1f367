"""Say what a compiled model takes: plain values for JSON, and figures others show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from converters.compiler.back.c import winograd
from converters.compiler.back.c.constants import bias_bytes, constant_bytes, table_bytes, weights_bytes
from converters.compiler.back.c.targets import uncompressed
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.compilation import Compilation
from converters.compiler.middle import program as prog
from converters.compiler.middle.costs import operations, state_bytes
from converters.compiler.middle.plan import ARENA_ALIGN, Plan
from converters.compiler.middle.timeline import timeline, whole_maps

DENSE_LAYOUT, WITHOUT_ZEROS, PREFIX_CODES = "dense", "without zero blocks", "prefix codes"


def report(compilation: Compilation) -> dict[str, Any]:
    """Return everything about a compiled model that is not the C itself, as values that JSON can hold.

    Bytes throughout. `arena.parts` lie at `offset`, alive from operator `born` to `dies` of each step (-1: from the
    step's beginning); `timeline.bytes` holds what is in use in each step, `kept` from step to step and `working` within
    it; `streams[i].slices` name the tensors whose values lie in channels of a stream, for equality tests;
    `output` is the one output, null where there are several; `outputs` lie one after another, each at its `offset`;
    `whole_map_bytes` is what running the same network map by map needs for activations alone, however well it is
    planned, and `whole_maps` what each layer then needs.
    """
    program, plan = compilation.program, compilation.plan
    use, maps = timeline(plan), whole_maps(compilation.graph)
    return {
        "format": 1,
        "target": compilation.target,
        "input": _edge(program.streams[0]),
        "output": _edge(program.results[0]) if len(program.results) == 1 else None,
        "outputs": [{"offset": at, **_edge(each)} for at, each in zip(program.offsets, program.results, strict=True)],
        "macs": sum(operator.macs for operator in program.operators),
        "arena": {
            "bytes": plan.arena_bytes,
            "needed_bytes": plan.needed_bytes,
            "align": ARENA_ALIGN,
            "parts": [_part(part) for part in plan.parts],
        },
        "whole_map_bytes": max(size for _, size in maps),
        "whole_maps": {"layers": [name for name, _ in maps], "bytes": [size for _, size in maps]},
        "timeline": {
            "steps": plan.schedule.steps,
            "kept": list(use.kept),
            "working": list(use.working),
            "bytes": [kept + working for kept, working in zip(use.kept, use.working, strict=True)],
        },
        "flash": flash_bytes(compilation),
        "layouts": layouts(compilation),
        "operators": [_operator(compilation, i) for i in range(len(program.operators))],
        "streams": [_stream(plan, i) for i in range(len(program.streams))],
    }


def _edge(stream: prog.Stream) -> dict[str, Any]:
    return {
        "tensor": stream.tensor,
        "height": stream.height,
        "width": stream.width,
        "channels": stream.channels,
        "bytes": stream.bytes,
        "row_bytes": stream.row_bytes,
        "scale": stream.scale,
        "zero_point": stream.zero_point,
    }


def _part(part: Any) -> dict[str, Any]:
    names = ("name", "kind", "bytes", "offset", "born", "dies", "streams", "operators")
    return {name: list(value) if isinstance(value := getattr(part, name), tuple) else value for name in names}


def _operator(compilation: Compilation, i: int) -> dict[str, Any]:
    program, choice = compilation.program, compilation.choices[i]
    operator = program.operators[i]
    return {
        "name": operator.name,
        "operator": operator.operator,
        "function": choice.function,
        "inputs": list(operator.inputs),
        "output": operator.output,
        "channel": operator.channel,
        "tensor": operator.tensor,
        "fires": operator.fires,
        "lag": compilation.schedule.lag[i],
        "macs": operator.macs,
        "ops": operations(operator, program.streams[operator.output]),
        "weights_bytes": weights_bytes(choice),
        "table_bytes": table_bytes(operator.kernel, choice),
        "state_bytes": state_bytes(operator.kernel),
        "scratch_bytes": choice.scratch_bytes,
    }


def _stream(plan: Plan, i: int) -> dict[str, Any]:
    program, life = plan.schedule.program, plan.schedule.lives[i]
    stream = program.streams[i]
    slices = [
        {"tensor": operator.tensor, "channel": operator.channel}
        for operator in program.operators
        if operator.output == i and operator.tensor != stream.tensor
    ]
    return {
        "tensor": stream.tensor,
        "name": stream.name,
        "height": stream.height,
        "width": stream.width,
        "channels": stream.channels,
        "row_bytes": stream.row_bytes,
        "ring_rows": life.ring_rows,
        "transient": life.transient,
        "offset": plan.stream_offset[i],
        "slices": slices,
    }


def layouts(compilation: Compilation) -> list[dict[str, Any]]:
    """Return how the constants of each layer with weights lie in flash, and what those take as they are.

    `decode_instructions` and `spared_instructions` (by Winograd's method) are estimated, for one inference.
    """
    program = compilation.program
    return [
        {
            "name": operator.name,
            "function": choice.function,
            "layout": PREFIX_CODES if choice.packed else WITHOUT_ZEROS if choice.sparse else DENSE_LAYOUT,
            "dense_bytes": constant_bytes(operator.kernel, uncompressed(operator.kernel, compilation.target)),
            "constant_bytes": constant_bytes(operator.kernel, choice),
            "block": choice.block,
            "band": operator.band,
            "decode_instructions": operator.bands * choice.decoding,
            "spared_instructions": int(winograd.gain(operator, choice.tiles)) if choice.tiles else 0,
            "scratch_bytes": choice.scratch_bytes,
        }
        for operator, choice in zip(program.operators, compilation.choices, strict=True)
        if choice.weights is not None
    ]


# Flash.


def flash_bytes(compilation: Compilation) -> dict[str, int]:
    """Return the bytes of constants: weights as laid out (with what lies among them), biases and tables besides."""
    pairs = [(operator.kernel, choice) for operator, choice in _chosen(compilation)]
    weights = sum(weights_bytes(choice) for _, choice in pairs)
    bias = sum(bias_bytes(kernel, choice) for kernel, choice in pairs)
    tables = sum(table_bytes(kernel, choice) for kernel, choice in pairs) - bias
    return {"weights": weights, "bias": bias, "tables": tables, "total": weights + bias + tables}


def _chosen(compilation: Compilation) -> Iterable[tuple[prog.Operator, Choice]]:
    return zip(compilation.program.operators, compilation.choices, strict=True)
