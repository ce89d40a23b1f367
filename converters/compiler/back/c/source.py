"""NAME.c: the tables that the C library runs, and the functions that callers call."""

from __future__ import annotations

from collections.abc import Sequence

from converters import c_text as c
from converters.compiler.back.c.operators import CodedOperator
from converters.compiler.back.c.parameters import designated
from converters.compiler.middle.plan import Plan

_STALE = "compile the model again for this version of the sqz library"


def source(plan: Plan, name: str, operators: Sequence[CodedOperator]) -> str:
    """Return NAME.c."""
    params = "\n\n".join(f"{each.comment}\n{_params(each, f'{name}_{i}')}" for i, each in enumerate(operators))
    rows = [each.row(f"&{name}_{i}") for i, each in enumerate(operators)]
    return f"""#include "{name}.h"

#include "sqz_ops.h"

#include "{name}_weights.h"

{params}

{engine_tables(plan, name, rows)}

{functions(name)}
"""


def _params(operator: CodedOperator, name: str) -> str:
    return f"static const {operator.ctype} {name} = {{\n{designated(operator.values)}\n}};"


def engine_tables(plan: Plan, name: str, rows: Sequence[str]) -> str:
    """Return the tables that the engine walks, from the operators' rows."""
    macro, count = name.upper(), len(plan.schedule.program.streams)
    operators = "\n".join(rows)
    return f"""static const sqz_op {name}_ops[] = {{
{operators}
}};

static const sqz_stream {name}_streams[] = {{
{_streams(plan)}
}};

static const sqz_model {name}_model = {{
{_model(plan, name)}
}};

/* The offsets above were chosen for a library whose engine keeps this much to itself. */
_Static_assert({macro}_ARENA_ALIGN == SQZ_ARENA_ALIGN, "{_STALE}");
_Static_assert(SQZ_HEADER_BYTES({len(rows)}u, {count}u) <= {_header_bytes(plan)}u, "{_STALE}");"""


def _header_bytes(plan: Plan) -> int:
    return next(part.bytes for part in plan.parts if part.kind == "header")


def _streams(plan: Plan) -> str:
    lines = []
    for i, (stream, life) in enumerate(zip(plan.schedule.program.streams, plan.schedule.lives, strict=True)):
        producer = "SQZ_NONE" if life.last_producer < 0 else str(life.last_producer)
        lines.append(
            f"    {{.offset = {plan.stream_offset[i]}, .row_bytes = {stream.row_bytes}, "
            f".ring_rows = {life.ring_rows}, .height = {stream.height}, .last_producer = {producer}}}, "
            f"/* {i}: {_short(stream.name)} {stream.height}x{stream.width}x{stream.channels} */"
        )
    return "\n".join(lines)


def _short(name: str) -> str:
    """Return a tensor's name as a comment can hold it."""
    return c.harmless(name.split(";")[0])[-60:]


def _model(plan: Plan, name: str) -> str:
    program = plan.schedule.program
    values = {
        "streams": f"{name}_streams",
        "ops": f"{name}_ops",
        "stream_count": len(program.streams),
        "op_count": len(program.operators),
        "output": program.output,
        "arena_bytes": f"{name.upper()}_ARENA_BYTES",
        "output_bytes": program.streams[program.output].bytes,
        "zero_from": plan.zero_from,
        "zero_bytes": plan.zero_bytes,
    }
    return designated(values)


def functions(name: str, slot: str = "") -> str:
    """Return the functions that callers call; with `slot`, the parameters that are filled when one is opened."""
    model, count = f"&{name}_model", f"{name.upper()}_OUTPUT_BYTES"
    check = f"\n    if ({slot}.image == NULL) {{\n        return SQZ_ERROR_STATE;\n    }}" if slot else ""

    def with_rest(call: str) -> str:
        """Return a call after which outputs that no class has are the lowest there are."""
        return f"sqz_slot_outputs({call}, output, {slot}.classes, {count})" if slot else call

    return f"""sqz_status {name}_invoke(void *arena, const int8_t *input, int8_t *output) {{{check}
    return {with_rest(f"sqz_invoke({model}, arena, input, output)")};
}}

sqz_status {name}_begin(void *arena, size_t arena_bytes) {{{check}
    return sqz_begin({model}, arena, arena_bytes);
}}

sqz_status {name}_push_row(void *arena, const int8_t *row) {{
    return sqz_push_row({model}, arena, row);
}}

sqz_status {name}_finish(void *arena, int8_t *output) {{
    return {with_rest(f"sqz_finish({model}, arena, output)")};
}}"""
