"""The TFLite-Micro application: what the export's `tflm/` holds runs in the wheel, and mcu/tflm streams and answers.

TFLite-Micro's sources are not at hand: `tflm_stub` declares the part of its interface the application uses, and its
interpreter knows the wheel's answers to the pictures of the test, and to no others.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.tflite.reader import read_model
from converters.tflite.writer import for_microcontroller
from converters.tflm_sources import tflm_files
from sqz_tf.inference import interpreters
from tests.helpers import keras_models as tiny
from tests.helpers.needs import ROOT, require

APPLICATION, STUB = ROOT / "mcu" / "tflm", ROOT / "tests" / "helpers" / "tflm_stub"
WARNINGS = "-O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
PICTURES = 3


def model() -> bytes:
    return for_microcontroller(tiny.int8_model())


def exported(folder: Path, arena: int = 40_000) -> Path:
    """Write the `tflm/` folder of an export."""
    settings: dict[str, Any] = {"arena_bytes": arena, "preprocess": {"scale": 1 / 255}}
    files = tflm_files(model(), labels=tiny.LABELS, settings=settings, provenance={})
    (folder / "tflm").mkdir()
    for name, text in files.items():
        (folder / "tflm" / name).write_text(text)
    return folder / "tflm"


# What the export wrote, in TFLite-Micro itself (its wheel).

WHEEL_RUN = """
import sys
import numpy as np
from sqz_tf.inference.worker import TflmEngine
machine = TflmEngine(open(sys.argv[1], "rb").read(), False, int(sys.argv[3]))
np.save(sys.argv[4], np.concatenate([machine.run(image[None]) for image in np.load(sys.argv[2])]))
"""


def test_the_written_bytes_run_in_the_written_arena_with_the_reference_bytes_out(tmp_path: Path) -> None:
    reason = interpreters.why_not("tflm")
    require(not reason, reason or "")
    use = interpreters.arena_bytes(model())
    folder = exported(tmp_path, use.total)
    rows = re.findall(r"^    ((?:0x[0-9a-f]{2}, ?)+)", (folder / "model_data.cc").read_text(), re.MULTILINE)
    written = bytes(ast.literal_eval(f"[{''.join(rows)}]"))
    arena = re.search(r"define SQZ_ARENA_BYTES (\d+)u", (folder / "settings.h").read_text())
    assert arena
    inputs = tiny.as_int8(tiny.pixels(PICTURES))
    paths = [tmp_path / "model.tflite", tmp_path / "in.npy", arena[1], tmp_path / "out.npy"]
    (tmp_path / "model.tflite").write_bytes(written)
    np.save(tmp_path / "in.npy", inputs)
    subprocess.run([sys.executable, "-c", WHEEL_RUN, *map(str, paths)], cwd=ROOT, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), tiny.run(model(), inputs))


def test_every_operator_of_the_model_is_registered(tmp_path: Path) -> None:
    text = (exported(tmp_path) / "op_resolver.h").read_text()
    assert f"MicroMutableOpResolver<{len(read_model(model()).op_names)}>" in text
    assert len(re.findall(r"resolver\.Add\w+\(", text)) == len(read_model(model()).op_names)
    for kernel in ("CONV_2D", "MAX_POOL_2D", "ADD", "SOFTMAX"):
        assert f"Register_{kernel}_INT8()" in text, "the general kernel costs flash"


# The application, on the stub.


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the application, built by its own Makefile with every warning an error."""
    require(shutil.which("g++") and shutil.which("make"), "g++ and make are not installed")
    folder = tmp_path_factory.mktemp("tflm")
    library = folder / "libtensorflow-microlite.a"
    command = ["g++", "-std=c++17", *WARNINGS.split(), f"-I{STUB}", "-c", str(STUB / "stub.cc"), "-o", "stub.o"]
    subprocess.run(command, cwd=folder, check=True)
    subprocess.run(["ar", "rcs", str(library), "stub.o"], cwd=folder, check=True)
    values = {"EXPORT": exported(folder), "TFLM": STUB, "LIB": library, "BUILD": folder / "build", "CXXFLAGS": WARNINGS}
    settings = [f"{name}={value}" for name, value in values.items()]
    done = subprocess.run(
        ["make", "-s", "-C", str(APPLICATION), *settings], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "build" / "classify"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray, Path]:
    """Return pictures, the reference scores, and the stub's file of both."""
    pixels = tiny.pixels(PICTURES)
    inputs = tiny.as_int8(pixels)
    scores = tiny.run(model(), inputs)
    path = tmp_path_factory.mktemp("answers") / "answers.bin"
    sizes = np.array([inputs[0].size, scores[0].size, len(inputs)], np.uint32)
    pairs = b"".join(image.tobytes() + score.tobytes() for image, score in zip(inputs, scores, strict=True))
    path.write_bytes(sizes.tobytes() + pairs)
    return pixels, scores, path


