"""The fast convolutions against the portable one, and against NumPy, on random shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.compiler.back.c import sparse
from converters.compiler.back.c.weight_layout import Choice, in_dsp_order, lay_out, packed, portable, with_memory
from converters.compiler.front.network import Window
from converters.compiler.middle.program import ConvKernel, Requant
from tests.helpers import c_library as mcu
from tests.helpers.needs import quick

pytestmark = pytest.mark.device

PARTS = (
    *("conv_dsp", "conv_fours_dsp", "conv_nine_dsp", "conv_odd_dsp", "conv_dsp_wide", "conv_mean_dsp"),
    *("conv_mean_fours_dsp", "tile_dsp", "pairs_dsp", "twos_dsp", "one_dsp", "sums_dsp"),
    *("conv_four", "conv_mean_four", "tile_plain"),
    *("conv_copied", "conv_mean_copied", "conv_thumb", "conv_mean_thumb", "tile_copied"),
    *("conv_mve", "conv_odd_mve", "conv_narrow_mve", "conv_short_mve", "conv_mean_mve", "tile_mve", "window"),
    *("conv_packed", "conv_mean_packed", "conv_dsp_packed", "conv_mean_dsp_packed", "conv_mve_packed"),
    *("conv_mean_mve_packed", "unpack"),
    *("conv_dsp_sparse", "conv_mean_dsp_sparse", "tile_dsp_sparse"),
    *("conv_neon", "conv_mean_neon", "tile_neon", "neon"),
    *("conv_wasm", "conv_mean_wasm", "tile_wasm"),
)
FAST = tuple(f"{mcu.SOURCES}/sqz_{part}.c" for part in PARTS)
SUFFIX = {"cortex-m4": "_dsp", "cortex-m55": "_mve"}
PLAIN = ("cortex-m0plus", "cortex-m3", "riscv32")
ALL = {  # an M3's is riscv32's
    **SUFFIX,
    "aarch64": "_neon",
    "wasm32": "_wasm",
    **dict.fromkeys(("generic", "cortex-m0plus", "riscv32"), "_row"),
}
SHAPES = [  # kernel_h, kernel_w, stride, pad, dilation, in_width, in_channels, out_channels
    (3, 3, 2, 0, 1, 13, 3, 16),
    (3, 3, 2, 1, 1, 12, 3, 10),
    (7, 7, 2, 0, 1, 17, 3, 6),
    (3, 3, 1, 1, 1, 14, 16, 8),
    (3, 3, 1, 1, 1, 2, 24, 12),
    (3, 3, 1, 1, 1, 3, 5, 7),
    (3, 3, 1, 1, 1, 1, 4, 4),
    (1, 1, 1, 0, 1, 6, 4, 16),
    (1, 1, 1, 0, 1, 7, 12, 48),
    (1, 1, 1, 0, 1, 1, 20, 8),
    (3, 3, 1, 1, 1, 5, 12, 4),
    (1, 1, 1, 0, 1, 4, 64, 1000),
    (1, 1, 1, 1, 1, 5, 20, 33),
    (1, 1, 1, 0, 1, 1, 1, 1),
    (1, 3, 2, 1, 1, 9, 6, 5),
    (3, 2, 1, 2, 2, 11, 7, 9),
    (5, 5, 3, 4, 1, 8, 2, 4),
    (2, 3, 1, 3, 3, 10, 8, 3),
]
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))]


def random_conv(seed: int, shape: tuple[int, ...], mean: bool = False, relu: bool = True) -> ConvKernel:
    """Return a convolution with outputs over the whole of int8 and beyond."""
    rng = np.random.default_rng(seed)
    kernel_h, kernel_w, stride, pad, dilation, in_width, in_channels, out_channels = shape
    size = kernel_h * kernel_w * in_channels
    per_tensor = seed % 3 == 2
    channels = 1 if per_tensor else out_channels
    zero_point = int(rng.choice([-128, 0, 17, 60])) if relu else int(rng.integers(-128, 128))
    spread = 70 * 70 * np.sqrt(size) / rng.uniform(40, 200)
    shift = -np.floor(np.log2(spread) + rng.uniform(0, 2, channels)).astype(np.int8)
    requant = Requant(
        np.full(channels, 1 << 30, np.int32)
        if seed % 4 == 3
        else rng.integers(1 << 30, (1 << 31) - 1, channels, np.int32),
        np.clip(shift, -22, -1).astype(np.int8),
        zero_point,
        zero_point if relu else -128,
        127,
    )
    out_width = (in_width + 2 * pad - ((kernel_w - 1) * dilation + 1)) // stride + 1
    return ConvKernel(
        weights=rng.integers(-127, 128, (out_channels, kernel_h, kernel_w, in_channels)).astype(np.int8),
        bias=rng.integers(-3000, 3000, out_channels).astype(np.int32),
        requant=requant,
        window=Window(kernel_h, kernel_w, stride, stride, pad, pad, dilation, dilation),
        in_width=in_width,
        in_channels=in_channels,
        out_width=out_width,
        out_channels=out_channels,
        input_zero_point=int(rng.integers(-128, 128)),
        depthwise=False,
        mean=Requant(np.array([1 << 30], np.int32), np.array([-2], np.int8), 3, -128, 127) if mean else None,
    )


def sparse_conv(seed: int, shape: tuple[int, ...], mean: bool = False, relu: bool = True) -> ConvKernel:
    """Return a convolution with few different weights, most of them 0."""
    conv, step = random_conv(seed, shape, mean, relu), 8 + 20 * (seed % 4)
    size = abs(conv.weights.astype(np.int16))
    weights = np.sign(conv.weights) * (size // step * step) * (size > 40)
    return replace(conv, weights=weights.astype(np.int8))


def blocked_conv(seed: int, shape: tuple[int, ...], mean: bool = False, relu: bool = True) -> ConvKernel:
    """Return a convolution with some blocks of four channels by two inputs zero, or all of some channels."""
    conv, rng = random_conv(seed, shape, mean, relu), np.random.default_rng(seed)
    order, fours = in_dsp_order(replace(conv, weights=places(conv))), conv.out_channels // 4
    there = rng.random((fours, order.shape[1] // 2)) < rng.choice([0.2, 0.5, 0.9], (fours, 1))
    there[rng.random(fours) < 0.2] = False
    weights = conv.rows.copy()
    for group, pair in np.argwhere(~there):
        inputs = order[0, 2 * pair : 2 * pair + 2]
        weights[4 * group : 4 * group + 4, inputs[inputs >= 0]] = 0
    return replace(conv, weights=weights.reshape(conv.weights.shape))


def places(conv: ConvKernel) -> np.ndarray:
    """Return in place of the weights which input each is of."""
    return np.broadcast_to(np.arange(conv.rows.shape[1]), conv.rows.shape).reshape(conv.weights.shape)


def without_zeros(conv: ConvKernel) -> Choice:
    """Return the choice without zero blocks, whether it pays or not."""
    choice = sparse.without_zeros(lay_out(conv, "cortex-m4"), conv)
    assert choice is not None
    return choice


def packed_fields(choice: Choice, stride_h: int) -> dict[str, object]:
    section = choice.packed
    assert section is not None
    names = ("scales", "value_bits", "bias_bits", "scale_bits")
    return {
        **{name: getattr(section, name) for name in names},
        "data": np.frombuffer(section.data, np.uint8),
        "bytes": len(section.data),
        "block": choice.block,
        "group_bits": choice.group_bits,
        "stride_h": stride_h,
    }


def requant_fields(requant: Requant) -> dict[str, object]:
    return {
        "multiplier": None if requant.only_shifts else np.ascontiguousarray(requant.multiplier),
        "shift": np.ascontiguousarray(requant.shift),
        "step": int(len(requant.shift) > 1),
        "zero_point": requant.zero_point,
        "lowest": requant.lowest,
        "highest": requant.highest,
    }


def in_records(requant: Requant) -> dict[str, object]:
    return {"multiplier": None, "shift": None, "step": int(not requant.only_shifts)}


def compressed(conv: ConvKernel, target: str, groups: int, group_bits: int) -> Choice:
    """Return a choice with compressed weights, so many groups of channels decoded at a time."""
    choice = packed(conv, target)
    assert choice is not None
    assert choice.packed is not None
    return with_memory(choice, min(groups, choice.packed.groups) * choice.packed.group_channels, group_bits)


def case(
    conv: ConvKernel, target: str, height: int = 9, margin: int = 0, choice: Choice | None = None, band: int = 1
) -> mcu.Case:
    """Return the convolution of a random map; `margin` bytes lie between the pixels it writes."""
    choice = choice or (portable(conv) if target == "reference" else lay_out(conv, target))
    w = conv.window
    values = np.random.default_rng(height).integers(-128, 128, (height, conv.in_width, conv.in_channels))
    fields = {
        "weights": None if choice.packed else choice.weights,
        "bias": None if choice.records else conv.bias,
        "requant": requant_fields(conv.requant) | (in_records(conv.requant) if choice.records else {}),
        "in_width": conv.in_width,
        "in_channels": conv.in_channels,
        "out_width": conv.out_width,
        "out_channels": conv.out_channels,
        "out_stride": conv.out_channels + margin,
        "kernel_h": w.kernel_h,
        "kernel_w": w.kernel_w,
        "stride_w": w.stride_w,
        "pad_left": w.pad_left,
        "dilation_h": w.dilation_h,
        "dilation_w": w.dilation_w,
        "input_zero_point": conv.input_zero_point,
    }
    params: tuple[str, dict[str, Any]] = ("sqz_conv", fields)
    rows = (height + 2 * w.pad_top - w.rows) // w.stride_h + 1
    out_rows, row_bytes = rows, conv.out_width * (conv.out_channels + margin)
    if conv.mean:
        zero_sum = conv.requant.zero_point * conv.out_width * rows
        mean = {"conv": fields, "mean": requant_fields(conv.mean), "zero_sum": zero_sum}
        params, out_rows, row_bytes = ("sqz_conv_mean", mean), 1, conv.out_channels
    if choice.packed:
        both = {"both" if conv.mean else "conv": params[1], "packed": packed_fields(choice, w.stride_h)}
        params = (f"{params[0]}_packed", both)
    if choice.tiles:
        params = ("sqz_conv_winograd", {"conv": params[1], "tiles": choice.tiles})
    call = mcu.Call(
        choice.function,
        params,
        output=1,
        fires=rows,
        yields=mcu.LAST if conv.mean else mcu.EACH,
        kernel_h=w.rows,
        stride_h=w.stride_h,
        pad_top=w.pad_top,
        out_offset=margin // 2,
        state=4 * conv.out_channels if conv.mean else 0,
        scratch=choice.scratch_bytes,
        band=band,
        first_band=band,
        at_once=int(band > 1),
    )
    streams = (height, conv.in_width * conv.in_channels, height), (out_rows, row_bytes, out_rows)
    return mcu.Case(streams, (call,), values.astype(np.int8), np.zeros((out_rows, row_bytes), np.int8))


def run(each: mcu.Case) -> np.ndarray:
    return mcu.run(each, mcu.build(*FAST))


def with_expected(conv: ConvKernel, target: str, height: int = 9) -> mcu.Case:
    """Return a case that expects what the portable kernel computes."""
    return replace(case(conv, target, height), expected=run(case(conv, "reference", height)))


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fast_convolution_equals_the_portable_one(shape: tuple[int, ...], seed: int, mean: bool, target: str) -> None:
    conv = random_conv(seed, shape, mean, relu=seed % 2 == 0)
    margin = 0 if mean else 5
    fast = case(conv, target, margin=margin)
    assert fast.calls[0].kernel.endswith(ALL[target])
    expected = run(case(conv, "reference", margin=margin))  # what lies between is equal too: untouched
    assert expected.size < 100 or len(np.unique(expected)) > 10
    np.testing.assert_array_equal(run(fast), expected)


@pytest.mark.parametrize("target", ["generic", *SUFFIX])
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_compressed_weights_give_the_same_bytes(shape: tuple[int, ...], seed: int, mean: bool, target: str) -> None:
    conv = sparse_conv(seed, shape, mean, relu=seed % 2 == 0)
    margin = 0 if mean else 5
    small = compressed(conv, target, 1 + seed, 8 + seed)
    each = case(conv, target, margin=margin, choice=small, band=1 + (seed + shape[-1]) % 4)
    assert each.calls[0].kernel.endswith(SUFFIX.get(target, "row") + "_packed")
    np.testing.assert_array_equal(run(each), run(case(conv, "generic", margin=margin)))


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[-1] >= 4])
def test_convolution_without_zero_blocks_gives_the_same_bytes(shape: tuple[int, ...], seed: int, mean: bool) -> None:
    conv = blocked_conv(seed, shape, mean, relu=seed % 2 == 0)
    margin = 0 if mean else 5
    fast = case(conv, "cortex-m4", margin=margin, choice=without_zeros(conv))
    assert fast.calls[0].kernel.endswith("_dsp_sparse")
    np.testing.assert_array_equal(run(fast), run(case(conv, "reference", margin=margin)))


def test_zero_blocks_are_left_out_where_that_pays() -> None:
    conv = random_conv(0, (3, 3, 1, 1, 1, 14, 16, 8))
    dense = lay_out(conv, "cortex-m4")
    assert sparse.instead(dense, conv) is dense
    half = replace(conv, weights=np.where(np.arange(16) % 4 % 2, conv.weights, 0))
    chosen = sparse.instead(lay_out(half, "cortex-m4"), half)
    assert chosen.function == "sqz_conv_row_dsp_sparse"
    assert chosen.weights is not None
    assert dense.weights is not None
    assert chosen.weights.size == dense.weights.size - 2 * (36 * 8 + 36 * (8 - 12) - 4)
    single = replace(conv, weights=np.where(np.arange(8)[:, None, None, None] % 2, conv.weights, 0))
    assert sparse.instead(lay_out(single, "cortex-m4"), single).function == "sqz_conv_fours_row_dsp"


def drawn_shape(rng: np.random.Generator) -> tuple[int, ...]:
    """Return a shape at random, with a window that fits."""
    kernel_h, kernel_w, stride, dilation = (int(rng.integers(1, most)) for most in (5, 5, 4, 3))
    pad = int(rng.integers(0, max(kernel_h, kernel_w)))
    least = max((kernel_w - 1) * dilation + 1 - 2 * pad, 1)
    channels = int(rng.choice([rng.integers(1, 9), 4 * rng.integers(1, 9), 16 * rng.integers(1, 4)]))
    return (
        kernel_h,
        kernel_w,
        stride,
        pad,
        dilation,
        least + int(rng.integers(0, 9)),
        channels,
        int(rng.integers(1, 21)),
    )


@pytest.mark.parametrize("target", ALL)
def test_random_shapes(target: str) -> None:
    rng = np.random.default_rng(5)
    for i in range(150):
        shape = drawn_shape(rng)
        conv = random_conv(i, shape, mean=i % 5 == 0, relu=i % 3 > 0)
        fast, expected = run(case(conv, target)), run(case(conv, "reference"))
        np.testing.assert_array_equal(fast, expected, err_msg=f"{shape}")


def edge_conv(zero_point: int, relu: bool, channels: int = 66, inputs: int = 1) -> ConvKernel:
    """Return a convolution whose channels have every shift, multipliers at their ends, and sums that end in halves."""
    shift, multiplier = (
        np.resize(table, channels) for table in np.meshgrid(np.arange(-22, 0), [1 << 30, (1 << 31) - 1, 1518500250])
    )
    rng = np.random.default_rng(zero_point + 128)
    half = rng.integers(-200, 200, len(shift)) * (1 << -shift) + (1 << (-shift - 1))
    lowest = zero_point if relu else -128
    return replace(
        random_conv(0, (1, 1, 1, 0, 1, 256, inputs, channels)),
        weights=rng.choice([-1, 1, 2], (channels, 1, 1, inputs)).astype(np.int8),
        bias=np.clip(2 * half, -(1 << 22), 1 << 22).astype(np.int32),
        requant=Requant(multiplier.astype(np.int32), shift.astype(np.int8), zero_point, lowest, 127),
    )


EDGES = [(-128, True), (-128, False), (0, True), (0, False), (127, False), (5, True)]


FEW = {1: "sqz_conv_narrow_row_mve", 32: "sqz_conv_short_row_mve"}  # inputs


@pytest.mark.parametrize("inputs", FEW)
def test_every_shift_rounds_halves_alike_where_inputs_are_few(inputs: int) -> None:
    conv = edge_conv(-128, relu=True, channels=68, inputs=inputs)
    fast = with_expected(conv, "cortex-m55")
    assert fast.calls[0].kernel == FEW[inputs]
    np.testing.assert_array_equal(run(fast), fast.expected)


@pytest.mark.parametrize("target", [*SUFFIX, "aarch64", "wasm32"])
@pytest.mark.parametrize(("zero_point", "relu"), EDGES)
def test_every_shift_rounds_halves_alike(zero_point: int, relu: bool, target: str) -> None:
    conv = edge_conv(zero_point, relu)
    expected = run(case(conv, "reference"))
    assert len(np.unique(expected)) > 30
    np.testing.assert_array_equal(run(case(conv, target)), expected)


@pytest.mark.parametrize(
    ("shape", "mean", "function"),
    [
        ((3, 3, 2, 0, 1, 13, 3, 16), False, "sqz_conv_nine_row_dsp"),
        ((3, 3, 2, 1, 1, 12, 3, 10), False, "sqz_conv_row_dsp"),
        ((3, 3, 2, 2, 2, 13, 3, 16), False, "sqz_conv_fours_row_dsp"),
        ((7, 7, 2, 0, 1, 17, 3, 8), False, "sqz_conv_fours_row_dsp"),
        ((3, 3, 1, 1, 1, 14, 16, 8), False, "sqz_conv_fours_row_dsp"),
        ((3, 3, 1, 1, 1, 5, 12, 4), False, "sqz_conv_odd_row_dsp"),
        ((1, 1, 1, 0, 1, 4, 64, 12), True, "sqz_conv_mean_fours_row_dsp"),
        ((1, 1, 1, 0, 1, 4, 64, 10), True, "sqz_conv_mean_row_dsp"),
    ],
)
def test_a_shape_has_its_kernel_for_smlad(shape: tuple[int, ...], mean: bool, function: str) -> None:
    assert lay_out(random_conv(0, shape, mean), "cortex-m4").function == function


def test_kernel_rows_outside_the_image_add_the_zero_point_alone() -> None:
    conv = random_conv(0, (3, 3, 1, 1, 1, 4, 8, 8))
    each = case(conv, "cortex-m4", height=1)
    middle = np.zeros((1, 3, 1, 1), np.int8) + np.array([0, 1, 0], np.int8)[:, None, None]
    alone = replace(conv, weights=conv.weights * middle)
    outside = conv.input_zero_point * (conv.rows.sum(axis=1) - alone.rows.sum(axis=1))
    alone = replace(alone, bias=(conv.bias + outside).astype(np.int32))
    np.testing.assert_array_equal(run(each), run(case(alone, "reference", height=1)))


def wide_conv() -> ConvKernel:
    conv = random_conv(1, (3, 3, 1, 1, 1, 3, 60, 6))
    return replace(conv, weights=np.full_like(conv.weights, 127))


def huge_conv() -> ConvKernel:
    """Return a convolution whose sums come as near to 2^31 as the compiler allows."""
    conv = edge_conv(-128, relu=False)
    signs = np.where(np.arange(conv.out_channels) % 2, -1, 1)
    return replace(conv, bias=(signs * (2**31 - 2**21 - 600)).astype(np.int32))


def test_sums_beyond_the_shared_halfword_get_the_wide_kernel() -> None:
    fast = with_expected(wide_conv(), "cortex-m4")
    assert fast.calls[0].kernel == "sqz_conv_row_dsp_wide"
    np.testing.assert_array_equal(run(fast), fast.expected)


def test_what_64_bit_arm_cannot_do_exactly_is_left_to_plain_c() -> None:
    conv = random_conv(0, SHAPES[3])
    left = replace(conv.requant, shift=np.where(np.arange(8) == 5, 0, conv.requant.shift).astype(np.int8))
    lowest = np.where(conv.weights == 3, np.int8(-128), conv.weights)
    functions = [
        lay_out(replace(conv, **change), "aarch64").function for change in ({"requant": left}, {"weights": lowest})
    ]
    assert functions == ["sqz_conv_four_row"] * 2
    clamped = replace(conv, requant=replace(conv.requant, lowest=-100, highest=90))
    fast = with_expected(clamped, "aarch64")
    assert fast.calls[0].kernel == "sqz_conv_row_neon"
    np.testing.assert_array_equal(run(fast), fast.expected)


NARROW = [  # of 1 x 1 and few channels
    *((1, 1, 1, 0, 1, 8, 3, 4), (1, 1, 1, 0, 1, 1, 16, 8), (1, 1, 2, 0, 1, 9, 8, 12), (1, 1, 3, 0, 1, 6, 13, 4)),
    (1, 1, 1, 0, 1, 3, 7, 16),
]
SHORT = [  # of 27 and 32 inputs
    *((3, 3, 2, 1, 1, 12, 3, 8), (3, 3, 1, 0, 1, 7, 3, 4), (1, 9, 1, 4, 1, 5, 3, 12), (3, 3, 1, 2, 2, 6, 3, 4)),
    *((1, 1, 1, 0, 1, 4, 32, 16), (1, 1, 1, 0, 1, 3, 32, 4), (2, 2, 1, 1, 1, 5, 8, 8)),
]
REGISTERS: dict[tuple[int, ...], str] = {
    **dict.fromkeys(NARROW, "sqz_conv_narrow_row_mve"),
    **dict.fromkeys(SHORT, "sqz_conv_short_row_mve"),
}


def relu_conv(shape: tuple[int, ...]) -> ConvKernel:
    """Return a convolution with multipliers and RELU's usual zero point."""
    conv = random_conv(0, shape)
    return replace(conv, requant=replace(conv.requant, zero_point=-128, lowest=-128))


