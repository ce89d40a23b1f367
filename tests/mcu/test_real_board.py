"""What docs/how-to/real-board.md shows compiles, and its linker script puts everything in its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from converters.compiler import compile_model
from tests.helpers import keras_models as tiny
from tests.helpers.needs import ROOT, require
from tools.bench_mcu import count

pytestmark = pytest.mark.device

PAGE = (ROOT / "docs" / "how-to" / "real-board.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```c\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = re.findall(r"^```ld\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
M7 = ("arm-none-eabi-gcc", "-std=c11", "-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=soft", "-O2", "-I.")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SECTIONS = ('-DSQZ_CODE_SECTION=".itcm"', '-DSQZ_WEIGHTS_SECTION=".qspi"')
MAIN = """
#include "net.h"
void copy_kernels(void);
int _start(void);
static _Alignas(NET_ARENA_ALIGN) uint8_t arena[NET_ARENA_BYTES];
static int8_t row[NET_INPUT_ROW_BYTES];
int _start(void) {
    copy_kernels();
    return net_begin(arena, sizeof arena) + net_push_row(arena, row) + net_finish(arena, row);
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    require(shutil.which(M7[0]), f"{M7[0]} is not installed")
    for name, text in compile_model(tiny.int8_model(), "net", "cortex-m4").items():
        (tmp_path / name).write_text(text)
    return tmp_path


def build(folder: Path, *words: str) -> None:
    done = subprocess.run([*M7, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_example_compiles(folder: Path) -> None:
    assert [re.findall(r"^\w.* (\w+)\([^;]*\{$", text, re.MULTILINE) for text in EXAMPLES] == [
        *(["full_speed"], ["on_dma_row"], ["copy_kernels"]),
    ]
    for i, text in enumerate(EXAMPLES):
        (folder / f"example{i}.c").write_text(text)
        build(folder, *WARNINGS, "-c", f"example{i}.c")


def test_the_script_puts_kernels_and_weights_in_their_place(folder: Path) -> None:
    (folder / "board.ld").write_text(SCRIPTS[0])
    (folder / "main.c").write_text(MAIN)
    (folder / "copy.c").write_text(EXAMPLES[2])
    sources = sorted(path.name for path in folder.glob("*.c"))
    build(folder, *SECTIONS, "-nostartfiles", "-Wl,--fatal-warnings", "-Tboard.ld", *sources)
    at = {symbol.name: symbol.address for symbol in count.symbols(folder / "a.out")}
    kernels = [address for name, address in at.items() if re.fullmatch(r"net_sqz_(conv|dsp)_\w+", name)]
    assert kernels
    assert all(address < 64 << 10 for address in kernels), "in ITCM"
    assert at["net_push_row"] >> 24 == 0x08
    assert count._section(folder / "a.out", ".qspi")[0] == 0x90000000
