"""The convolution by Winograd's method against the readable one: equal in every byte, whatever the shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import compiler
from converters.compiler.back.c import winograd
from converters.compiler.middle.program import ConvKernel
from tests.helpers import c_library as mcu
from tests.mcu.test_fast_convolutions import FAST, case, random_conv
from tools.bench_mcu.graphs import GRAPHS, squeezenet

pytestmark = pytest.mark.device

FILES = (*FAST, *(f"{mcu.SOURCES}/sqz_{part}.c" for part in ("conv_winograd_dsp", "winograd_dsp")))
SHAPES = [
    (3, 3, 1, pad, 1, width, 4 * i, 4 * o)
    for pad, width, i, o in [
        (1, 8, 1, 1),
        (1, 14, 3, 2),
        (1, 9, 2, 3),
        (1, 1, 1, 1),
        (1, 2, 5, 1),
        (0, 6, 2, 1),
        (2, 5, 1, 2),
        (1, 16, 16, 1),
    ]
]


def by_winograd(conv: ConvKernel, height: int, margin: int = 0) -> mcu.Case:
    choice = winograd.lay_out(conv, tiles=2 + 2 * (height % 2))
    assert choice is not None
    return case(conv, "cortex-m4", height, margin, choice, winograd.ROWS)


def expected(conv: ConvKernel, height: int, margin: int = 0) -> np.ndarray:
    return mcu.run(case(conv, "reference", height, margin), mcu.build(*FILES))


@pytest.mark.parametrize("height", [1, 2, 7, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_the_readable_convolution(shape: tuple[int, ...], height: int) -> None:
    for seed in range(6):
        conv = random_conv(seed, shape, relu=seed % 2 == 0)
        if height + 2 * conv.window.pad_top >= 3:
            found = mcu.run(by_winograd(conv, height, 5), mcu.build(*FILES))
            np.testing.assert_array_equal(found, expected(conv, height, 5))


def extreme_conv(sign: int) -> ConvKernel:
    """Return a convolution with the largest products there are."""
    conv = random_conv(1, (3, 3, 1, 1, 1, 9, 64, 4))
    signs = np.random.default_rng(0).choice([-1, 1], conv.weights.shape)
    return replace(conv, weights=np.where(signs * sign > 0, 127, -128).astype(np.int8), input_zero_point=-128)


def cases() -> list[mcu.Case]:
    convs = [random_conv(i, shape, relu=i % 4 < 2) for i, shape in enumerate(SHAPES) if shape[3]]
    convs += [extreme_conv(1), extreme_conv(-1)]
    return [replace(by_winograd(conv, 9), expected=expected(conv, 9)) for conv in convs]


SLOWER = [pytest.param(each, marks=pytest.mark.slow) for each in (("-Os", "-fno-omit-frame-pointer"), ("-O0",))]


@pytest.mark.parametrize("flags", [("-O2",), *SLOWER], ids="".join)
def test_processors_with_the_instructions_give_the_same_bytes(flags: tuple[str, ...], tmp_path: Path) -> None:
    assert mcu.on_board(cases(), "cortex-m4", tmp_path, *flags, files=FILES) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "emulator"), mcu.OTHERS.values(), ids=mcu.OTHERS)
def test_other_processors_give_the_same_bytes(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    mcu.require_equal(cases(), tmp_path, compiler, emulator, FILES)


@pytest.mark.parametrize(("target", "optimize"), [("generic", "speed"), ("cortex-m55", "speed"), ("cortex-m4", "ram")])
def test_no_byte_of_ram_is_spent_where_it_is_not_wanted(target: str, optimize: str) -> None:
    said = compiler.report(compiler.analyse(squeezenet(GRAPHS["c"]), target, compiler.Packing(optimize=optimize)))
    assert winograd.FUNCTION not in {each["function"] for each in said["operators"]}
    assert said["arena"]["bytes"] < 50_000


@pytest.mark.slow
def test_the_arena_keeps_a_budget() -> None:
    model, arenas = squeezenet(GRAPHS["c"]), []
    for budget in (75_000, 85_000, 200_000):
        said = compiler.report(compiler.analyse(model, "cortex-m4", compiler.Packing(arena_budget=budget)))
        assert winograd.FUNCTION in {each["function"] for each in said["operators"]}
        assert said["arena"]["bytes"] <= budget
        arenas.append(said["arena"]["bytes"])
    assert arenas == sorted(set(arenas))