@pytest.mark.parametrize("shape", REGISTERS)
def test_few_inputs_get_kernels_of_their_own(shape: tuple[int, ...]) -> None:
    conv = relu_conv(shape)
    fast = case(conv, "cortex-m55", margin=5)
    assert fast.calls[0].kernel == REGISTERS[shape]
    np.testing.assert_array_equal(run(fast), run(case(conv, "reference", margin=5)))
    outside = replace(conv, window=replace(conv.window, pad_top=1))
    np.testing.assert_array_equal(run(case(outside, "cortex-m55")), run(case(outside, "reference")))


def batch(target: str) -> list[mcu.Case]:
    """Return cases of every shape."""
    convs = [random_conv(i, shape, i % 3 == 1, i % 4 < 2) for i, shape in enumerate(SHAPES)]
    edges = [with_expected(edge_conv(*each), target, height=1) for each in EDGES]
    edges += [with_expected(conv, target) for conv in map(relu_conv, REGISTERS)]
    edges += [with_expected(edge_conv(-128, True, channels=68, inputs=inputs), target, height=1) for inputs in FEW]
    edges.append(with_expected(huge_conv(), target, height=1))
    for i, shape in enumerate(SHAPES):
        conv = sparse_conv(i, shape, i % 3 == 1, i % 4 < 2)
        small = case(conv, target, choice=compressed(conv, target, 1 + i % 3, 8 + i % 4), band=1 + i % 4)
        edges.append(replace(small, expected=run(case(conv, "generic"))))
    if target == "cortex-m4":
        edges += [without_blocks(i, shape) for i, shape in enumerate(SHAPES) if shape[-1] >= 4]
    return [*(with_expected(conv, target) for conv in (*convs, wide_conv())), *edges]


