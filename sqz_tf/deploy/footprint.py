"""What a compiled model takes on a Cortex-M, from a real link: flash, static RAM, and a bound of its stack.

Needs arm-none-eabi-gcc. The model is linked with a caller that begins it, pushes rows and finishes, and what that
caller does not reach is left out, as in any firmware. The stack bound is the deepest path in the compiler's own call
graph (`-fcallgraph-info=su`). A call through a pointer counts as the deepest of the functions that nobody calls by
name: those private to its file or, where it has none, those that all files see. The library uses pointers so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqz_tf.base.errors import SqzError

GCC, SIZE = "arm-none-eabi-gcc", "arm-none-eabi-size"
SECTION = ".model"  # weights and tables go there, apart from code
NAKED = {  # written in assembly: what they push, which GCC takes for nothing
    "sqz_dsp_fours": 88,
    "sqz_dsp_sparse_fours": 88,
    "sqz_mve_fours": 100,
    "sqz_dsp_four_sums": 40,
    "one_dsp_fours": 84,
    "one_mve_fours": 100,
    "narrow_mve_fours": 136,
    "short_mve_27": 100,
    "short_mve_32": 100,
    "depthwise_dsp_sums": 80,
    "depthwise_dsp_widen": 36,
    "nine_dsp_widen": 36,
    "pairs_dsp_widen": 36,
    "depthwise_dsp_unfold": 36,
    "depthwise_mve_sums": 100,
    "thumb_fours": 28,
    "sqz_winograd_weights": 36,
    "sqz_winograd_sums": 64,
    "sqz_winograd_outputs": 72,
}
LIBRARY_STACK = 32  # memcpy and memset of the C library, whose call graph is not at hand
INDIRECT = "__indirect_call"
_FLAGS = ("-std=c11", "-O2", "-mthumb", "-ffunction-sections", "-fdata-sections", f'-DSQZ_WEIGHTS_SECTION="{SECTION}"')
_CALLER = """#include "NAME.h"
int sqz_fit_caller(void *arena, const int8_t *row, int8_t *scores);
int sqz_fit_caller(void *arena, const int8_t *row, int8_t *scores) {
    return (int)NAME_begin(arena, MACRO_ARENA_BYTES) + (int)NAME_push_row(arena, row) + (int)NAME_finish(arena, scores);
}
"""


class LinkError(SqzError):
    """The compiler or the linker refused the files."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of a linked model.

    Attributes:
      code: instructions and the constants they use.
      weights: weights, biases and tables of scales.
      static: RAM besides the caller's arena.
      stack: the most its functions use at once, without interrupts; None where no bound could be found.
    """

    code: int
    weights: int
    static: int
    stack: int | None


def why_not() -> str | None:
    """Return None where models can be linked on this machine, else the reason why not."""
    missing = [tool for tool in (GCC, SIZE) if shutil.which(tool) is None]
    return f"{', '.join(missing)} not found" if missing else None


def link(files: Mapping[str, str], name: str, core: str) -> Footprint:
    """Compile and link a compiled model for a core and measure it.

    Args:
      files: what the compiler wrote, name → text, flat.
      name: the model's name in C.
      core: as in GCC's `-mcpu`, such as cortex-m4.

    Raises:
      LinkError: it does not compile; the message ends with the compiler's first error.
    """
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        folder = Path(place)
        caller = _CALLER.replace("NAME", name).replace("MACRO", name.upper())
        for path, text in {**files, "sqz_fit_caller.c": caller}.items():
            (folder / path).write_text(text, encoding="utf-8")
        target = (f"-mcpu={core}", f"-mfloat-abi={'hard' if core == 'cortex-m55' else 'soft'}")
        sources = sorted(path.name for path in folder.glob("*.c"))
        _run([GCC, *_FLAGS, *target, "-fcallgraph-info=su", "-c", *sources], folder)
        objects = [f"{Path(source).stem}.o" for source in sources]
        entry = ("-nostartfiles", "-Wl,--gc-sections,-Map=model.map,-e,sqz_fit_caller")
        _run([GCC, *target, *entry, *objects, "-o", "model.elf"], folder)
        sections = _sections(_run([SIZE, "-A", "-d", "model.elf"], folder))
        linked = _linked((folder / "model.map").read_text())
        graph = "".join(path.read_text() for path in sorted(folder.glob("*.ci")))
    # The library's functions have the model's name in front; NAKED is told in their own.
    graph = graph.replace(f"{name}_sqz_", "sqz_")
    linked = {function.replace(f"{name}_sqz_", "sqz_") for function in linked}
    weights = sections.pop(SECTION, 0)
    static = sum(sections.pop(kind, 0) for kind in (".bss", ".data"))
    code = sum(size for kind, size in sections.items() if kind.startswith((".text", ".rodata", ".ARM")))
    return Footprint(code, weights, static, stack_bound(graph, "sqz_fit_caller", linked))


@lru_cache
def compiler() -> str:
    """Return what is linked with, for the record: `arm-none-eabi-gcc 12.2.1`."""
    version = subprocess.run([GCC, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"{GCC} {version.stdout.strip()}"


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line or "undefined" in line]
        raise LinkError(f"{command[0]} refuses the compiled model: {(errors or ['no message'])[0]}")
    return done.stdout


def _sections(text: str) -> dict[str, int]:
    """Read `size -A`: a line for each section, `NAME BYTES ADDRESS`."""
    rows = re.findall(r"^(\.\S+)\s+(\d+)\s+\d+\s*$", text, re.MULTILINE)
    return {name: int(size) for name, size in rows if not name.startswith((".debug", ".comment"))}


def _linked(linker_map: str) -> set[str]:
    """Return the functions in the program as `FILE.c:FUNCTION`, from the linker's map."""
    kept = linker_map[linker_map.index("Linker script and memory map") :]
    found = re.findall(r"^ \.text\.(\S+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+ (\w+)\.o$", kept, re.MULTILINE)
    return {f"{file}.c:{function}" for function, file in found}


