"""What each pass made, as text a person can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converters.compiler.compilation import Compilation, files
from converters.compiler.front import network as net
from converters.compiler.middle import program as prog
from converters.compiler.middle.schedule import CALLER
from converters.compiler.report import layouts


def dump(compilation: Compilation, what: str) -> str:
    """Return what a pass made: `read`, `legalise`, `schedule`, `layouts`, `plan` or `emit`.

    Raises:
      ValueError: there is no such pass.
    """
    if what not in PASSES:
        raise ValueError(f"there is no pass {what!r}; expected one of {', '.join(PASSES)}")
    return PASSES[what](compilation)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _sides(*sides: int) -> str:
    return "x".join(str(side) for side in sides)


def _read(compilation: Compilation) -> str:
    graph = compilation.graph
    rows = []
    for i, layer in enumerate(graph.layers):
        target = graph.maps[layer.output]
        inputs = " ".join(str(each) for each in layer.inputs)
        rows.append((i, layer.name, layer.operator, inputs, layer.output, _sides(*target.shape), *_scale(target)))
    return _table(("layer", "name", "operator", "reads", "writes", "shape", "scale", "zero point"), rows)


def _scale(each: net.FeatureMap | prog.Stream) -> tuple[str, int]:
    return f"{each.scale:.6g}", each.zero_point


def _legalise(compilation: Compilation) -> str:
    program = compilation.program
    streams = [
        (i, _sides(s.height, s.width, s.channels), *_scale(s), s.name.split(";")[0][-60:])
        for i, s in enumerate(program.streams)
    ]
    operators = [
        (
            i,
            each.name,
            choice.function,
            " ".join(map(str, each.inputs)),
            each.output,
            each.channel,
            each.yields,
            each.fires,
            each.macs,
        )
        for i, (each, choice) in enumerate(zip(program.operators, compilation.choices, strict=True))
    ]
    head = ("op", "name", "function", "reads", "writes", "channel", "yields", "fires", "MACs")
    return _table(("stream", "shape", "scale", "zero point", "tensor"), streams) + "\n" + _table(head, operators)


def _schedule(compilation: Compilation) -> str:
    timed = compilation.schedule
    operators = [
        (i, each.name, lag, steps[0], steps[-1], len(steps))
        for i, (each, lag, steps) in enumerate(zip(timed.program.operators, timed.lag, timed.fires_in, strict=True))
    ]
    streams = [
        (i, life.ring_rows, "transient" if life.transient else "kept", _when(life.born), _when(life.dies))
        for i, life in enumerate(timed.lives)
    ]
    head = ("op", "name", "lag", "first step", "last step", "fires")
    return _table(head, operators) + "\n" + _table(("stream", "rows", "rows are", "born at", "die at"), streams)


def _when(operator: int) -> str:
    return "input" if operator == CALLER else f"op {operator}"


def _plan(compilation: Compilation) -> str:
    plan = compilation.plan
    rows = [
        (part.offset, part.bytes, part.kind, f"{part.born}..{part.dies}", part.name.split(";")[0][-60:])
        for part in plan.parts
    ]
    total = f"arena {plan.arena_bytes} bytes; at the worst moment {plan.needed_bytes} are alive\n"
    return _table(("offset", "bytes", "kind", "operators", "what"), rows) + total


def _layouts(compilation: Compilation) -> str:
    rows = [
        (
            each["name"],
            each["function"],
            each["layout"],
            each["dense_bytes"],
            each["constant_bytes"],
            each["block"] or "",
            each["band"],
            each["decode_instructions"] or "",
            each["spared_instructions"] or "",
            each["scratch_bytes"],
        )
        for each in layouts(compilation)
    ]
    dense, chosen, decode, spared = (
        sum(each[key] for each in layouts(compilation))
        for key in ("dense_bytes", "constant_bytes", "decode_instructions", "spared_instructions")
    )
    rows.append(("in all", "", "", dense, chosen, "", "", decode or "", spared or "", ""))
    return _table(
        (
            "layer",
            "function",
            "layout",
            "bytes dense",
            "bytes",
            "channels at once",
            "rows at once",
            "instructions to decode, estimate",
            "instructions spared, estimate",
            "scratch bytes",
        ),
        rows,
    )


def _emit(compilation: Compilation) -> str:
    """Name the files of a model called `model`."""
    rows = [(len(text.encode()), name) for name, text in files(compilation, "model").items()]
    return _table(("bytes", "file"), rows)


PASSES: dict[str, Callable[[Compilation], str]] = {
    "read": _read,
    "legalise": _legalise,
    "schedule": _schedule,
    "layouts": _layouts,
    "plan": _plan,
    "emit": _emit,
}
