"""All passes in a row: from the bytes of a `.tflite` to the files of a C folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from converters.compiler.back.c import emit, library, slot, targets
from converters.compiler.back.c.arrangement import arrange
from converters.compiler.back.c.selection import DENSE, Packing
from converters.compiler.back.c.speed import speed_up
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.front.network import Graph
from converters.compiler.front.read import read_graph
from converters.compiler.middle.legalise import legalise
from converters.compiler.middle.plan import Plan, plan
from converters.compiler.middle.program import Program
from converters.compiler.middle.schedule import Schedule, schedule
from converters.compiler.middle.timeline import whole_maps
from converters.compiler.middle.widen import widened


@dataclass(frozen=True, eq=False)
class Compilation:
    """What each pass made of a model."""

    model: bytes
    target: str
    graph: Graph
    program: Program
    schedule: Schedule
    choices: tuple[Choice, ...]
    plan: Plan
    packing: Packing = DENSE


@lru_cache(maxsize=2)
def analyse(model: bytes, target: str = "generic", packing: Packing = DENSE) -> Compilation:
    """Run every pass but the last; the last two results are kept, for who asks again.

    Args:
      model: the bytes of an int8 `.tflite`.
      target: generic, cortex-m0plus (also M0), cortex-m3, cortex-m4 (also M7, M33: the DSP extension), cortex-m55
        (also M85: Helium), riscv32, aarch64 (64-bit ARM: NEON) or wasm32 (browsers: with SIMD or without).
      packing: which weights to compress.

    Raises:
      ValueError: the model cannot be compiled; the message names the layer, its operator and the reason.
    """
    graph = read_graph(model)
    program = legalise(graph)
    if packing.classes:
        program = widened(program, packing.classes)
    choices = targets.choose(program, target, packing)
    program, choices = arrange(program, choices, packing.arena_budget, packing.optimize == "ram")
    if packing.optimize == "speed" and not any(choice.packed for choice in choices):
        whole = max(size for _, size in whole_maps(graph))
        program, choices = speed_up(program, choices, target, packing.arena_budget, whole)
    choices = targets.with_pointers(program, choices)
    timed = schedule(program)
    planned = plan(timed, tuple(choice.scratch_bytes for choice in choices))
    return Compilation(model, target, graph, program, timed, choices, planned, packing)


def compile_model(
    model: bytes,
    name: str,
    target: str = "generic",
    *,
    provenance: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, str]:
    """Return the files of a folder that runs a model: NAME.h, NAME.c, the weights, and the C library it calls.

    Args:
      model: the bytes of an int8 `.tflite`.
      name: what every name in the C begins with, and its files.
      target: as for `analyse`.
      provenance: further lines of the comments on top, such as tools.
      labels: a name for each class, for NAME_labels.h and .c; None for neither file.

    Returns:
      File name → text. The same arguments give the same files.

    Raises:
      ValueError: the model cannot be compiled, the name is none in C, or the labels do not fit.
    """
    return files(analyse(model, target), name, provenance, labels)


def files(
    compilation: Compilation,
    name: str,
    provenance: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, str]:
    """Return the files of what was analysed, as `compile_model` does."""
    if compilation.packing.slot:
        return slot_files(compilation, name, slot_image(compilation), provenance)
    own = emit.c_files(compilation.plan, compilation.choices, name, compilation.model, provenance or {}, labels)
    return {**own, **library.files((choice.function for choice in compilation.choices), name)}


def slot_image(compilation: Compilation, test: slot.Test | None = None, labels: bytes = b"") -> slot.Image:
    """Return what a slot holds for the program of a network that was analysed for one to run it.

    Args:
      compilation: with `packing.slot`.
      test: what a device tries it with.
      labels: that the image carries, UTF-8, one a line.
    """
    return slot.image(_slot_program(compilation), test or slot.Test(), labels)


def _slot_program(compilation: Compilation) -> slot.SlotProgram:
    outputs = sum(each.bytes for each in legalise(compilation.graph).results)
    return slot.slot_program(compilation.plan, compilation.choices, outputs)


def slot_files(
    compilation: Compilation,
    name: str,
    image: slot.Image,
    provenance: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the files of a program whose weights lie in a slot, with what updates them.

    Args:
      compilation: with `packing.slot`.
      name, provenance: as for `compile_model`.
      image: that the folder holds for the beginning.
    """
    program = _slot_program(compilation)
    own = emit.slot_files(program, image, name, compilation.model, provenance or {})
    return {**own, **library.files((choice.function for choice in compilation.choices), name, library.SLOT)}
