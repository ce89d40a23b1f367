"""Camera rows to network rows in C, byte for byte what sqz_tf.images makes of the whole picture."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, c_int, c_size_t, c_uint16, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqz_tf.base.pixels import to_int8
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.images.resize import preprocess
from tests.helpers import c_library as c
from tests.helpers.needs import require

Push = CFUNCTYPE(c_int, c_void_p, POINTER(ctypes.c_int8))
FITS = ("warp", "centre-crop")
SIZE = -5
STOP = 17  # what a sink returns here to be seen again
GUARD = 64


class Config(Structure):
    """sqz_image_config."""

    _fields_ = (
        *((name, c_uint16) for name in ("width", "height", "channels", "resize_width", "resize_height")),
        ("fit", c_int),
        *((name, c_uint16) for name in ("camera_width", "camera_height")),
        ("push", Push),
        ("context", c_void_p),
        ("memory", c_void_p),
        ("memory_bytes", c_size_t),
    )


class Sink:
    """A camera's picture going through sqz_image, with guarded memory of the smallest size."""

    def __init__(self, spec: PreprocessSpec, width: int, height: int, stop_after: int = -1) -> None:
        self.rows: list[bytes] = []
        row_bytes = spec.width * spec.channels

        def push(_: int, row: Any) -> int:
            self.rows.append(ctypes.string_at(row, row_bytes))
            return STOP if len(self.rows) == stop_after else c.OK

        sizes = (spec.width, spec.height, spec.channels, spec.resize_width, spec.resize_height)
        self.config = Config(*sizes, FITS.index(spec.fit), width, height, Push(push))
        self.needed = int(c.build().sqz_image_bytes(ctypes.byref(self.config)))
        self.memory = np.full(self.needed + 2 * GUARD, 0xA5, np.uint8)
        start = GUARD - self.memory.ctypes.data % 4
        self.inside = slice(start, start + self.needed)
        self.config.memory, self.config.memory_bytes = self.memory.ctypes.data + start, self.needed
        self.image = (ctypes.c_uint8 * 256)()

    def begin(self) -> int:
        return int(c.build().sqz_image_begin(self.image, ctypes.byref(self.config)))

    def take(self, function: str, row: np.ndarray) -> int:
        copy = np.ascontiguousarray(row)
        return int(getattr(c.build(), function)(self.image, c_void_p(copy.ctypes.data)))

    def intact(self) -> bool:
        return bool(np.all(np.delete(self.memory, self.inside) == 0xA5))


