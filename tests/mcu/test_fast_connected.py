"""The fast fully connected layers against the portable one on random shapes, here and on virtual boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.compiler.back.c.connected import lay_out
from converters.compiler.back.c.weight_layout import Choice
from converters.compiler.middle import arithmetic
from converters.compiler.middle.program import ExactRequant, FullyConnectedKernel
from tests.helpers import c_library as mcu

pytestmark = pytest.mark.device

PARTS = (
    "fully_connected_dsp",
    "fully_connected_mve",
    "fully_connected_neon",
    "neon",
    "fully_connected_wasm",
    "sums_dsp",
)
FILES = tuple(f"{mcu.SOURCES}/sqz_{part}.c" for part in PARTS)
FUNCTION = {"cortex-m4": "sqz_fully_connected_row_dsp", "cortex-m55": "sqz_fully_connected_row_mve"}
ALL = {**FUNCTION, "aarch64": "sqz_fully_connected_row_neon", "wasm32": "sqz_fully_connected_row_wasm"}
SHAPES = [(1, 640, 12), (1, 8, 16), (3, 21, 7), (25, 16, 4), (2, 33, 3), (1, 1, 1), (5, 50, 9), (1, 19, 640)]
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]


def connection(seed: int, shape: tuple[int, int, int]) -> FullyConnectedKernel:
    """Return a layer of height, row bytes and outputs, with results over the whole of int8 and beyond."""
    rng = np.random.default_rng(seed)
    height, row_bytes, outputs = shape
    scales = outputs if seed % 2 else 1
    real = rng.uniform(30, 200) / (70 * 70 * np.sqrt(height * row_bytes)) * 2.0 ** rng.uniform(-1, 1, scales)
    zero_point = int(rng.integers(-128, 100))
    return FullyConnectedKernel(
        weights=rng.integers(-127, 128, (outputs, height * row_bytes)).astype(np.int8),
        bias=rng.integers(-3000, 3000, outputs).astype(np.int32),
        requant=ExactRequant(*arithmetic.exact_factors(real), zero_point, int(rng.choice([-128, zero_point])), 127),
        row_bytes=row_bytes,
        height=height,
        out_channels=outputs,
    )


def case(kernel: FullyConnectedKernel, target: str) -> mcu.Case:
    choice, to = lay_out(kernel, target), kernel.requant
    values = np.random.default_rng(1).integers(-128, 128, (1, kernel.height, kernel.row_bytes, 1)).astype(np.int8)
    fields = {
        "weights": choice.weights,
        "bias": kernel.bias,
        "requant": {name: getattr(to, name) for name in ("high", "low", "shift", "zero_point", "lowest", "highest")}
        | {"step": int(len(to.shift) > 1)},
        "row_bytes": kernel.row_bytes,
        "height": kernel.height,
        "out_channels": kernel.out_channels,
    }
    if kernel.width:
        return of_each(kernel, choice, fields)
    call = mcu.Call(
        choice.function,
        ("sqz_fully_connected", fields),
        output=1,
        fires=kernel.height,
        yields=mcu.LAST,
        state=4 * kernel.out_channels,
        scratch=choice.scratch_bytes,
    )
    streams = (kernel.height, kernel.row_bytes, 1), (1, kernel.out_channels, 1)
    return mcu.Case(streams, (call,), values, np.zeros((1, kernel.out_channels), np.int8))


def of_each(kernel: FullyConnectedKernel, choice: Choice, fields: dict[str, Any]) -> mcu.Case:
    """Return the layer of each pixel of two rows."""
    taken, made = kernel.width * kernel.row_bytes, kernel.width * kernel.out_channels
    values = np.random.default_rng(2).integers(-128, 128, (1, 2, taken, 1)).astype(np.int8)
    each = {"pixel": fields, "width": kernel.width, "out_stride": kernel.out_channels}
    call = mcu.Call(
        choice.function, ("sqz_fully_connected_each", each), output=1, fires=2, scratch=choice.scratch_bytes
    )
    return mcu.Case(((2, taken, 1), (2, made, 2)), (call,), values, np.zeros((1, 2 * made), np.int8))


def run(each: mcu.Case) -> np.ndarray:
    return mcu.run(each, mcu.build(*FILES))


def with_expected(kernel: FullyConnectedKernel, target: str) -> mcu.Case:
    """Return a case that expects what the portable kernel computes."""
    return replace(case(kernel, target), expected=run(case(kernel, "generic")))


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_layers_equal_the_portable_one(shape: tuple[int, int, int], seed: int, target: str) -> None:
    kernel = connection(seed, shape)
    fast, expected = case(kernel, target), run(case(kernel, "generic"))
    assert fast.calls[0].kernel == ALL[target]
    assert expected.size < 100 or len(np.unique(expected)) > 30
    np.testing.assert_array_equal(run(fast), expected)


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("shape", [(1, 640, 12), (1, 21, 7), (1, 1, 1)])
def test_fast_layers_of_each_pixel_equal_the_portable_one(shape: tuple[int, int, int], target: str) -> None:
    kernel = replace(connection(1, shape), width=5)
    fast, expected = case(kernel, target), run(case(kernel, "generic"))
    assert fast.calls[0].kernel == ALL[target].replace("_row", "_each_row")
    np.testing.assert_array_equal(run(fast), expected)


def large() -> FullyConnectedKernel:
    """Return a layer whose sums over a row may reach 2^23."""
    kernel = connection(0, (1, 600, 6))
    return replace(kernel, weights=np.full_like(kernel.weights, 127))


def test_sums_beyond_the_shared_halfword_get_the_wide_kernel() -> None:
    fast = with_expected(large(), "cortex-m4")
    assert fast.calls[0].kernel == "sqz_fully_connected_row_dsp_wide"
    np.testing.assert_array_equal(run(fast), fast.expected)


def test_products_that_may_leave_16_bits_are_left_to_the_portable_one_on_64_bit_arm() -> None:
    kernel = replace(large(), weights=np.full_like(large().weights, -128))
    assert case(kernel, "aarch64").calls[0].kernel == "sqz_fully_connected_row"


def test_rounding_is_exact_beside_halves() -> None:
    """A product that 32 bits of the factor put just below a half may be one: both ways must be told apart."""
    rng = np.random.default_rng(9)
    sums = rng.integers(1, 2**28, 4000)
    halves = rng.integers(0, 127, 4000) + 0.5
    reals = np.nextafter(halves / sums, rng.choice([0.0, 1.0], 4000))
    expected = np.trunc(sums * reals) + (np.modf(sums * reals)[0] >= 0.5)
    kernel = replace(
        connection(1, (1, 1, 4000)),
        weights=np.zeros((4000, 1), np.int8),
        bias=sums.astype(np.int32),
        requant=ExactRequant(*arithmetic.exact_factors(reals), 0, -128, 127),
    )
    assert len(np.unique(expected)) > 100
    for target in ("generic", *ALL):
        np.testing.assert_array_equal(run(case(kernel, target))[0], expected)


def batch(target: str) -> list[mcu.Case]:
    kernels = [connection(seed, shape) for shape in SHAPES for seed in range(3)]
    each = [replace(connection(seed, (1, 21, 7)), width=5) for seed in range(3)]
    return [with_expected(kernel, target) for kernel in (*kernels, *each, large())]


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("-O2",), ("-O0",)], ids="".join)
@pytest.mark.parametrize("target", FUNCTION)
def test_processors_with_the_instructions_give_the_same_bytes(
    target: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    assert mcu.on_board(batch(target), target, tmp_path, *flags, files=FILES) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "emulator"), mcu.OTHERS.values(), ids=mcu.OTHERS)
def test_other_processors_give_the_same_bytes(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    mcu.require_equal([case for target in ALL for case in batch(target)], tmp_path, compiler, emulator, FILES)
