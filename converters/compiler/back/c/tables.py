"""The constant arrays of a compiled model: NAME_weights.h declares them, NAME_weights.c defines them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from converters import c_text as c
from converters.compiler.back.c.packed_weights import Packed

LINE = 110  # columns of an array's lines


@dataclass
class _Table:
    """A constant array of NAME_weights.c."""

    name: str
    ctype: str
    values: np.ndarray
    about: str


class Reference(str):
    """The name in C of a constant array, which `values` are; `packed` if they are compressed weights."""

    values: np.ndarray
    packed: Packed | None = None


@dataclass
class Tables:
    """The constant arrays, in order, under distinct names."""

    prefix: str
    tables: list[_Table] = field(default_factory=list)

    def add(self, owner: str, what: str, values: np.ndarray, about: str) -> Reference:
        """Append int8, uint8 or int32 values; return the array's name in C, made of its owner's and what it is."""
        stem = f"{self.prefix}_{owner}_{what}"
        taken = {table.name for table in self.tables}
        names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
        name = next(each for each in names if each not in taken)
        ctype = f"{values.dtype.name}_t"
        self.tables.append(_Table(name, ctype, values.reshape(-1), about))
        reference = Reference(name)
        reference.values = values.reshape(-1)
        return reference


def weights_header(name: str, tables: Tables) -> str:
    """Return NAME_weights.h."""
    # Unsized, so that a table cut short fails its assertion instead of being filled up with zeros.
    declarations = "\n".join(f"extern const {table.ctype} {table.name}[];" for table in tables.tables)
    body = f"#include <stdint.h>\n\n{c.extern_c(declarations)}"
    return c.guarded(f"{name}_weights.h", body, "SQZ_MODEL")


def weights_source(name: str, tables: Tables) -> str:
    """Return NAME_weights.c."""
    arrays = "\n\n".join(_array(table) for table in tables.tables)
    return f"""#include "{name}_weights.h"

#if defined(SQZ_WEIGHTS_SECTION) /* for instance -DSQZ_WEIGHTS_SECTION='".model"' */
#define SQZ_WEIGHTS __attribute__((section(SQZ_WEIGHTS_SECTION)))
#else
#define SQZ_WEIGHTS
#endif

{arrays}
"""


def _array(table: _Table) -> str:
    count = len(table.values)
    size = count * table.values.dtype.itemsize
    return f"""/* {table.about} */
_Alignas(4) const {table.ctype} {table.name}[] SQZ_WEIGHTS = {{
{_numbers(table.values)}
}};
_Static_assert(sizeof {table.name} == {size}, "{table.name} is cut short");"""


def _numbers(values: np.ndarray) -> str:
    words = [_BYTES[value] for value in values.tolist()] if values.dtype.itemsize == 1 else _words(values)
    width = 1 + max(len(word) for word in words)
    step = max(1, (LINE - 4) // width)
    return "\n".join("    " + " ".join(words[i : i + step]) for i in range(0, len(words), step))


_BYTES = {value: f"{value}," for value in range(-128, 256)}


def _words(values: np.ndarray) -> list[str]:
    lowest = -(1 << 31)  # has no literal of its own type
    return [f"{value}," if value != lowest else f"({lowest + 1} - 1)," for value in values.tolist()]
