"""Clang takes the fast paths, too, and they give the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.helpers import c_library as mcu
from tests.helpers.needs import quick, require
from tests.mcu import test_fast_connected as connected
from tests.mcu import test_fast_convolutions as convolutions
from tests.mcu import test_fast_depthwise as depthwise
from tools.bench_mcu import count
from tools.bench_mcu.convolutions import layers, measure
from tools.bench_mcu.graphs import GRAPHS

pytestmark = pytest.mark.device

MODULES = {"convolutions": convolutions, "depthwise": depthwise, "connected": connected}
FILES = tuple(sorted({*convolutions.FAST, *depthwise.FILES, *connected.FILES}))
FAST = (  # assembly that multiplies or widens
    *("sqz_dsp_fours", "sqz_dsp_sparse_fours", "sqz_dsp_four_sums", "one_dsp_fours", "depthwise_dsp_sums"),
    *("pairs_dsp_widen", "nine_dsp_widen", "depthwise_dsp_widen", "depthwise_dsp_unfold"),
)


@pytest.mark.slow
def test_clang_takes_the_fast_paths(tmp_path: Path) -> None:
    require(shutil.which("arm-none-eabi-objdump"), "arm-none-eabi-objdump is not installed")
    objects = mcu.by_clang("cortex-m4", tmp_path, "-O2", files=FILES)
    command = ["arm-none-eabi-objdump", "-d", *objects]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in FAST:
        _, _, after = listing.partition(f"<{name}>:")
        function, _, _ = after.partition("\n\n")
        assert re.search("smlad|sxta?b16", function), name


MOST_OF_ALL = 1.2  # of GCC's instructions, for cases of every shape
MOST = {"cortex-m4": 1.1, "cortex-m3": 1.3}  # of GCC's instructions; on M3 Clang 14 spills in the plain tile


@pytest.mark.parametrize("target", MOST)
def test_clang_executes_hardly_more_than_gcc(target: str, tmp_path: Path) -> None:
    require(shutil.which(mcu.CLANG[0]), f"{mcu.CLANG[0]} is not installed")
    todo = [layer for layer in layers(GRAPHS["b"]) if layer.name.startswith(("conv1", "fire9", "conv10"))]
    theirs, ours = (sum(measure(todo, target, compiler=each)) for each in ((), mcu.CLANG))
    assert ours < MOST[target] * theirs


@pytest.mark.parametrize(
    ("target", "flags", "module"),
    quick(
        product(["cortex-m4", "cortex-m55"], ["-O2", "-Os"], MODULES),
        ("cortex-m4", "-O2", "convolutions"),
    ),
)
def test_clang_gives_the_same_bytes(target: str, flags: str, module: str, tmp_path: Path) -> None:
    library = mcu.by_clang(target, tmp_path, flags, files=FILES)
    assert mcu.on_board(MODULES[module].batch(target), target, tmp_path, "-O2", library=library) == 0


def executed(folder: Path, target: str, module: str, *flags: str, clang: bool) -> int:
    """Return the instructions of a module's cases on a virtual board, right answers or not."""
    folder.mkdir()
    library = mcu.by_clang(target, folder, "-O2", *flags, files=FILES) if clang else ()
    cases = MODULES[module].batch(target)
    files = () if clang else tuple(FILES)
    assert mcu.on_board(cases, target, folder, "-O2", files=files, library=library) == 0
    return count.count(folder / "program.elf", mcu.BOARDS[target][0]).total


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55"])
def test_clang_executes_hardly_more_than_gcc_in_any_kind_of_layer(target: str, module: str, tmp_path: Path) -> None:
    theirs = executed(tmp_path / "gcc", target, module, clang=False)
    assert executed(tmp_path / "clang", target, module, clang=True) < MOST_OF_ALL * theirs


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_the_slow_path_would_be_noticed(module: str, tmp_path: Path) -> None:
    theirs = executed(tmp_path / "gcc", "cortex-m4", module, clang=False)
    slow = executed(tmp_path / "slow", "cortex-m4", module, "-U__ARM_FEATURE_DSP", clang=True)
    assert slow > MOST_OF_ALL * theirs
