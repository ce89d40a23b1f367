"""A program whose weights lie in a slot runs every network of its shapes, and refuses others by name."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from converters import compiler
from converters.compiler import Packing
from converters.compiler.back.c.slot import Test as SelfTest
from converters.compiler.compilation import slot_files, slot_image
from sqz_tf.inference import interpreters
from tests.helpers.compiled_on_host import SANITIZERS, WARNINGS
from tests.helpers.int8_networks import squeezenet
from tests.helpers.needs import require
from tests.helpers.slots import fine_tuned, xorshift

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#include "net.h"
static _Alignas(NET_ARENA_ALIGN) uint8_t arena[NET_ARENA_BYTES];
static int8_t input[NET_INPUT_BYTES], output[NET_OUTPUT_BYTES], row[NET_INPUT_ROW_BYTES];
int main(int argc, char **argv) {
    if (net_begin(arena, sizeof arena) != SQZ_ERROR_STATE) return 100;
    for (int i = 1; i < argc; ++i) {
        FILE *file = fopen(argv[i], "rb");
        static _Alignas(8) uint8_t memory[1 << 20];
        const size_t bytes = fread(memory, 1, sizeof memory, file);
        uint8_t *image = malloc(bytes); /* so that reading behind it is seen */
        for (size_t k = 0; k < bytes; ++k) image[k] = memory[k];
        fclose(file);
        const sqz_status status = net_open(image, bytes);
        printf("%s ", sqz_status_name(status));
        if (status == SQZ_OK) {
            printf("%s %.9g %d ", sqz_status_name(net_self_test(arena, row, output)), (double)NET_OUTPUT_SCALE,
                   (int)NET_OUTPUT_ZERO_POINT);
            if (fread(input, 1, sizeof input, stdin) != sizeof input) return 101;
            if (net_invoke(arena, input, output) != SQZ_OK) return 102;
            for (unsigned k = 0; k < NET_OUTPUT_BYTES; ++k) printf("%d,", output[k]);
        } else if (net_begin(arena, sizeof arena) != SQZ_ERROR_STATE) return 103;
        printf("\n");
        free(image);
    }
    return 0;
}
"""


def analysed(model: bytes, target: str, optimize: str, classes: int = 0) -> compiler.Compilation:
    return compiler.analyse(model, target, Packing(optimize=optimize, slot=True, classes=classes))


def self_test(model: bytes, shape: tuple[int, ...], outputs: int) -> SelfTest:
    given = xorshift(7, int(np.prod(shape))).reshape(1, *shape)
    expected = interpreters.run(model, given, "litert-ref").outputs.tobytes()
    return SelfTest(7, zlib.crc32(expected.ljust(outputs, b"\x80")))


def build(folder: Path, compilation: compiler.Compilation, flags: tuple[str, ...] = ()) -> Path:
    require(shutil.which("gcc"), "gcc is not installed")
    for file, text in slot_files(compilation, "net", slot_image(compilation)).items():
        (folder / file).write_text(text, encoding="utf-8")
    (folder / "main.c").write_text(MAIN)
    sources = sorted(path.name for path in folder.glob("*.c"))
    command = ["gcc", "-std=c11", "-O0", *WARNINGS, *flags, "-I.", "-o", "main", *sources]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return folder / "main"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "optimize", "classes"),
    [("generic", "flash", 0), ("generic", "speed", 9), ("cortex-m4", "speed", 0), ("cortex-m4", "flash", 12)],
)
def test_one_program_runs_every_network_of_its_shapes(tmp_path: Path, target: str, optimize: str, classes: int) -> None:
    first = squeezenet(classes=classes or 5)
    models = [first, fine_tuned(first, 1), fine_tuned(squeezenet(), 2) if classes else fine_tuned(first, 2)]
    compilations = [analysed(model, target, optimize, classes) for model in models]
    source = compilations[0].program.streams[0]
    shape = (source.height, source.width, source.channels)
    outputs = compilations[0].program.results[0].bytes
    pairs = zip(compilations, models, strict=True)
    images = [slot_image(each, self_test(model, shape, outputs)) for each, model in pairs]
    assert len({image.network for image in images}) == 1
    assert len({image.data for image in images}) == 3
    program = build(tmp_path, compilations[0], SANITIZERS)
    given = np.random.default_rng(1).integers(-128, 128, (3, *shape), dtype=np.int8)
    paths = []
    for i, image in enumerate(images):
        paths.append(tmp_path / f"{i}.image")
        paths[-1].write_bytes(image.data)
    done = subprocess.run([program, *paths], input=given.tobytes(), capture_output=True, check=True)
    for line, model, value, compiled in zip(
        done.stdout.decode().splitlines(), models, given, compilations, strict=True
    ):
        opened, test, scale, zero_point, told = line.split()
        assert (opened, test) == ("SQZ_OK", "SQZ_OK")
        result = compiled.program.results[0]
        assert (np.float32(scale), int(zero_point)) == (np.float32(result.scale), result.zero_point)
        expected = interpreters.run(model, value[None], "litert-ref").outputs.ravel()
        filled = expected.tolist() + [-128] * (outputs - expected.size)
        assert told == "".join(f"{each}," for each in filled)


def test_what_is_no_image_of_the_program_is_refused_by_name(tmp_path: Path) -> None:
    first, other = squeezenet(), squeezenet(classes=7)
    mine, others = (analysed(model, "generic", "speed") for model in (first, other))
    assert slot_image(mine).network != slot_image(others).network
    program = build(tmp_path, mine)
    good = slot_image(mine).data
    wrong = bytearray(good)
    wrong[-1] ^= 1
    tables = 64 + 4 * int.from_bytes(good[40:44], "little")  # where the first one lies, behind the numbers
    number = next(at for at in range(64, tables, 4) if int.from_bytes(good[at : at + 4], "little") == tables)
    beyond, odd = bytearray(good), bytearray(good)
    beyond[number : number + 4] = len(good).to_bytes(4, "little")
    odd[number : number + 4] = (tables + 1).to_bytes(4, "little")
    bad = {
        "SQZ_ERROR_NETWORK": slot_image(others).data,
        "SQZ_ERROR_IMAGE": good[:-4],
        "SQZ_OK": bytes(wrong),
    }
    paths = []
    for i, data in enumerate(
        [*bad.values(), b"", b"SQZI" * 3, good[:40], b"SQZX" + good[4:], bytes(beyond), bytes(odd)]
    ):
        paths.append(tmp_path / f"{i}.image")
        paths[-1].write_bytes(data)
    size = mine.program.streams[0].bytes
    done = subprocess.run([program, *paths], input=bytes(size), capture_output=True, check=True)
    said = [line.split()[0] for line in done.stdout.decode().splitlines()]
    assert said == [*bad, *["SQZ_ERROR_IMAGE"] * 6]
    assert done.stdout.decode().splitlines()[2].split()[1] == "SQZ_ERROR_TEST"  # its test knows
