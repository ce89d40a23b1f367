"""Equality, row by row: what the C computes is what TFLite's reference kernels do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from converters.compiler import TARGETS
from converters.compiler.back.c.selection import Packing
from converters.compiler.back.c.weight_layout import GROUPED
from converters.tflite.writer import to_uint8_twin
from tests.helpers.compiled_networks import benchmark, confident, deep, mixed, reshaped, tall
from tests.helpers.compiled_on_host import SANITIZERS, Program, Reference
from tests.helpers.int8_networks import squeezenet
from tests.helpers.needs import quick, require
from tools.bench_mcu.coarse import coarse

BIG_ENDIAN = ("powerpc-linux-gnu-gcc", ("-static",), ("qemu-ppc",))
SMALLEST = Packing(optimize="flash", arena_budget=1 << 20)


def _models() -> dict[str, bytes]:
    from tests.helpers import keras_models

    int8 = keras_models.int8_model()
    twin = to_uint8_twin(int8)
    models = {"converted": int8, "twin": twin, "fires": squeezenet(), "mixed": mixed(), "confident": confident()}
    models |= {f"reshaped_{where}": reshaped(where) for where in ("flat", "rows", "both", "beside")}
    return models | {"tall": tall()}


@pytest.mark.parametrize(
    ("target", "compiler", "flags", "emulator"),
    quick(
        [
            *((target, "gcc", SANITIZERS, ()) for target in ("generic", "cortex-m4", "cortex-m55")),
            ("cortex-m4", "gcc", ("-m32",), ()),
            ("generic", *BIG_ENDIAN),
            ("cortex-m4", *BIG_ENDIAN),
        ],
        ("generic", "gcc", SANITIZERS, ()),
        ("cortex-m4", *BIG_ENDIAN),
    ),
)
def test_every_row_equals_the_reference_kernels(
    tmp_path: Path, target: str, compiler: str, flags: tuple[str, ...], emulator: tuple[str, ...]
) -> None:
    require(not emulator or shutil.which(emulator[0]), f"{emulator} is not installed")
    models = _models()
    program = Program(tmp_path, models, target=target, flags=flags, compiler=compiler)
    for name, model in models.items():
        found = program.compare(name, Reference(model), 3, emulator)
        assert found == [], name


@pytest.mark.parametrize(
    ("target", "compiler", "flags", "emulator"),
    quick(
        [
            *((target, "gcc", SANITIZERS, ()) for target in ("generic", *GROUPED)),  # as which the others decode
            ("cortex-m4", "gcc", ("-m32",), ()),
            ("cortex-m4", *BIG_ENDIAN),
            ("generic", *BIG_ENDIAN),
        ],
        ("generic", "gcc", SANITIZERS, ()),
        ("cortex-m4", "gcc", SANITIZERS, ()),
        ("cortex-m4", *BIG_ENDIAN),
    ),
)
def test_every_row_with_compressed_weights(
    tmp_path: Path, target: str, compiler: str, flags: tuple[str, ...], emulator: tuple[str, ...]
) -> None:
    require(not emulator or shutil.which(emulator[0]), f"{emulator} is not installed")
    models = {name: coarse(model) for name, model in {**_models(), **deep()}.items()}
    program = Program(tmp_path, models, target=target, packing=SMALLEST, flags=flags, compiler=compiler)
    choices = [choice for each in program.compilations.values() for choice in each.choices]
    assert sum(choice.packed is not None for choice in choices) > 30
    banded = {each.band for found in program.compilations.values() for each in found.program.operators if each.at_once}
    assert banded == {2, 3, 4}
    for name, model in models.items():
        assert program.compare(name, Reference(model), 2, emulator) == [], name


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_every_row_of_the_benchmarks_networks(tmp_path: Path, target: str) -> None:
    program = Program(tmp_path, benchmark(), target=target, flags=("-O2",))
    for name, model in benchmark().items():
        assert program.compare(name, Reference(model), 1) == [], name