def without_blocks(i: int, shape: tuple[int, ...]) -> mcu.Case:
    """Return a case of a convolution without its zero blocks."""
    conv = blocked_conv(i, shape, i % 3 == 1, i % 4 < 2)
    each = case(conv, "cortex-m4", choice=without_zeros(conv))
    return replace(each, expected=run(case(conv, "reference")))


@pytest.mark.parametrize("flags", quick(["-O2", "-Os -fno-omit-frame-pointer", "-O0"], "-O2"))
@pytest.mark.parametrize("target", SUFFIX)
def test_processors_with_the_instructions_give_the_same_bytes(target: str, flags: str, tmp_path: Path) -> None:
    assert mcu.on_board(batch(target), target, tmp_path, *flags.split(), files=FAST) == 0


@pytest.mark.parametrize("flags", ["-O2", pytest.param("-Os", marks=pytest.mark.slow)])
@pytest.mark.parametrize("target", quick(PLAIN, "riscv32"))
def test_processors_without_them_give_the_same_bytes_in_plain_c(target: str, flags: str, tmp_path: Path) -> None:
    assert mcu.on_board(batch(target), target, tmp_path, flags, files=FAST) == 0


def test_plain_kernels_are_the_ones_with_scratch() -> None:
    conv = random_conv(1, SHAPES[3])
    assert [lay_out(conv, target).function for target in PLAIN] == [
        *("sqz_conv_thumb_row", "sqz_conv_copied_row", "sqz_conv_copied_row"),
    ]


def test_a_wrong_byte_on_a_board_would_be_found(tmp_path: Path) -> None:
    cases = batch("cortex-m4")
    cases[2].expected.flat[-1] ^= 1
    assert mcu.on_board(cases, "cortex-m4", tmp_path, "-O2", files=FAST) == 3


ARM = ["arm-linux-gnueabihf-gcc", "-O2", "-static", "-mthumb", "-march=armv7-a+fp"]
EVERYWHERE = {**mcu.OTHERS, "arm": (ARM, ["qemu-arm"])}


@pytest.mark.parametrize(("compiler", "emulator"), quick(EVERYWHERE.values(), EVERYWHERE["sanitizers"]), ids=EVERYWHERE)
def test_other_processors_give_the_same_bytes(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    mcu.require_equal([case for target in ALL for case in batch(target)], tmp_path, compiler, emulator, FAST)
