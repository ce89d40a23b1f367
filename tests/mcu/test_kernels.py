"""The C library byte for byte against TFLite's reference kernels, on this machine and on others; the engine's errors.

Operators are made by mcu_cases, run through sqz_invoke with the smallest rings that hold their windows, and guarded
on both sides of the arena.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import c_library as c
from tests.helpers import operator_cases as cases
from tests.helpers.c_library import Call, Case
from tests.helpers.needs import require

NAMES = [maker.__name__ for maker in cases.MAKERS]
OUTSIDE = 77  # a byte that stands where nothing may be written


def drawn(seed: int) -> cases.Draw:
    """Return a `draw` of plain random numbers."""
    rng = np.random.default_rng(seed)
    return lambda low, high: int(rng.integers(low, high + 1))


def case_of(name: str, seed: int) -> Case:
    return cases.MAKERS[NAMES.index(name)](drawn(seed))


# Arithmetic.


@pytest.mark.parametrize("maker", cases.MAKERS, ids=NAMES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_kernel_is_the_reference_byte_for_byte(maker: Any, data: st.DataObject) -> None:
    case = maker(lambda low, high: data.draw(st.integers(low, high)))
    np.testing.assert_array_equal(c.run(case), case.expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_kernel_is_the_reference_on_many_more(name: str) -> None:
    for seed in range(3000):
        case = case_of(name, seed)
        np.testing.assert_array_equal(c.run(case), case.expected, err_msg=f"seed {seed}")


def requantization(sums: np.ndarray, scales: np.ndarray) -> Case:
    """Return a convolution of nothing: each channel requantizes one bias."""
    inputs, weights = np.zeros((1, 1, 1, 1), np.int8), np.zeros((len(sums), 1, 1, 1), np.int8)
    content = cases.model(
        "CONV_2D",
        {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1},
        [
            cases.Tensor(inputs.shape, 1.0),
            cases.Tensor(weights.shape, scales, 0, weights),
            cases.Tensor(sums.shape, scales, 0, sums),
        ],
        cases.Tensor((1, 1, 1, len(sums)), 1.0),
        "Conv2DOptions",
    )
    call = cases.cut(1, 0, 1, 1, output=1, fires=1)
    fields = call.params[1] | {"weights": weights, "bias": sums, "out_channels": len(sums), "out_stride": len(sums)}
    fields["requant"] = cases.requant(scales.astype(np.float64), 0)
    expected = cases.reference(content, inputs)
    return Case(((1, 1, 1), (1, len(sums), 1)), (replace(call, params=("sqz_conv", fields)),), inputs, expected)


def near_ties(count: int) -> Case:
    """Return sums that lie on or next to a half of the output, for scales from 2^-22 to 16."""
    rng = np.random.default_rng(5)
    scales = (2.0 ** rng.uniform(-22, 4, count)).astype(np.float32)
    scales[::4] = np.float32(2.0 ** rng.integers(-22, 5, len(scales[::4])))
    halves = (rng.integers(-128, 128, count) + 0.5) / scales
    sums = np.rint(halves).astype(np.int64) + rng.integers(-1, 2, count)
    assert np.all(np.abs(sums * np.maximum(1.0, scales)) < 2**30)
    return requantization(sums.astype(np.int32), scales)


def test_rounding_is_that_of_the_interpreter_at_ties_and_beside_them() -> None:
    case = near_ties(4000)
    np.testing.assert_array_equal(c.run(case), case.expected)


def test_products_by_halves_of_words_are_the_same() -> None:
    """As on processors whose products have 32 bits."""
    case = near_ties(4000)
    np.testing.assert_array_equal(c.run(case, c.build("-DSQZ_HALVES")), case.expected)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_products_by_halves_of_words_may_have_negative_factors(name: str) -> None:
    for case in (case_of(name, seed) for seed in range(40)):
        np.testing.assert_array_equal(c.run(case, c.build("-DSQZ_HALVES")), case.expected)


def test_the_interpreter_rounds_twice() -> None:
    """Rounding once gives other bytes, so the test above decides between the two."""
    case = near_ties(4000)
    fields = case.calls[0].params[1]
    sums, shifts = fields["bias"].astype(object), fields["requant"]["shift"].astype(object)
    products = sums * fields["requant"]["multiplier"].astype(object)
    once = [(p + (1 << (30 - s))) >> (31 - s) for p, s in zip(products, shifts, strict=True)]
    assert np.count_nonzero(np.clip(once, -128, 127) != case.expected.ravel()) > 50


def test_power_of_two_scales_need_no_multiplier() -> None:
    rng = np.random.default_rng(3)
    sums = rng.integers(-(2**24), 2**24, 2000).astype(np.int32)
    case = requantization(sums, (2.0 ** rng.integers(-20, 2, len(sums))).astype(np.float32))
    call = case.calls[0]
    requant = call.params[1]["requant"]
    assert set(requant["multiplier"]) == {2**30}
    without = ("sqz_conv", call.params[1] | {"requant": requant | {"multiplier": None}})
    case = replace(case, calls=(replace(call, params=without),))
    np.testing.assert_array_equal(c.run(case), case.expected)


def connection(sums: np.ndarray, reals: np.ndarray, expected: np.ndarray) -> Case:
    """Return a FULLY_CONNECTED of nothing: each channel scales one bias by a double."""
    params = {
        "weights": np.zeros(len(sums), np.int8),
        "bias": sums,
        "requant": cases.exact_requant(reals, 0),
        "row_bytes": 1,
        "height": 1,
        "out_channels": len(sums),
    }
    call = Call("sqz_fully_connected_row", ("sqz_fully_connected", params), output=1, fires=1, yields=c.LAST)
    return Case(((1, 1, 1), (1, len(sums), 1)), (call,), np.zeros((1, 1, 1, 1), np.int8), expected)


def test_fully_connected_rounds_once_as_the_interpreter() -> None:
    rng = np.random.default_rng(8)
    scales = (2.0 ** rng.uniform(-22, -4, 4000)).astype(np.float32)
    scales[::4] = np.float32(2.0 ** rng.integers(-22, -4, 1000))
    sums = (np.rint((rng.integers(-128, 128, 4000) + 0.5) / scales) + rng.integers(-1, 2, 4000)).astype(np.int32)
    inputs, weights = np.zeros((1, 1), np.int8), np.zeros((4000, 1), np.int8)
    tensors = [cases.Tensor(inputs.shape, 1.0), cases.Tensor(weights.shape, scales, 0, weights)]
    tensors.append(cases.Tensor(sums.shape, scales, 0, sums))
    content = cases.model("FULLY_CONNECTED", {}, tensors, cases.Tensor((1, 4000), 1.0), "FullyConnectedOptions")
    case = connection(sums, scales.astype(np.float64), cases.reference(content, inputs))
    np.testing.assert_array_equal(c.run(case), case.expected)


def test_fully_connected_rounds_its_products_as_doubles() -> None:
    """Just below a half a double's product may be the half itself, and is then rounded up."""
    rng = np.random.default_rng(9)
    sums = rng.integers(1, 2**30, 4000)
    halves = rng.integers(0, 127, 4000) + 0.5
    reals = np.nextafter(halves / sums, 0.0)
    products = sums * reals
    below = [int(s) * Fraction(r) < Fraction(h) for s, r, h in zip(sums, reals, halves, strict=True)]
    assert np.count_nonzero(below & (products == halves)) > 100
    signs = rng.choice([-1, 1], 4000)
    expected = (signs * (np.trunc(products) + (np.modf(products)[0] >= 0.5))).astype(np.int8)
    case = connection((signs * sums).astype(np.int32), reals, expected[None])
    np.testing.assert_array_equal(c.run(case), case.expected)


