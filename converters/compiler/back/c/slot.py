"""A program whose weights lie in a slot: its C, and the image that a slot holds (docs/formats/squ.md).

Of what the kernels read, shapes are the program's; all that training and quantization decide is the image's.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from converters import c_text as c
from converters.compiler.back.c.header import header
from converters.compiler.back.c.operators import CodedOperator, coded
from converters.compiler.back.c.packed_weights import SLOT_BITS, Packed
from converters.compiler.back.c.parameters import designated
from converters.compiler.back.c.source import engine_tables, functions
from converters.compiler.back.c.tables import Reference, Tables
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.middle.plan import Plan

MAGIC = b"SQZI"
HEADER_BYTES = 64
PLAIN = "net"  # the name under which programs are compared

# Fields of the structures of mcu/src/sqz_ops.h that are no shapes.
NUMBERS = frozenset(
    [
        *("zero_point", "lowest", "highest", "input_zero_point", "slope_zero_point", "zero_sum", "value"),
        *("multiplier", "shift", "diff_min", "bytes", "scales", "bias_bits", "scale_bits"),
        *(f"{what}_{of}" for what in ("multiplier", "shift", "zero_point") for of in ("a", "b", "out")),
    ]
)


@dataclass(frozen=True)
class Leaf:
    """A field that an image fills: where it is among the parameters, and its number or its table."""

    path: str
    value: int | Reference


@dataclass(frozen=True)
class Section:
    """A table of an image: where it lies, its bytes, and how it is compressed if it is."""

    at: int
    bytes: int
    packed: Packed | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """What a slot holds, and where its tables are."""

    data: bytes
    network: bytes
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Test:
    """The input that a device tries a new image with, and what comes out of it.

    Attributes:
      seed: of the input, 1 to 2^32 - 1; 0 for no test.
      crc: CRC-32 of the outputs.
    """

    seed: int = 0
    crc: int = 0


@dataclass(frozen=True, eq=False)
class SlotProgram:
    """The program of an architecture, and what it leaves to the slot."""

    plan: Plan
    choices: Sequence[Choice]
    operators: Sequence[CodedOperator]
    classes: int

    @property
    def leaves(self) -> list[Leaf]:
        """The fields that an image fills, in the order of its numbers."""
        found = []
        for i, operator in enumerate(self.operators):
            found += [Leaf(f"op_{i}.{path}", value) for path, value in _leaves(operator)]
        for i, result in enumerate(self.plan.schedule.program.results):
            bits = int(np.float32(result.scale).view(np.int32))
            found += [Leaf(f"output[{i}].scale", bits), Leaf(f"output[{i}].zero_point", result.zero_point)]
        return [*found, Leaf("classes", self.classes)]

    @property
    def network(self) -> bytes:
        """The network hash."""
        text = header(self.plan, PLAIN, slot=True) + self.source(PLAIN, bytes(32))
        plain = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))
        return hashlib.sha256(plain.encode()).digest()

    def source(self, name: str, network: bytes) -> str:
        """Return NAME.c."""
        params = f"{name}_params"
        rows = [each.row(f"&{params}.op_{i}") for i, each in enumerate(self.operators)]
        return f"""#include "{name}.h"

#include "sqz_ops.h"

/* What the operators' functions are told: shapes; {name}_open takes the rest from a slot. */
static struct {params} {{
    const uint8_t *image;
{self._members()}
}} {params} = {{
{self._initialisers()}
}};

static const sqz_slot_field {name}_fields[] = {{
{self._fields(params)}
}};

{engine_tables(self.plan, name, rows)}

static const sqz_slot {name}_slot = {{
    .network = {{
{_indented(c.byte_rows(network))}
    }},
    .fields = {name}_fields,
    .field_count = sizeof {name}_fields / sizeof {name}_fields[0],
    .params = &{params},
}};

{_slot_functions(name)}

