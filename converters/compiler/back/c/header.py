"""NAME.h: what the callers of a compiled model see."""

from __future__ import annotations

from collections.abc import Iterable

from converters import c_text as c
from converters.compiler.middle import program as prog
from converters.compiler.middle.plan import ARENA_ALIGN, Plan

FORMAT_VERSION = 4  # SQZ_FORMAT_VERSION of the library this was written for


def header(plan: Plan, name: str, slot: bool = False) -> str:
    """Return NAME.h; with `slot` that of a program whose weights lie in one."""
    macro = name.upper()
    constants = dict(_constants(plan, macro))
    if slot:
        constants = {**constants, **_from_slot(plan, name)}
    declarations = _declarations(name, len(plan.schedule.program.results))
    body = f"""#include "{"sqz_slot.h" if slot else "sqz.h"}"

{_version_check(name)}

/* The arena: RAM that the caller owns, aligned to {macro}_ARENA_ALIGN; all state is in it. */
{c.defines(constants.items())}

{c.extern_c(_slot_declarations(name) + declarations if slot else declarations)}"""
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


def _from_slot(plan: Plan, name: str) -> dict[str, str]:
    """Return the macros whose values training decides, as a slot has them."""
    results = plan.schedule.program.results
    found = {}
    for i in range(len(results)):
        macro = f"{name.upper()}_OUTPUT" if len(results) == 1 else f"{name.upper()}_OUTPUT_{i}"
        found[f"{macro}_SCALE"] = f"({name}_output({i})->scale)"
        found[f"{macro}_ZERO_POINT"] = f"({name}_output({i})->zero_point)"
    return found


def _slot_declarations(name: str) -> str:
    macro = name.upper()
    return f"""/* First of all: run the image at an address aligned to 4, where it stays. Another architecture's is
 * SQZ_ERROR_NETWORK, what is no whole image SQZ_ERROR_IMAGE. One is open at a time. */
sqz_status {name}_open(const void *image, size_t image_bytes);

/* Run the test that the open image carries: SQZ_ERROR_TEST unless the outputs are those that were expected when it was
 * made. row: {macro}_INPUT_ROW_BYTES, output: {macro}_OUTPUT_BYTES. */
sqz_status {name}_self_test(void *arena, int8_t *row, int8_t *output);

/* How many bytes of the output the open image's network has; the rest is -128. */
unsigned {name}_classes(void);

/* The scale and zero point of an output, and the labels of the open image: UTF-8, one a line, without a NUL. */
const sqz_edge *{name}_output(unsigned i);
const char *{name}_slot_labels(size_t *bytes);

/* What an update for this program says of it (docs/formats/squ.md). */
const uint8_t *{name}_network(void);

"""


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
