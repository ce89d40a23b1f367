"""The kernels for 64-bit ARM, on an emulated processor of each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from converters.compiler.back.c import library
from tests.helpers import c_library as mcu
from tests.mcu import test_fast_connected as connected
from tests.mcu import test_fast_convolutions as convolutions
from tests.mcu import test_fast_depthwise as depthwise
from tools.bench_mcu import count

pytestmark = pytest.mark.device

LEVELS = {"cortex-a72": 0, "neoverse-n1": 1, "max": 2}
NEON = f"{mcu.SOURCES}/sqz_neon.c"
LEVEL = """#include "sqz_neon.h"
#include <stdio.h>
int main(void) { return printf("%d\\n", sqz_neon_level()) < 0; }
"""
ROUNDING = """#include "sqz_neon.h"
#include <stdio.h>

static uint32_t state = 1;

static uint32_t drawn(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

static int32_t clipped(int64_t value, int64_t most) {
    return (int32_t)(value > most ? most : value < -most ? -most : value);
}

/* Near a half of what a shift leaves, near the ends, or anything. */
static int32_t sum_near(int shift, unsigned how) {
    const int64_t most = ((int64_t)1 << 31) - ((int64_t)1 << (-shift - 1)) - 200, half = (int64_t)1 << (-shift - 1);
    const int64_t near = (int64_t)(drawn() % 5) - 2, times = (int64_t)(drawn() % 513) - 256;
    const int64_t halves = 2 * half * times + half + near;
    const int64_t all = how % 3 == 0 ? halves : how % 3 == 1 ? most - drawn() % 3 : (int32_t)drawn();
    return clipped(how % 2 ? -all : all, most);
}

int main(void) {
    const int8_t ends[][3] = {{-128, -128, 127}, {0, 0, 127}, {127, -128, 127}, {-5, -100, 90}};
    int wrong = 0, many[256] = {0}, kinds = 0;
    for (unsigned i = 0; i < 400000; ++i) {
        const int shift = -1 - (int)(i % 31);
        int8_t record[40], shifts[8];
        int32_t sum[16], multiplier[8];
        for (int c = 0; c < 8; ++c) {
            shifts[c] = record[c] = (int8_t)shift;
            multiplier[c] = i % 5 == 0 ? INT32_MAX : i % 5 == 1 ? 1 << 30 : (1 << 30) + (int32_t)(drawn() >> 2);
            sum[c] = sum_near(shift, drawn() >> 8);
            sum[c + 8] = sum_near(shift, drawn() >> 8);
        }
        const int only_shifts = i % 7 == 0;
        __builtin_memcpy(record + 8, multiplier, 32);
        const int8_t *end = ends[drawn() % 4];
        const sqz_requant to = {only_shifts ? NULL : multiplier, shifts, 1, end[0], end[1], end[2]};
        sqz_neon_scale scale;
        sqz_neon_limits(&scale, &to);
        sqz_neon_factors(&scale, record, only_shifts ? NULL : record + 8);
        const int32x4_t first[2] = {vld1q_s32(sum), vld1q_s32(sum + 4)};
        const int32x4_t second[2] = {vld1q_s32(sum + 8), vld1q_s32(sum + 12)};
        int8_t found[16];
        vst1q_s8(found, sqz_neon_two(first, second, &scale));
        for (unsigned c = 0; c < 16; ++c) {
            wrong += found[c] != sqz_requantize(&to, sum[c], c % 8);
            many[128 + found[c]]++;
        }
    }
    for (int i = 0; i < 256; ++i) kinds += many[i] > 0;
    printf("%d wrong, %d kinds\\n", wrong, kinds);
    return 0;
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what builds a program for any 64-bit ARM, or skip."""
    mcu.require_arm64()
    return lambda text, *files: mcu.build_program(text, tmp_path_factory.mktemp("arm64"), [*mcu.ARM64, *files])


def assert_equal(built: Callable[..., Path], cases: Sequence[mcu.Case]) -> None:
    """One program computes the cases on every processor as the portable kernels do."""
    needed = library.files(call.kernel for case in cases for call in case.calls)
    files = [f"{mcu.SOURCES}/{name}" for name in needed if name.endswith(".c")]
    program = built(mcu.aligned(mcu.program(cases)), *files)
    for processor in mcu.ARM64_PROCESSORS:
        assert mcu.run_program(program, mcu.on_arm64(processor)) == f"{len(cases)} cases\n", processor


def test_one_program_finds_what_each_processor_has(built: Callable[..., Path]) -> None:
    program = built(LEVEL, NEON)
    for processor, level in LEVELS.items():
        assert mcu.run_program(program, mcu.on_arm64(processor)) == f"{level}\n"


def test_eight_channels_are_rounded_as_one_is(built: Callable[..., Path]) -> None:
    said = mcu.run_program(built(ROUNDING), mcu.on_arm64("cortex-a72"))
    assert said == "0 wrong, 256 kinds\n"


def test_each_processor_gives_the_same_bytes(built: Callable[..., Path]) -> None:
    shapes = [(1, 1, 1, 0, 1, width, 12, 20) for width in range(1, 10)] + [(3, 3, 2, 1, 1, 23, 5, 8)]
    convs = [convolutions.random_conv(i, shape, mean=i % 4 == 1) for i, shape in enumerate(shapes)]
    edges = convolutions.edge_conv(-128, relu=False)
    assert_equal(built, [convolutions.with_expected(conv, "aarch64", height=3) for conv in (*convs, edges)])


@pytest.mark.slow
def test_each_processor_gives_the_same_bytes_for_every_kind_of_layer(built: Callable[..., Path]) -> None:
    assert_equal(built, [case for module in (convolutions, depthwise, connected) for case in module.batch("aarch64")])


MOST = {"cortex-a72": 0.45, "neoverse-n1": 0.2, "max": 0.16}  # instructions a MAC, the program's start among them


@pytest.mark.slow
def test_each_processor_is_given_its_fastest_instructions(
    built: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conv = convolutions.random_conv(0, (3, 3, 1, 1, 1, 16, 64, 64))
    case = convolutions.case(conv, "aarch64", height=16)
    files = [f"{mcu.SOURCES}/{name}" for name in library.files([case.calls[0].kernel]) if name.endswith(".c")]
    program = built(mcu.program([case]).replace("wrong = 1;", ""), *files)
    for processor, most in MOST.items():
        out = tmp_path / processor
        monkeypatch.setenv("QEMU_PLUGIN", f"file={count.plugin()},out={out}")
        mcu.run_program(program, mcu.on_arm64(processor))
        assert count.total(out.read_text()) < most * 16 * 16 * 64 * 64 * 9, processor
