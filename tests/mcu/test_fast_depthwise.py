"""The fast depthwise convolutions against the portable one on random shapes, here and on virtual boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.compiler.back.c.depthwise import lay_out
from converters.compiler.front.network import Window
from converters.compiler.middle.program import ConvKernel, Requant
from tests.helpers import c_library as mcu

pytestmark = pytest.mark.device

PARTS = ("depthwise_dsp", "depthwise_mve", "depthwise_column_mve", "depthwise_neon", "neon", "taps", "depthwise_wasm")
FILES = tuple(f"{mcu.SOURCES}/sqz_{part}.c" for part in PARTS)
SUFFIX = {"cortex-m4": "_dsp", "cortex-m55": "_mve"}
ALL = {**SUFFIX, "aarch64": "_neon", "wasm32": "_wasm"}
SHAPES = [  # kernel_h, kernel_w, stride, pad, dilation_h, in_width, channels
    (3, 3, 1, 1, 1, 5, 64),
    (3, 3, 2, 0, 1, 12, 16),
    (3, 3, 2, 1, 1, 71, 8),  # more pixels than are made ready at once
    (3, 3, 1, 1, 1, 3, 21),
    (2, 2, 1, 0, 1, 34, 8),  # one pixel more
    (5, 5, 1, 2, 1, 9, 9),
    (7, 1, 1, 0, 1, 1, 12),
    (1, 1, 1, 0, 1, 4, 8),
    (1, 3, 3, 2, 1, 10, 10),
    (2, 9, 1, 8, 1, 6, 11),  # more steps than the unrolled ones
    (4, 2, 2, 1, 3, 40, 13),
]
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]


def random_depthwise(seed: int, shape: tuple[int, ...]) -> ConvKernel:
    """Return a depthwise convolution with outputs over the whole of int8 and beyond; clamps of all kinds."""
    rng = np.random.default_rng(seed)
    kernel_h, kernel_w, stride, pad, dilation, in_width, channels = shape
    scales = 1 if seed % 3 == 2 else channels
    zero_point = -128 if seed % 2 else int(rng.integers(-128, 30))
    lowest = int(rng.choice([-128, zero_point]))
    spread = 70 * 70 * np.sqrt(kernel_h * kernel_w) / rng.uniform(20, 120)
    shift = -np.floor(np.log2(spread) + rng.uniform(0, 2, scales))
    multiplier = rng.integers(1 << 30, (1 << 31) - 1, scales, np.int32)
    requant = Requant(
        np.full(scales, 1 << 30, np.int32) if seed % 4 == 3 else multiplier,
        np.clip(shift, -22, -1).astype(np.int8),
        zero_point,
        lowest,
        int(rng.choice([127, 90])),
    )
    return ConvKernel(
        weights=rng.integers(-127, 128, (1, kernel_h, kernel_w, channels)).astype(np.int8),
        bias=rng.integers(-3000, 3000, channels).astype(np.int32),
        requant=requant,
        window=Window(kernel_h, kernel_w, stride, stride, pad, pad, dilation, 1),
        in_width=in_width,
        in_channels=channels,
        out_width=(in_width + 2 * pad - kernel_w) // stride + 1,
        out_channels=channels,
        input_zero_point=int(rng.integers(-128, 128)),
        depthwise=True,
    )


def case(conv: ConvKernel, target: str, margin: int = 5) -> mcu.Case:
    """Return the convolution of a random map; `margin` bytes lie between the pixels it writes."""
    choice, w, to = lay_out(conv, target), conv.window, conv.requant
    height = w.rows + 3
    values = np.random.default_rng(height).integers(-128, 128, (height, conv.in_width, conv.in_channels))
    tables: dict[str, Any] = {"multiplier": None, "shift": None, "step": int(not to.only_shifts)}
    if not choice.records:
        tables = {"multiplier": None if to.only_shifts else to.multiplier, "shift": to.shift}
        tables["step"] = int(len(to.shift) > 1)
    fields: dict[str, Any] = {
        "weights": choice.weights,
        "bias": None if choice.records else conv.bias,
        "requant": tables | {"zero_point": to.zero_point, "lowest": to.lowest, "highest": to.highest},
        "out_stride": conv.out_channels + margin,
    }
    fields |= {name: getattr(conv, name) for name in ("in_width", "in_channels", "out_width", "out_channels")}
    names = ("kernel_h", "kernel_w", "stride_w", "pad_left", "dilation_h", "dilation_w")
    fields |= {name: getattr(w, name) for name in names} | {"input_zero_point": conv.input_zero_point}
    rows = (height + 2 * w.pad_top - w.rows) // w.stride_h + 1
    call = mcu.Call(
        choice.function,
        ("sqz_conv", fields),
        output=1,
        fires=rows,
        kernel_h=w.rows,
        stride_h=w.stride_h,
        pad_top=w.pad_top,
        out_offset=margin // 2,
        scratch=choice.scratch_bytes,
    )
    row_bytes = conv.out_width * fields["out_stride"]
    streams = (height, conv.in_width * conv.in_channels, w.rows), (rows, row_bytes, rows)
    return mcu.Case(streams, (call,), values.astype(np.int8), np.zeros((rows, row_bytes), np.int8))


def run(each: mcu.Case) -> np.ndarray:
    return mcu.run(each, mcu.build(*FILES))


def with_expected(conv: ConvKernel, target: str) -> mcu.Case:
    """Return a case that expects what the portable kernel computes."""
    return replace(case(conv, target, margin=0), expected=run(case(conv, "generic", margin=0)))


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_depthwise_equals_the_portable_one(shape: tuple[int, ...], seed: int, target: str) -> None:
    conv = random_depthwise(seed, shape)
    fast, expected = case(conv, target), run(case(conv, "generic"))
    assert fast.calls[0].kernel.endswith(ALL[target])
    assert expected.size < 100 or len(np.unique(expected)) > 10
    np.testing.assert_array_equal(run(fast), expected)


def edges(zero_point: int, lowest: int, highest: int) -> ConvKernel:
    """Return a convolution whose channels have every shift, multipliers at their ends, and sums that end in halves."""
    shift, multiplier = (
        table.ravel() for table in np.meshgrid(np.arange(-22, 0), [1 << 30, (1 << 31) - 1, 1518500250])
    )
    rng = np.random.default_rng(zero_point + 128)
    half = rng.integers(-200, 200, len(shift)) * (1 << -shift) + (1 << (-shift - 1))
    return replace(
        random_depthwise(0, (1, 1, 1, 0, 1, 90, len(shift))),
        weights=rng.choice([-1, 1, 2], (1, 1, 1, len(shift))).astype(np.int8),
        bias=np.clip(2 * half, -(1 << 29), 1 << 29).astype(np.int32),
        requant=Requant(multiplier.astype(np.int32), shift.astype(np.int8), zero_point, lowest, highest),
    )


EDGES = [(-128, -128, 127), (0, 0, 127), (0, -128, 127), (127, -128, 127), (5, 5, 60)]


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("ends", EDGES)
def test_every_shift_rounds_halves_alike(ends: tuple[int, int, int], target: str) -> None:
    conv = edges(*ends)
    expected = run(case(conv, "generic"))
    assert len(np.unique(expected)) > 30
    np.testing.assert_array_equal(run(case(conv, target)), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"requant": Requant(np.array([1 << 30], np.int32), np.array([0], np.int8), 0, -128, 127)},
        {"bias": np.full(8, 1 << 30, np.int32)},
        {"window": Window(3, 3, dilation_w=2)},
        {"in_channels": 4},
    ],
    ids=["shift to the left", "large sums", "dilated", "multiplied"],
)
@pytest.mark.parametrize("target", SUFFIX)
def test_what_the_fast_kernels_cannot_do_is_left_to_the_portable_one(target: str, change: dict[str, Any]) -> None:
    conv = replace(random_depthwise(1, SHAPES[2]), **change)
    assert lay_out(conv, target).function == "sqz_depthwise_row"


@pytest.mark.parametrize("target", ["cortex-m55", "aarch64"])
def test_products_that_may_leave_16_bits_are_left_to_the_portable_one(target: str) -> None:
    conv = random_depthwise(1, SHAPES[0])
    lowest = replace(conv, weights=np.where(conv.weights == 3, np.int8(-128), conv.weights))
    functions = [lay_out(each, target).function for each in (conv, lowest)]
    assert functions == [f"sqz_depthwise_row{ALL[target]}", "sqz_depthwise_row"]


def test_shifts_to_the_left_and_inputs_of_several_channels_are_left_to_the_portable_one_on_64_bit_arm() -> None:
    conv, left = random_depthwise(1, SHAPES[2]), Requant(np.array([1 << 30], np.int32), np.array([0], np.int8), 0, 0, 9)
    for other in (replace(conv, requant=left), replace(conv, in_channels=4)):
        assert lay_out(other, "aarch64").function == "sqz_depthwise_row"


def test_windows_dilated_along_the_width_are_fast_on_64_bit_arm() -> None:
    conv = random_depthwise(1, (3, 3, 1, 2, 2, 9, 24))
    conv = replace(conv, window=replace(conv.window, dilation_w=2), out_width=9)
    fast = case(conv, "aarch64")
    assert fast.calls[0].kernel == "sqz_depthwise_row_neon"
    np.testing.assert_array_equal(run(fast), run(case(conv, "generic")))


def batch(target: str) -> list[mcu.Case]:
    convs = [random_depthwise(seed, shape) for shape in SHAPES for seed in range(4)]
    return [with_expected(conv, target) for conv in (*convs, *(edges(*each) for each in EDGES))]


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("-O2",), ("-Os", "-fno-omit-frame-pointer"), ("-O0",)], ids="".join)
@pytest.mark.parametrize("target", SUFFIX)
def test_processors_with_the_instructions_give_the_same_bytes(
    target: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    assert mcu.on_board(batch(target), target, tmp_path, *flags, files=FILES) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "emulator"), mcu.OTHERS.values(), ids=mcu.OTHERS)
def test_other_processors_give_the_same_bytes(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    mcu.require_equal([case for target in ALL for case in batch(target)], tmp_path, compiler, emulator, FILES)
