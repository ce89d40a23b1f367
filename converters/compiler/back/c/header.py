"""NAME.h: what the callers of a compiled model see."""

from __future__ import annotations

from collections.abc import Iterable

from converters import c_text as c
from converters.compiler.middle import program as prog
from converters.compiler.middle.plan import ARENA_ALIGN, Plan

FORMAT_VERSION = 4  # SQZ_FORMAT_VERSION of the library this was written for


def header(plan: Plan, name: str) -> str:
    """Return NAME.h."""
    body = f"""#include "sqz.h"

{_version_check(name)}

/* The arena: RAM that the caller owns, aligned to {name.upper()}_ARENA_ALIGN; all state is in it. */
{c.defines(_constants(plan, name.upper()))}

{c.extern_c(_declarations(name, len(plan.schedule.program.results)))}"""
    return c.guarded(f"{name}.h", body, "SQZ_MODEL")


def _version_check(name: str) -> str:
    return f"""#if SQZ_FORMAT_VERSION != {FORMAT_VERSION}
#error "{name} was written for another version of the sqz library: compile the model again"
#endif"""


def _constants(plan: Plan, macro: str) -> Iterable[tuple[str, str]]:
    program = plan.schedule.program
    source = program.streams[0]
    return [
        (f"{macro}_ARENA_BYTES", f"{plan.arena_bytes}u"),
        (f"{macro}_ARENA_ALIGN", f"{ARENA_ALIGN}u"),
        *_edge(f"{macro}_INPUT", source),
        (f"{macro}_INPUT_ROW_BYTES", f"{source.row_bytes}u"),
        *(_one_output if len(program.results) == 1 else _several_outputs)(program, macro),
    ]


def _one_output(program: prog.Program, macro: str) -> list[tuple[str, str]]:
    (target,) = program.results
    return [*_edge(f"{macro}_OUTPUT", target), (f"{macro}_CLASS_COUNT", str(target.channels))]


def _several_outputs(program: prog.Program, macro: str) -> list[tuple[str, str]]:
    """Return where each output lies among the bytes that callers get, and what it is."""
    values = [
        (f"{macro}_OUTPUT_BYTES", f"{program.streams[program.output].bytes}u"),
        (f"{macro}_OUTPUTS", str(len(program.results))),
    ]
    for i, (offset, target) in enumerate(zip(program.offsets, program.results, strict=True)):
        values += [(f"{macro}_OUTPUT_{i}_OFFSET", f"{offset}u"), *_edge(f"{macro}_OUTPUT_{i}", target)]
    return values


def _edge(macro: str, stream: prog.Stream) -> list[tuple[str, str]]:
    return [
        (f"{macro}_BYTES", f"{stream.bytes}u"),
        (f"{macro}_HEIGHT", str(stream.height)),
        (f"{macro}_WIDTH", str(stream.width)),
        (f"{macro}_CHANNELS", str(stream.channels)),
        (f"{macro}_SCALE", c.float_literal(stream.scale)),
        (f"{macro}_ZERO_POINT", f"({stream.zero_point})"),
    ]


def _declarations(name: str, outputs: int) -> str:
    macro = name.upper()
    more = "" if outputs == 1 else f" * Output i lies from output + {macro}_OUTPUT_i_OFFSET on.\n"
    return f"""/* One inference. input: {macro}_INPUT_BYTES, rows of pixels from the top; output: {macro}_OUTPUT_BYTES.
{more} * Returns SQZ_OK, or the error that a null pointer or a misaligned arena is. */
sqz_status {name}_invoke(void *arena, const int8_t *input, int8_t *output);

/* The same row by row, so that the image need not be in RAM: begin, then {macro}_INPUT_HEIGHT rows of
 * {macro}_INPUT_ROW_BYTES from the top, then finish. */
sqz_status {name}_begin(void *arena, size_t arena_bytes);
sqz_status {name}_push_row(void *arena, const int8_t *row);
sqz_status {name}_finish(void *arena, int8_t *output);"""
