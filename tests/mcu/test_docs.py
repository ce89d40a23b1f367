"""The C in docs/mcu.md compiles without a warning, and its main program runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from converters.compiler import analyse, compile_model, report
from tests.helpers import keras_models as tiny
from tests.helpers.needs import ROOT, require
from tools.bench_mcu import graphs

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
PAGE = (ROOT / "docs" / "mcu.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```c\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    require(shutil.which("gcc") and shutil.which("g++"), "gcc and g++ are not installed")
    for name, text in compile_model(tiny.int8_model(), "net").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def build(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_two_examples() -> None:
    assert ["int main(void)" in text for text in EXAMPLES] == [True, False]


def test_the_program_answers_as_tflite_does(folder: Path) -> None:
    (folder / "main.c").write_text(EXAMPLES[0])
    sources = sorted(path.name for path in folder.glob("*.c"))
    build(folder, "gcc", "-std=c11", *WARNINGS, "-I.", *sources, "-o", "program")
    row, column = np.arange(tiny.SIZE)[:, None], np.arange(tiny.SIZE * 3)[None, :]
    pattern = ((7 * column + 13 * row) % 256).astype(np.uint8).reshape(1, *tiny.INPUT[1:])
    (scores,) = tiny.run(tiny.int8_model(), tiny.as_int8(pattern))
    done = subprocess.run([str(folder / "program")], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(np.argmax(scores)), str(scores.max())]


def test_the_camera_example_compiles(folder: Path) -> None:
    (folder / "camera.c").write_text(EXAMPLES[1])
    build(folder, "gcc", "-std=c11", *WARNINGS, "-I.", "-c", "camera.c")


def test_cpp_can_include_it(folder: Path) -> None:
    found = re.search(r"`(alignas\(NET_ARENA_ALIGN\)[^`]*)`", PAGE)
    assert found
    (folder / "main.cc").write_text(
        f'#include "net.h"\n#include "sqz_image.h"\n{found[1]}\nvoid *where() {{ return arena; }}\n'
    )
    build(folder, "g++", "-std=c++11", *WARNINGS, "-I.", "-c", "main.cc")


def test_every_error_is_explained_with_its_number() -> None:
    header = (ROOT / "mcu" / "src" / "sqz.h").read_text()
    errors = re.findall(r"(SQZ_ERROR_\w+) = -(\d+)", header)
    assert errors
    assert re.findall(r"`(SQZ_ERROR_\w+)` \(−(\d+)\)", PAGE) == errors


@pytest.mark.parametrize("name", "abc")
def test_the_table_of_arenas_is_up_to_date(name: str) -> None:
    graph = graphs.GRAPHS[name]
    said = report(analyse(graphs.squeezenet(graph)))
    (row,) = re.findall(rf"^\| SqueezeNet v1\.1, {graph.size} × {graph.size}.*$", PAGE, re.MULTILINE)
    whole, arena, times = (cell.strip(" B").replace(",", "") for cell in row.split("|")[2:5])
    assert int(whole) == said["whole_map_bytes"]
    assert int(arena) == pytest.approx(said["arena"]["bytes"], rel=0.03)
    assert float(times) == pytest.approx(int(whole) / int(arena), abs=0.06)
