"""The C library that compiled models call: where its sources are, and which of them a model needs.

A checkout has them in `mcu/src`; a wheel carries the folder `mcu` as `converters/compiler/mcu`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from converters import c_text as c

_COMPILER = Path(__file__).resolve().parents[2]
_KERNEL = re.compile(r"^void (sqz_\w+)\(const void \*params, const sqz_rows \*rows\) \{", re.MULTILINE)
_INCLUDE = re.compile(r'^\s*#include "(\w+\.h)"', re.MULTILINE)
_FUNCTION = re.compile(r"^(?!static|typedef|return)[a-z][\w *]*\b(sqz_\w+)\(", re.MULTILINE)
NAMES = "sqz_names.h"
ENGINE = "sqz_stream.c"
SLOT = ("sqz_slot.c", "sqz_update.c")  # for programs whose weights are updated
IMAGE = "sqz_image.c"  # camera rows to network rows: for callers; what they do not call the linker leaves out


@lru_cache
def root() -> Path:
    """Return the folder `mcu`.

    Raises:
      ValueError: it is neither beside the packages nor inside this one.
    """
    for folder in (_COMPILER.parents[1] / "mcu", _COMPILER / "mcu"):
        if (folder / "src" / ENGINE).is_file():
            return folder
    raise ValueError(f"the C library is missing: expected {_COMPILER / 'mcu' / 'src' / ENGINE}; install sqz-tf again")


@lru_cache
def _sources() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((root() / "src").glob("*.[ch]"))}


@lru_cache
def _defined_in() -> dict[str, str]:
    return {name: file for file, text in _sources().items() if file.endswith(".c") for name in _KERNEL.findall(text)}


def files(kernels: Iterable[str], model: str | None = None, more: Iterable[str] = ()) -> dict[str, str]:
    """Return the sources of the engine, the image rows and the kernels named, with all they include: name → text.

    Args:
      kernels: functions that the model calls.
      more: further files of the library.
      model: its name, put in front of the library's functions for the linker; None: they are called as written.

    Raises:
      ValueError: a kernel is not in the library.
    """
    return alone(kernels, model, (ENGINE, IMAGE, *more))


def alone(kernels: Iterable[str], model: str | None, more: Iterable[str] = ()) -> dict[str, str]:
    """Return the sources of the kernels named without an engine, for who calls them; arguments as for `files`."""
    sources, defined, wanted = _sources(), _defined_in(), set(kernels)
    result: dict[str, str] = {}
    missing = sorted(wanted - set(defined))
    if missing:
        raise ValueError(f"the C library lacks {', '.join(missing)}; install sqz-tf again")
    waiting = [*more, *(defined[name] for name in sorted(wanted))]
    while waiting:
        name = waiting.pop()
        if name not in result:
            result[name] = sources[name]
            included = _INCLUDE.findall(sources[name])
            # What a header declares, the source of its name defines.
            waiting += [file for header in included for file in (header, f"{header[:-2]}.c") if file in sources]
    if model is not None:
        result[NAMES] = names_header(result, model)
    return dict(sorted(result.items()))


def symbol(model: str, function: str) -> str:
    """Return what a function of the library is called to the linker in a model's folder."""
    return f"{model}_{function}"


def names_header(sources: Mapping[str, str], model: str) -> str:
    """Return the header that gives the functions of some sources the names that `symbol` tells.

    Args:
      sources: file name → text, of all the library's files in a folder.
      model: its name.
    """
    texts = [text for file, text in sources.items() if file.endswith(".c")]
    functions = sorted({name for text in texts for name in _FUNCTION.findall(text)})
    pairs = [(name, symbol(model, name)) for name in functions]
    return f"""/* The linker's names for the sqz library's functions in this folder: {model} is in front, so that
 * other models can be linked into the same program. Each has its own copy of the functions. */
#ifndef SQZ_NAMES_H
#define SQZ_NAMES_H
{c.defines(pairs)}
#endif
"""