{functions(name, params)}
"""

    def _members(self) -> str:
        lines = [f"    {each.ctype} op_{i}; {each.comment}" for i, each in enumerate(self.operators)]
        outputs = len(self.plan.schedule.program.results)
        return "\n".join([*lines, f"    sqz_edge output[{outputs}];", "    uint32_t classes;"])

    def _initialisers(self) -> str:
        blocks = []
        for i, each in enumerate(self.operators):
            fields = _indented(designated(_shapes(each.values, _numbers(each))))
            blocks.append(f"    .op_{i} = {{\n{fields}\n    }},")
        return "\n".join(blocks)

    def _fields(self, params: str) -> str:
        kinds = {True: "SQZ_SLOT_TABLE", False: "SQZ_SLOT_NUMBER"}
        leaves = self.leaves
        return "\n".join(f"    {kinds[isinstance(e.value, Reference)]}({params}, {e.path})," for e in leaves)


def slot_program(plan: Plan, choices: Sequence[Choice], classes: int) -> SlotProgram:
    """Return the program of a plan that was made for a slot, and of how many bytes of its outputs are the network's."""
    tables = Tables(PLAIN)
    return SlotProgram(plan, choices, [coded(plan, i, choice, tables) for i, choice in enumerate(choices)], classes)


def image(program: SlotProgram, test: Test, labels: bytes = b"") -> Image:
    """Return what a slot holds for a program to run this network.

    Args:
      program: of the network.
      test: what a device tries it with.
      labels: UTF-8, one a line.
    """
    leaves = program.leaves
    data, numbers, sections = bytearray(HEADER_BYTES + 4 * len(leaves)), [], []
    for leaf in leaves:
        numbers.append(len(data) if isinstance(leaf.value, Reference) else leaf.value)
        if isinstance(leaf.value, Reference):
            values = leaf.value.values
            sections.append(Section(len(data), values.nbytes, leaf.value.packed))
            data += _aligned(values.astype(values.dtype.newbyteorder("<")).tobytes())
    where = len(data) if labels else 0
    data += _aligned(labels)
    network = program.network
    data[:HEADER_BYTES] = struct.pack(
        "<4sI32s6I", MAGIC, len(data), network, len(leaves), test.seed, test.crc, where, len(labels), 0
    )
    struct.pack_into(f"<{len(numbers)}i", data, HEADER_BYTES, *numbers)
    return Image(bytes(data), network, tuple(sections))


def _aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _numbers(operator: CodedOperator) -> frozenset[str]:
    """Return the names of an operator's fields that are no shapes; a softmax is over as many classes as there are."""
    alone = operator.ctype == "sqz_softmax" and operator.values["width"] == 1
    return NUMBERS | {"channels"} if alone else NUMBERS


def _leaves(operator: CodedOperator) -> Iterator[tuple[str, int | Reference]]:
    """Yield the path and value of each field of an operator that is no shape."""
    return _filled(operator.values, _numbers(operator))


def _filled(values: Mapping[str, object], numbers: frozenset[str]) -> Iterator[tuple[str, int | Reference]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{path}", each) for path, each in _filled(value, numbers))
        elif isinstance(value, Reference) or (key in numbers and isinstance(value, (int, np.integer))):
            yield key, value if isinstance(value, Reference) else int(value)


def _shapes(values: Mapping[str, object], numbers: frozenset[str]) -> dict[str, object]:
    """Return the fields without those that an image fills."""
    left = {
        key: type(value)(_shapes(value, numbers)) if isinstance(value, dict) else value for key, value in values.items()
    }
    filled = {path for path, _ in _filled(values, numbers)}
    return {key: value for key, value in left.items() if key not in filled}


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _slot_functions(name: str) -> str:
    return f"""sqz_status {name}_open(const void *image, size_t image_bytes) {{
    const sqz_status status = sqz_slot_open(&{name}_slot, image, image_bytes);
    if (status == SQZ_OK && {name}_params.classes > {name.upper()}_OUTPUT_BYTES) {{
        {name}_params.image = NULL;
        return SQZ_ERROR_IMAGE;
    }}
    return status;
}}

unsigned {name}_classes(void) {{
    return {name}_params.classes;
}}

sqz_status {name}_self_test(void *arena, int8_t *row, int8_t *output) {{
    return sqz_slot_test(&{name}_model, {name}_params.image, {name}_params.classes, arena, row, output);
}}

const sqz_edge *{name}_output(unsigned i) {{
    return &{name}_params.output[i];
}}

const char *{name}_slot_labels(size_t *bytes) {{
    return sqz_slot_labels({name}_params.image, bytes);
}}

const uint8_t *{name}_network(void) {{
    return {name}_slot.network;
}}"""


assert SLOT_BITS == 10  # the format says so
