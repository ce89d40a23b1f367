"""Two models are linked into one program as people do it, without a symbol that both define, and answer as TFLite."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from converters.c_packages import KINDS, package
from converters.compiler import compile_model
from converters.compiler.back.c import library
from converters.tflite.reader import read_model
from sqz_tf.deploy.flashing import noise
from sqz_tf.inference import interpreters
from tests.helpers import compiled_networks
from tests.helpers.needs import require
from tools.bench_mcu.graphs import GRAPHS, squeezenet

MAIN = """#include <stdio.h>
#include "first.h"
#include "second.h"
#include "sqz_image.h"

static _Alignas(16) unsigned char arena_1[FIRST_ARENA_BYTES], arena_2[SECOND_ARENA_BYTES];
static int8_t input_1[FIRST_INPUT_BYTES], input_2[SECOND_INPUT_BYTES];
static int8_t output_1[FIRST_OUTPUT_BYTES], output_2[SECOND_OUTPUT_BYTES];

int main(void) {
    int bad = fread(input_1, sizeof input_1, 1, stdin) != 1 || fread(input_2, sizeof input_2, 1, stdin) != 1;
    bad |= first_begin(arena_1, sizeof arena_1) | second_begin(arena_2, sizeof arena_2);
    for (unsigned y = 0; y < FIRST_INPUT_HEIGHT || y < SECOND_INPUT_HEIGHT; y++) { /* both at once */
        bad |= y < FIRST_INPUT_HEIGHT && first_push_row(arena_1, input_1 + y * FIRST_INPUT_ROW_BYTES);
        bad |= y < SECOND_INPUT_HEIGHT && second_push_row(arena_2, input_2 + y * SECOND_INPUT_ROW_BYTES);
    }
    bad |= first_finish(arena_1, output_1) | second_finish(arena_2, output_2);
    bad |= sqz_image_bytes(NULL) != 0; /* one of the two */
    fwrite(output_1, sizeof output_1, 1, stdout);
    fwrite(output_2, sizeof output_2, 1, stdout);
    return bad;
}
"""
MODELS = {"first": (squeezenet(GRAPHS["b"]), "cortex-m4"), "second": (compiled_networks.confident(), "generic")}


def run(command: list[str], folder: Path, given: bytes | None = None) -> bytes:
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def written(folder: Path, kind: str) -> list[str]:
    """Write a package of each model; return what the compiler is told of their headers."""
    for name, (model, target) in MODELS.items():
        for path, text in package(compile_model(model, name, target), name, kind).items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_text(text, encoding="utf-8")
    return [f"-I{name}{'' if kind == 'plain' else '/src'}" for name in MODELS]


@pytest.mark.parametrize(
    "kind", [kind if kind in ("plain", "arduino") else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_two_packages_are_linked_into_one_program_and_both_answer_as_tflite(kind: str, tmp_path: Path) -> None:
    require(shutil.which("gcc"), "gcc is not installed")
    included = written(tmp_path, kind)
    (tmp_path / "main.c").write_text(MAIN)
    sources = [str(path) for flag in included for path in sorted((tmp_path / flag[2:]).glob("*.c"))]
    run(["gcc", "-std=c11", "-O0", "-Werror", "-Wall", *included, "main.c", *sources, "-o", "both"], tmp_path)
    inputs = [noise(read_model(model).input_tensors()[0].shape[1:])[:1] for model, _ in MODELS.values()]
    pairs = zip(MODELS.values(), inputs, strict=True)
    expected = [interpreters.run(model, given, "litert-ref").outputs for (model, _), given in pairs]
    given = b"".join(np.ascontiguousarray(each).tobytes() for each in inputs)
    assert run(["./both"], tmp_path, given) == b"".join(each.tobytes() for each in expected)


def test_every_symbol_of_a_models_folder_begins_with_its_name(tmp_path: Path) -> None:
    require(shutil.which("arm-none-eabi-gcc"), "gcc-arm-none-eabi is not installed")
    files = library.files(library._defined_in(), "net")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    sources = [name for name in files if name.endswith(".c")]
    run(["arm-none-eabi-gcc", "-std=c11", "-mcpu=cortex-m55", "-mfloat-abi=hard", "-O0", "-c", *sources], tmp_path)
    objects = [f"{name[:-2]}.o" for name in sources]
    listed = run(["arm-none-eabi-nm", "-g", "--defined-only", *objects], tmp_path).decode()
    symbols = re.findall(r"^[0-9a-f]+ \w (\S+)$", listed, re.MULTILINE)
    assert len(symbols) > 50
    assert [name for name in symbols if not name.startswith("net_sqz_")] == []


def test_names_are_only_put_in_front_of_what_the_linker_sees() -> None:
    header = library.files(["sqz_conv_row"], "net")[library.NAMES]
    assert "#define sqz_conv_row net_sqz_conv_row" in header
    assert "sqz_status_name" not in header
    assert "#define" not in library.files(["sqz_conv_row"])[library.NAMES]