def stack_bound(graph: str, entry: str, linked: Collection[str]) -> int | None:
    """Return the bytes of stack of the deepest path from `entry`, or None where it has no bound.

    Args:
      graph: what GCC wrote with `-fcallgraph-info=su`, of all files.
      entry: the function called from outside.
      linked: the functions in the program, `FILE.c:FUNCTION`; one that nobody calls is called through a pointer.
    """
    frames, calls = _call_graph(graph)
    files = {function: function for function in linked} | {_plain(function): function for function in linked}
    present = {function: files[function].split(":")[0] for function in frames if function in files}
    called = {target for source in present for target in calls[source] if source != target}
    pointed = {function for function in present if function not in called and function != entry}
    for source, file in present.items():
        if INDIRECT in calls[source]:
            private = {function for function in pointed if function.startswith(f"{file}:")}
            calls[source] |= private or {function for function in pointed if ":" not in function}
    return _deepest(entry, frames, calls, ())


def _plain(function: str) -> str:
    """Return a function's name without its file, which GCC gives for static functions alone."""
    return function.split(":")[-1]


def _call_graph(graph: str) -> tuple[dict[str, int | None], dict[str, set[str]]]:
    """Return the frame of each function (None: not bounded) and what it calls."""
    frames: dict[str, int | None] = {}
    for title, size, kind in re.findall(
        r'^node: \{ title: "([^"]+)" label: "[^"]*?(\d+) bytes \(([^)]*)\)', graph, re.M
    ):
        frames[title] = None if kind == "dynamic" else max(int(size), NAKED.get(title.rpartition(":")[2], 0))
    calls: dict[str, set[str]] = {function: set() for function in frames}
    for source, target in re.findall(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', graph, re.M):
        calls.setdefault(source, set()).add(target)
    return frames, calls


def _deepest(
    function: str, frames: Mapping[str, int | None], calls: Mapping[str, set[str]], above: tuple[str, ...]
) -> int | None:
    if function in above:
        return None  # it calls itself
    own = 0 if function == INDIRECT else frames.get(function, LIBRARY_STACK)
    below = [_deepest(callee, frames, calls, (*above, function)) for callee in sorted(calls.get(function, ()))]
    if own is None or None in below:
        return None
    return own + max((depth for depth in below if depth is not None), default=0)