def classify(program: Path, pixels: bytes, path: Path, *flags: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "STUB_ANSWERS": str(path), **dict.fromkeys(flags, "1")}
    return subprocess.run([str(program)], input=pixels, env=environment, capture_output=True, check=False, timeout=60)


def test_streamed_pictures_get_their_five_best_answers(
    program: Path, answers: tuple[np.ndarray, np.ndarray, Path]
) -> None:
    pixels, scores, path = answers
    done = classify(program, pixels.tobytes(), path)
    assert done.returncode == 0, done.stdout
    expected = ""
    for picture in scores:
        order = np.argsort(-picture.astype(int), kind="stable")[:5]
        rows = (f"{rank} {index} {picture[index]} {tiny.LABELS[index]}" for rank, index in enumerate(order, 1))
        expected += "\n".join(rows) + "\n\n"
    assert done.stdout.decode() == expected
    assert len({picture.tobytes() for picture in scores}) > 1, "pictures that differ, or the test says nothing"


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("STUB_OLD_SCHEMA", 1),
        ("STUB_FULL", 2),
        ("STUB_SMALL_ARENA", 3),
        ("STUB_FLOAT", 4),
    ],
)
def test_what_fails_in_the_library_is_the_exit_code(
    flag: str, code: int, program: Path, answers: tuple[np.ndarray, np.ndarray, Path]
) -> None:
    pixels, _, path = answers
    done = classify(program, pixels.tobytes(), path, flag)
    assert (done.returncode, done.stdout) == (code, f"error {code}, see Status in classifier.h\n".encode())


def test_other_bytes_than_the_models_input_are_noticed(
    program: Path, answers: tuple[np.ndarray, np.ndarray, Path]
) -> None:
    """The stub refuses pictures it does not know: the equality above means something."""
    pixels, _, path = answers
    other = pixels[0].copy()
    other[-1, -1, -1] ^= 1
    assert classify(program, other.tobytes(), path).returncode == 5


def test_a_cut_picture_is_an_error_and_none_is_not(program: Path, answers: tuple[np.ndarray, np.ndarray, Path]) -> None:
    pixels, _, path = answers
    one = pixels[0].tobytes()
    for cut in (1, len(one) - 1, len(one) - tiny.SIZE * 3):
        assert classify(program, one[:cut], path).returncode == 6, cut
    assert classify(program, b"", path).returncode == 0


TOP_K_MAIN = r"""
#include <cstdio>
#include "top_k.h"
int main() {
  int8_t scores[4096];
  const unsigned count = static_cast<unsigned>(std::fread(scores, 1, sizeof scores, stdin));
  unsigned best[5];
  const unsigned found = sqz_app::TopK(scores, count, 5, best);
  for (unsigned i = 0; i < found; ++i) std::printf("%u ", best[i]);
}
"""


def test_the_best_come_first_and_ties_go_to_the_lower_index(tmp_path: Path) -> None:
    require(shutil.which("g++"), "g++ is not installed")
    (tmp_path / "main.cc").write_text(TOP_K_MAIN)
    command = ["g++", "-std=c++17", *WARNINGS.split(), "-fsanitize=address,undefined", f"-I{APPLICATION}"]
    subprocess.run([*command, "main.cc", "-o", "top"], cwd=tmp_path, check=True)
    rng = np.random.default_rng(3)
    for count, span in ((1000, 128), (1000, 2), (5, 3), (4, 1), (1, 128), (0, 1)):
        scores = rng.integers(-span, span, count).astype(np.int8)
        done = subprocess.run(["./top"], input=scores.tobytes(), cwd=tmp_path, capture_output=True, check=True)
        expected = np.argsort(-scores.astype(int), kind="stable")[:5]
        assert [int(text) for text in done.stdout.split()] == list(expected)


def test_it_compiles_for_a_cortex_m_without_heap_or_exceptions(tmp_path: Path) -> None:
    compiler = "arm-none-eabi-g++"
    require(shutil.which(compiler), f"{compiler} is not installed")
    folder = exported(tmp_path)
    flags = [
        "-std=c++17",
        "-mcpu=cortex-m4",
        "-mthumb",
        "-Os",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-threadsafe-statics",
    ]
    for name in ("main.cc", "classifier.cc", "io_stdio.cc"):
        command = [compiler, *flags, *WARNINGS.split()[1:], f"-I{STUB}", f"-I{folder}", "-c", str(APPLICATION / name)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        symbols = subprocess.run(
            ["arm-none-eabi-nm", "-u", f"{Path(name).stem}.o"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        assert not re.search(r"_Znwj|_Znaj|malloc|__cxa_throw|printf", symbols), symbols