@pytest.mark.parametrize(("classes", "answer"), [(511, -127), (512, -128), (600, -128), (5000, -128)])
def test_softmax_of_equal_scores(classes: int, answer: int) -> None:
    """TFLite's reference ends the program from 512 on; each output is then nearer to 0 than to 1 / 256."""
    inputs = np.full((1, 1, 1, classes), 3, np.int8)
    call = Call("sqz_softmax_row", cases.softmax_params(0.1, 1.0, 1, classes), output=1, fires=1)
    expected = np.full(inputs.shape, answer, np.int8)
    case = Case(((1, classes, 1), (1, classes, 1)), (call,), inputs, expected)
    np.testing.assert_array_equal(c.run(case), expected)


# The engine.


def slices(height: int = 6) -> Case:
    """A 1x1 and a 3x3 convolution that write the two halves of one row, as a Fire module does; then a 2x2 pool.

    The 1x1 convolution waits one row for the 3x3, so the joined row is whole in one step and needs a ring of one.
    """
    width, c_in, narrow, wide = 5, 3, 2, 4
    rng = np.random.default_rng(11)
    inputs = cases.int8s(rng, 1, height, width, c_in)
    calls, maps = [], []
    for channels, size, offset in ((narrow, 1, 0), (wide, 3, narrow)):
        weights = cases.int8s(rng, channels, size, size, c_in, lowest=-127)
        padded = np.pad(inputs[0].astype(np.int64), ((size // 2,) * 2, (size // 2,) * 2, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
        sums = np.einsum("yxihw,ohwi->yxo", windows, weights)
        maps.append(np.clip((sums * 2**22 + 2**30) >> 31, -128, 127).astype(np.int8))
        fields = cases.cut(1, 0, width, c_in, output=1, fires=height).params[1]
        fields |= {
            "weights": weights,
            "bias": np.zeros(channels, np.int32),
            "requant": fields["requant"] | {"multiplier": np.array([2**22], np.int32), "shift": np.array([0], np.int8)},
            "out_channels": channels,
            "out_stride": narrow + wide,
            "kernel_h": size,
            "kernel_w": size,
            "pad_left": size // 2,
        }
        window = {"kernel_h": size, "pad_top": size // 2, "lag": 1 - size // 2, "out_offset": offset}
        calls.append(Call("sqz_conv_row", ("sqz_conv", fields), output=1, fires=height, **window))
    joined = np.concatenate(maps, axis=2)
    pooled = joined[:, :4].reshape(height // 2, 2, 2, 2, narrow + wide).max(axis=(1, 3))
    pool = {"in_width": width, "channels": 6, "out_width": 2, "out_stride": 6, "lowest": -128, "highest": 127}
    pool |= dict.fromkeys(("kernel_h", "kernel_w", "stride_h", "stride_w"), 2) | {"pad_top": 0, "pad_left": 0}
    calls.append(
        Call(
            "sqz_max_pool_window",
            ("sqz_pool", pool),
            output=2,
            fires=height,
            yields=c.WINDOW,
            input=1,
            kernel_h=2,
            stride_h=2,
            state=12,
        )
    )
    streams = ((height, width * c_in, 3), (height, width * 6, 1), (height // 2, 12, height // 2))
    return Case(streams, tuple(calls), inputs, pooled[None])


def test_slices_of_a_row_are_joined() -> None:
    case = slices()
    np.testing.assert_array_equal(c.run(case), case.expected)


def test_rows_may_be_pushed_one_by_one_and_models_run_again() -> None:
    case, library = slices(), c.build()
    tables = c.Tables(case, library)
    output = np.empty_like(case.expected)
    for _ in range(2):
        assert library.sqz_begin(tables.model, tables.arena, tables.arena_bytes) == c.OK
        for row in case.input[0]:
            pushed = row.copy()
            assert library.sqz_push_row(tables.model, tables.arena, c.pointer(pushed)) == c.OK
            pushed[:] = OUTSIDE  # the caller's buffer may be used again
        assert library.sqz_finish(tables.model, tables.arena, c.pointer(output)) == c.OK
        np.testing.assert_array_equal(output, case.expected)
        output[:] = OUTSIDE
    assert tables.intact()


def test_streaming_pool_may_write_over_its_input_row() -> None:
    """Stream 1 is a copy of the input; the pool's rows (stream 2) lie where it lies, and are copied out at once."""
    found = 0
    for seed in range(400):
        case = case_of("max_pool_window", seed)
        pool = case.calls[0]
        fields = pool.params[1]
        if fields["pad_left"] > fields["stride_w"] - 1 or fields["kernel_h"] != fields["stride_h"] + 1:
            continue
        found += 1
        (height, row, _), (out_height, out_row, _) = case.streams
        calls = (
            cases.cut(1, 0, fields["in_width"], fields["channels"], output=1, fires=height),
            replace(pool, input=1, output=2),
            cases.cut(1, 0, fields["out_width"], fields["channels"], output=3, fires=out_height),
        )
        calls = (*calls[:2], replace(calls[2], input=2))
        streams = ((height, row, 1), (height, row, 1), (out_height, out_row, 1), (out_height, out_row, out_height))
        in_place = Case(streams, calls, case.input, case.expected, shared={2: 1})
        np.testing.assert_array_equal(c.run(in_place), case.expected, err_msg=f"seed {seed}")
    assert found > 20


@pytest.mark.parametrize("function", ["sqz_begin", "sqz_push_row", "sqz_finish", "sqz_invoke"])
def test_null_and_misaligned_pointers_are_errors(function: str) -> None:
    case, library = slices(), c.build()
    tables = c.Tables(case, library)
    data = c.pointer(case.input)
    arguments = {"sqz_begin": [tables.arena_bytes], "sqz_invoke": [data, data]}.get(function, [data])
    call = getattr(library, function)
    assert call(tables.model, None, *arguments) == c.NULL
    for position in range(len(arguments) if function != "sqz_begin" else 0):
        missing = [*arguments[:position], None, *arguments[position + 1 :]]
        assert call(tables.model, tables.arena, *missing) == c.NULL
    for offset in (1, 4, 8):
        assert call(tables.model, tables.arena + offset, *arguments) == c.ALIGNMENT


def test_an_arena_too_small_is_an_error() -> None:
    case, library = slices(), c.build()
    tables = c.Tables(case, library)
    assert library.sqz_begin(tables.model, tables.arena, tables.arena_bytes - 1) == c.ARENA
    assert np.all(tables.buffer == 0xA5)


def test_calls_out_of_order_are_errors() -> None:
    case, library = slices(), c.build()
    tables = c.Tables(case, library)
    row, output = c.pointer(case.input), np.empty_like(case.expected)

    def push() -> int:
        return int(library.sqz_push_row(tables.model, tables.arena, row))

    def finish() -> int:
        return int(library.sqz_finish(tables.model, tables.arena, c.pointer(output)))

    assert (push(), finish()) == (c.STATE, c.STATE)  # not begun
    assert library.sqz_begin(tables.model, tables.arena, tables.arena_bytes) == c.OK
    for _ in range(case.input.shape[1]):
        assert finish() == c.STATE  # a row is missing
        assert push() == c.OK
    assert push() == c.STATE  # a row too many
    assert finish() == c.OK
    assert (push(), finish()) == (c.STATE, c.STATE)  # finished


def test_an_arena_is_of_the_model_that_began_it() -> None:
    case, library = slices(), c.build()
    tables, other = c.Tables(case, library), c.Tables(case, library)
    assert library.sqz_begin(tables.model, tables.arena, tables.arena_bytes) == c.OK
    assert library.sqz_push_row(other.model, tables.arena, c.pointer(case.input)) == c.STATE


def test_trace_tells_every_row_once() -> None:
    case, rows = slices(), []
    library = c.build("-DSQZ_TRACE")

    @ctypes.CFUNCTYPE(None, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t)
    def trace(stream: int, y: int, row: int, size: int) -> None:
        rows.append((stream, y, ctypes.string_at(row, size)))

    ctypes.c_void_p.in_dll(library, "sqz_trace_to").value = ctypes.cast(trace, ctypes.c_void_p).value
    np.testing.assert_array_equal(c.run(case, library), case.expected)
    for stream, (height, row_bytes, _) in enumerate(case.streams):
        assert [y for s, y, _ in rows if s == stream] == list(range(height))
        assert {len(row) for s, _, row in rows if s == stream} == {row_bytes}
    assert b"".join(row for s, _, row in rows if s == 0) == case.input.tobytes()
    assert b"".join(row for s, _, row in rows if s == 2) == case.expected.tobytes()


# Other processors, other compilers.


def batch(each: int) -> list[Case]:
    return [slices(), near_ties(300), *(maker(drawn(seed)) for maker in cases.MAKERS for seed in range(each))]


def run_elsewhere(folder: Path, compiler: Sequence[str], emulator: Sequence[str] = (), each: int = 6) -> None:
    require(c.can_run(compiler, emulator), f"{compiler[0]} or its C library or {emulator} is not installed")
    everything = batch(each)
    assert c.execute(c.program(everything), folder, compiler, emulator) == f"{len(everything)} cases\n"


@pytest.mark.device
@pytest.mark.parametrize(
    ("compiler", "emulator"),
    [
        (["cc", "-O2", "-m32"], []),
        (["arm-linux-gnueabihf-gcc", "-O2", "-static"], ["qemu-arm"]),
        (["powerpc-linux-gnu-gcc", "-O2", "-static"], ["qemu-ppc"]),
    ],
    ids=["32-bit", "arm", "big-endian"],
)
def test_other_processors_give_the_same_bytes(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    run_elsewhere(tmp_path, compiler, emulator)


@pytest.mark.device
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55", "cortex-m0plus", "cortex-m3", "riscv32"])
def test_chips_give_the_same_bytes(tmp_path: Path, core: str) -> None:
    """Pooling is done with DSP instructions or Helium there."""
    pools = [maker(drawn(seed)) for maker in (cases.max_pool_row, cases.max_pool_window) for seed in range(100, 140)]
    everything = [*batch(4), *pools]  # an exit code tells the first 254 apart
    assert len(everything) < 255
    assert c.on_board(everything, core, tmp_path, "-O2") == 0


@pytest.mark.device
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    run_elsewhere(tmp_path, ["cc", *flags], each=10)


def test_a_wrong_byte_would_be_found(tmp_path: Path) -> None:
    case = slices()
    case.expected.flat[3] ^= 1
    with pytest.raises(AssertionError, match="case 0"):
        c.execute(c.program([case]), tmp_path, ["cc", "-O2"])


def test_tables_have_the_layout_of_the_header(tmp_path: Path) -> None:
    names = [structure.__name__ for structure in c.STRUCTURES]
    sizes = "".join(f'printf("%zu\\n", sizeof({name}));' for name in names)
    text = f'#include "sqz_ops.h"\n#include <stdio.h>\nint main(void) {{ {sizes} return 0; }}\n'
    printed = c.execute(text, tmp_path, ["cc"])
    assert list(map(int, printed.split())) == [ctypes.sizeof(structure) for structure in c.STRUCTURES]


def test_every_status_has_its_name(tmp_path: Path) -> None:
    header = (c.SOURCES / "sqz.h").read_text()
    codes = dict(re.findall(r"(SQZ_(?:OK|ERROR_\w+)) = (-?\d+)", header))
    assert len(codes) == 9
    calls = "".join(f'printf("%d %s\\n", {name}, sqz_status_name({name}));' for name in codes)
    text = f'#include "sqz.h"\n#include <stdio.h>\nint main(void) {{ {calls} return 0; }}\n'
    assert c.execute(text, tmp_path, ["cc"]) == "".join(f"{code} {name}\n" for name, code in codes.items())


def test_headers_can_be_included_from_cpp(tmp_path: Path) -> None:
    require(shutil.which("c++"), "c++ is not installed")
    (tmp_path / "main.cpp").write_text('#include "sqz_image.h"\n#include "sqz_ops.h"\nint main() { return SQZ_OK; }\n')
    flags = ["-std=c++14", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{c.SOURCES}"]
    subprocess.run(["c++", *flags, "-c", "main.cpp"], cwd=tmp_path, check=True)


def undefined_symbols(folder: Path, compiler: str, *flags: str) -> dict[str, set[str]]:
    """Return what each object file of the library asks of others, by the file's name."""
    require(shutil.which(compiler), f"{compiler} is not installed")
    subprocess.run([compiler, *c.STRICT, "-O2", *flags, "-c", *c.sources()], cwd=folder, check=True)
    nm = compiler.replace("gcc", "nm")
    listed = {
        path.stem: subprocess.run([nm, "-u", str(path)], capture_output=True, text=True, check=True).stdout
        for path in folder.glob("*.o")
    }
    return {name: set(re.findall(r"U (\w+)", text)) for name, text in listed.items()}


CORES = {
    "cortex-m0": ("-mcpu=cortex-m0", "-mthumb"),
    "cortex-m4": ("-mcpu=cortex-m4", "-mthumb"),
    "cortex-m55": ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
}


@pytest.mark.device
@pytest.mark.parametrize("core", CORES)
def test_library_needs_no_libc_but_memcpy_and_memset(tmp_path: Path, core: str) -> None:
    """Besides these only the compiler's own arithmetic (__aeabi_…) and the library itself."""
    wanted = undefined_symbols(tmp_path, "arm-none-eabi-gcc", *CORES[core])
    others = {name for names in wanted.values() for name in names if not name.startswith(("sqz_", "__aeabi_", "__gnu"))}
    assert others <= {"memcpy", "memset"}


def test_library_has_no_writable_globals(tmp_path: Path) -> None:
    undefined_symbols(tmp_path, "arm-none-eabi-gcc", *CORES["cortex-m4"])
    for path in tmp_path.glob("*.o"):
        sizes = subprocess.run(["arm-none-eabi-size", str(path)], capture_output=True, text=True, check=True).stdout
        data, bss = map(int, sizes.splitlines()[1].split()[1:3])
        assert data == bss == 0, path.stem


MOST_STACK = 240


@pytest.mark.device
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
def test_functions_are_small_on_the_stack(tmp_path: Path, core: str) -> None:
    undefined_symbols(tmp_path, "arm-none-eabi-gcc", *CORES[core], "-fstack-usage")
    usage = [line.split("\t") for path in tmp_path.glob("*.su") for line in path.read_text().splitlines()]
    assert len(usage) > 15
    assert {kind for _, _, kind in usage} == {"static"}
    assert max((int(size), name) for name, size, _ in usage)[0] <= MOST_STACK
