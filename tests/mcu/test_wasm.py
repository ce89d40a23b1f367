"""The kernels for WebAssembly in Node, with SIMD and without it, on the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from converters.compiler.back.c import library, wasm_records
from converters.compiler.back.c.weight_layout import lay_out
from converters.compiler.middle.program import ConvKernel, Requant
from tests.helpers import c_library as mcu
from tests.helpers import wasm_programs as wasm
from tests.helpers.needs import quick
from tests.mcu import test_fast_connected as connected
from tests.mcu import test_fast_convolutions as convolutions
from tests.mcu import test_fast_depthwise as depthwise
from tests.mcu import test_kernels as kernels

pytestmark = pytest.mark.device


def rounding_conv(zero_point: int, lowest: int, highest: int) -> ConvKernel:
    """Return a convolution whose groups of channels have near shifts, multipliers at their ends, and sums in halves."""
    shift = -np.repeat(np.arange(1, 20), 8) - np.resize([0, 0, 1, 2, 0, 5, 4, 0, 6, 6, 6, 6, 6, 0, 6, 6], 8 * 19)
    multiplier = np.resize([1 << 30, (1 << 31) - 1, 1518500250, (1 << 30) + 1, 2000000011], len(shift))
    rng = np.random.default_rng(zero_point + 128)
    half = rng.integers(-200, 200, len(shift)) * (1 << -shift) + (1 << (-shift - 1))
    return replace(
        convolutions.random_conv(0, (1, 1, 1, 0, 1, 256, 1, len(shift))),
        weights=rng.choice([-1, 1, 2], (len(shift), 1, 1, 1)).astype(np.int8),
        bias=np.clip(half * rng.choice([1, 2], len(shift)), -(1 << 22), 1 << 22).astype(np.int32),
        requant=Requant(multiplier.astype(np.int32), shift.astype(np.int8), zero_point, lowest, highest),
    )


ENDS = [(-128, -128, 127), (0, 0, 127), (0, -128, 127), (127, -128, 127), (-5, -100, 90)]


@pytest.mark.parametrize("ends", ENDS)
def test_halves_are_rounded_as_tflite_does(ends: tuple[int, int, int]) -> None:
    conv = rounding_conv(*ends)
    fast = convolutions.with_expected(conv, "wasm32", height=1)
    assert fast.calls[0].kernel == "sqz_conv_row_wasm"
    assert alone(conv) == []
    assert len(np.unique(fast.expected)) > 30
    np.testing.assert_array_equal(convolutions.run(fast), fast.expected)


def assert_equal(cases: Sequence[mcu.Case], kind: str, folder: Path) -> None:
    """A program computes the cases in Node as the portable kernels do."""
    needed = library.files(call.kernel for case in cases for call in case.calls)
    files = [f"{mcu.SOURCES}/{name}" for name in needed if name.endswith(".c")]
    program = mcu.build_program(mcu.aligned(mcu.program(cases)), folder, [*wasm.compiler(kind), *files])
    assert mcu.run_program(program, wasm.HOST) == f"{len(cases)} cases\n"


@pytest.mark.parametrize("kind", quick(wasm.KINDS, "simd"))
def test_node_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    shapes = [(1, 1, 1, 0, 1, width, 12, 20) for width in range(1, 10)] + [(3, 3, 2, 1, 1, 23, 5, 8)]
    convs = [convolutions.random_conv(i, shape, mean=i % 4 == 1) for i, shape in enumerate(shapes)]
    convs += [*(rounding_conv(*ends) for ends in ENDS), *awkward().values()]
    cases = [convolutions.with_expected(conv, "wasm32", height=3) for conv in convs]
    depthwises = [depthwise.random_depthwise(i, shape) for i, shape in enumerate(depthwise.SHAPES)]
    cases += [depthwise.with_expected(conv, "wasm32") for conv in (*depthwises, depthwise.edges(5, 5, 60))]
    names = ("add", "max_pool_row", "max_pool_window")
    cases += [kernels.case_of(name, seed) for name in names for seed in range(10)]
    assert_equal(cases, kind, tmp_path)


def test_a_wrong_byte_in_node_would_be_found(tmp_path: Path) -> None:
    case = convolutions.with_expected(rounding_conv(*ENDS[0]), "wasm32", height=1)
    case.expected.flat[-1] ^= 1
    with pytest.raises(AssertionError, match="case 0"):
        assert_equal([case], "simd", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", wasm.KINDS)
@pytest.mark.parametrize("module", [convolutions, depthwise, connected])
def test_node_gives_the_same_bytes_for_every_kind_of_layer(module: ModuleType, kind: str, tmp_path: Path) -> None:
    assert_equal(module.batch("wasm32"), kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", wasm.KINDS)
def test_node_gives_the_same_bytes_for_every_operator(kind: str, tmp_path: Path) -> None:
    assert_equal(kernels.batch(10), kind, tmp_path)


def alone(conv: ConvKernel) -> list[int]:
    """Return which groups of eight channels have no shift for all."""
    data = lay_out(conv, "wasm32").weights
    assert data is not None
    size = data.size // -(-conv.out_channels // wasm_records.GROUP)
    return [i for i, record in enumerate(data.reshape(-1, size)) if record[80] == 0]


def awkward() -> dict[str, ConvKernel]:
    """Return convolutions whose second group of eight channels cannot be shifted alike."""
    conv = convolutions.random_conv(0, (3, 3, 1, 1, 1, 6, 4, 21))
    requant, number = conv.requant, np.arange(21)
    assert requant.multiplier.shape == (21,)
    changes: dict[str, dict[str, Any]] = {
        "to the left": {"requant": replace(requant, shift=np.where(number == 13, 2, requant.shift).astype(np.int8))},
        "not at all": {"requant": replace(requant, shift=np.where(number == 8, 0, requant.shift).astype(np.int8))},
        "far apart": {"requant": replace(requant, shift=np.where(number == 15, -22, requant.shift).astype(np.int8))},
        "small": {"requant": replace(requant, multiplier=np.where(number == 13, 5, requant.multiplier))},
        "large sums": {"bias": np.where(number == 13, 1 << 29, conv.bias).astype(np.int32)},
    }
    return {name: replace(conv, **change) for name, change in changes.items()}


def test_channels_that_one_shift_cannot_scale_are_scaled_alone() -> None:
    for name, conv in awkward().items():
        assert alone(conv) == [1], name
        np.testing.assert_array_equal(
            convolutions.run(convolutions.case(conv, "wasm32")),
            convolutions.run(convolutions.case(conv, "reference")),
            err_msg=name,
        )


def test_a_channel_of_which_nothing_is_left_does_not_count() -> None:
    conv = rounding_conv(3, -128, 127)
    lost = np.arange(conv.out_channels) % 3 == 0
    shift, multiplier = np.where(lost, 0, conv.requant.shift), np.where(lost, 0, conv.requant.multiplier)
    requant = replace(conv.requant, shift=shift.astype(np.int8), multiplier=multiplier.astype(np.int32))
    fast = convolutions.with_expected(replace(conv, requant=requant), "wasm32", height=1)
    assert alone(replace(conv, requant=requant)) == []
    np.testing.assert_array_equal(convolutions.run(fast), fast.expected)


def test_a_record_is_a_head_and_pairs_of_inputs() -> None:
    conv = convolutions.random_conv(0, (3, 3, 1, 1, 1, 4, 3, 9))
    data = wasm_records.records(conv)
    inputs = 3 * 10  # of each kernel row nine and one that fills up
    assert len(data) == 2 * (wasm_records.HEAD_BYTES + 8 * inputs)
    first = np.frombuffer(data, np.int8, 8 * inputs, wasm_records.HEAD_BYTES).reshape(3, 5, 8, 2)
    np.testing.assert_array_equal(first.transpose(2, 0, 1, 3).reshape(8, 3, 10)[..., :9].reshape(8, -1), conv.rows[:8])