def through_c(pixels: np.ndarray, spec: PreprocessSpec, function: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the network's input; `rows` are the camera's where they are not the pixels themselves."""
    sink = Sink(spec, pixels.shape[1], pixels.shape[0])
    assert sink.begin() == c.OK
    for row in pixels if rows is None else rows:
        assert sink.take(function, row) == c.OK
    assert sink.intact()
    return np.frombuffer(b"".join(sink.rows), np.int8).reshape(-1, spec.width, spec.channels)


def expected(pixels: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    return to_int8(preprocess(pixels, spec))


@st.composite
def specs(draw: Any) -> PreprocessSpec:
    width, height = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    more = {} if draw(st.booleans()) else {"resize_width": width + draw(st.integers(0, 9))}
    more |= {} if draw(st.booleans()) else {"resize_height": height + draw(st.integers(0, 9))}
    return PreprocessSpec(width, height, draw(st.sampled_from([1, 3])), draw(st.sampled_from(FITS)), **more)


SIDE = st.integers(1, 60)
SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(specs(), SIDE, SIDE, SEED)
def test_rgb888_is_the_python_side_byte_for_byte(spec: PreprocessSpec, width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_array_equal(through_c(pixels, spec, "sqz_rgb888_row"), expected(pixels, spec))


@settings(max_examples=60, deadline=None)
@given(specs(), SIDE, SIDE, SEED)
def test_gray_is_the_python_side_byte_for_byte(spec: PreprocessSpec, width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8)
    np.testing.assert_array_equal(through_c(pixels, spec, "sqz_gray_row"), expected(pixels, spec))


@settings(max_examples=40, deadline=None)
@given(specs(), SIDE, SIDE, SEED)
def test_rgb565_is_widened_by_repeating_its_high_bits(spec: PreprocessSpec, w: int, h: int, seed: int) -> None:
    packed = np.random.default_rng(seed).integers(0, 2**16, (h, w), dtype=np.uint16)
    red, green, blue = packed >> 11, packed >> 5 & 63, packed & 31
    pixels = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=2).astype(np.uint8)
    as_bytes = packed.astype(">u2").view(np.uint8).reshape(h, -1)
    for function, rows in (("sqz_rgb565_row", packed), ("sqz_rgb565_bytes_row", as_bytes)):
        np.testing.assert_array_equal(through_c(pixels, spec, function, rows), expected(pixels, spec))


CAMERAS = [
    ((320, 240), PreprocessSpec(224, 224, resize_width=256, resize_height=256)),
    ((640, 480), PreprocessSpec(96, 96)),
    ((160, 120), PreprocessSpec(227, 227, fit="warp", resize_width=256, resize_height=256)),
    ((33, 1200), PreprocessSpec(5, 7, 1, fit="warp")),
    ((16383, 2), PreprocessSpec(3, 2, 1, fit="warp")),
]


@pytest.mark.parametrize(("camera", "spec"), CAMERAS)
def test_real_sizes(camera: tuple[int, int], spec: PreprocessSpec) -> None:
    width, height = camera
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels[: height // 3] = 255
    np.testing.assert_array_equal(through_c(pixels, spec, "sqz_rgb888_row"), expected(pixels, spec))


@pytest.mark.parametrize(("camera", "spec"), CAMERAS)
def test_the_macro_is_enough_memory(camera: tuple[int, int], spec: PreprocessSpec, tmp_path: Path) -> None:
    sizes = (*camera, spec.width, spec.channels, spec.resize_width, spec.resize_height)
    text = f'#include "sqz_image.h"\n#include <stdio.h>\nint main(void) {{ printf("%u", SQZ_IMAGE_BYTES{sizes}); }}\n'
    enough = int(c.execute(text, tmp_path, ["cc"]))
    assert Sink(spec, *camera).needed <= enough < 1.5 * Sink(spec, *camera).needed + 200


def test_a_second_picture_needs_another_begin_only() -> None:
    spec = PreprocessSpec(5, 5)
    pixels = np.random.default_rng(2).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    sink = Sink(spec, 11, 9)
    for _ in range(2):
        assert sink.begin() == c.OK
        assert [sink.take("sqz_rgb888_row", row) for row in pixels] == [c.OK] * 9
        assert sink.take("sqz_rgb888_row", pixels[0]) == c.STATE  # a row too many
    once = expected(pixels, spec).tobytes()
    assert b"".join(sink.rows) == 2 * once


def test_what_the_sink_returns_is_passed_on() -> None:
    sink = Sink(PreprocessSpec(4, 4), 4, 4, stop_after=3)
    assert sink.begin() == c.OK
    row = np.zeros((4, 3), np.uint8)
    assert [sink.take("sqz_rgb888_row", row) for _ in range(4)] == [c.OK, c.OK, STOP, c.OK]


def test_pointers_missing_or_misaligned_are_errors() -> None:
    sink, lib = Sink(PreprocessSpec(4, 4), 4, 4), c.build()
    assert sink.take("sqz_rgb888_row", np.zeros(12, np.uint8)) == c.STATE  # never begun
    assert lib.sqz_image_begin(None, ctypes.byref(sink.config)) == c.NULL
    assert lib.sqz_image_begin(sink.image, None) == c.NULL
    assert lib.sqz_image_bytes(None) == 0
    assert lib.sqz_gray_row(None, c_void_p(1)) == c.NULL
    assert lib.sqz_gray_row(sink.image, None) == c.NULL
    for name, value, status in (("memory", 0, c.NULL), ("push", Push(), c.NULL), ("memory", 2, c.ALIGNMENT)):
        broken = Config.from_buffer_copy(sink.config)
        setattr(broken, name, value)
        assert lib.sqz_image_begin(sink.image, ctypes.byref(broken)) == status


def test_too_little_memory_is_an_error() -> None:
    sink = Sink(PreprocessSpec(4, 4), 40, 30)
    sink.config.memory_bytes -= 1
    assert sink.begin() == c.ARENA
    assert np.all(sink.memory == 0xA5)


@pytest.mark.parametrize(
    "change",
    [
        *({name: 0} for name in ("width", "height", "channels", "resize_width", "camera_width", "camera_height")),
        *({name: 16384} for name in ("resize_width", "resize_height", "camera_width", "camera_height")),
        *({"channels": 2}, {"channels": 4}, {"resize_width": 3}, {"resize_height": 3}, {"fit": 2}),
    ],
)
def test_sizes_that_cannot_be_are_errors(change: dict[str, int]) -> None:
    sink = Sink(PreprocessSpec(4, 4), 8, 8)
    for name, value in change.items():
        setattr(sink.config, name, value)
    assert sink.begin() == SIZE
    assert c.build().sqz_image_bytes(ctypes.byref(sink.config)) == 0


def program(each: int) -> str:
    """Return a C program that resizes random pictures and compares them with what Python makes of them."""
    rng, lines, calls = np.random.default_rng(4), [], []
    for number in range(each):
        height, width, side, spare = (int(rng.integers(1, 30)) for _ in range(4))
        spec = PreprocessSpec(
            side, side, int(rng.choice([1, 3])), FITS[number % 2], resize_width=side + spare % 7, resize_height=side
        )
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        lines += [c.array_text(f"in{number}", pixels), c.array_text(f"out{number}", expected(pixels, spec))]
        sizes = (spec.width, spec.height, spec.channels, spec.resize_width, spec.resize_height)
        config = (
            f"{{{', '.join(map(str, sizes))}, {FITS.index(spec.fit)}, {width}, {height}, compare, out{number}, 0, 0}}"
        )
        calls.append(f"    wrong |= run((sqz_image_config){config}, in{number});")
    return "\n".join(
        [PROGRAM_TOP, *lines, "int main(void) {", "    int wrong = 0;", *calls, "    return wrong;", "}", ""]
    )


PROGRAM_TOP = """
#include "sqz_image.h"
#include <stdlib.h>
#include <string.h>
static size_t row_bytes, at;
static sqz_status compare(void *context, const int8_t *row) {
    const int same = memcmp((const int8_t *)context + at, row, row_bytes) == 0;
    at += row_bytes;
    return same ? SQZ_OK : SQZ_ERROR_STATE;
}
static int run(sqz_image_config config, const uint8_t *pixels) {
    sqz_image image;
    config.memory_bytes = sqz_image_bytes(&config);
    config.memory = malloc(config.memory_bytes);
    row_bytes = (size_t)config.width * config.channels;
    at = 0;
    int wrong = sqz_image_begin(&image, &config) != SQZ_OK;
    for (size_t y = 0; y < config.camera_height; ++y) {
        wrong |= sqz_rgb888_row(&image, pixels + 3 * y * config.camera_width) != SQZ_OK;
    }
    free(config.memory);
    return wrong || at != row_bytes * config.height;
}
"""


@pytest.mark.device
@pytest.mark.parametrize(
    ("compiler", "emulator"),
    [
        (["cc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], []),
        (["cc", "-O2", "-m32"], []),
        (["powerpc-linux-gnu-gcc", "-O2", "-static"], ["qemu-ppc"]),
    ],
    ids=["sanitizers", "32-bit", "big-endian"],
)
def test_other_processors_and_sanitizers(tmp_path: Path, compiler: list[str], emulator: list[str]) -> None:
    require(c.can_run(compiler, emulator), f"{compiler[0]} or its C library or {emulator} is not installed")
    text = program(30).replace("compare, out", "compare, (void *)(uintptr_t)out")
    c.execute(text, tmp_path, compiler, emulator)
