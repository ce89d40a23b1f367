"""The C that is written: it builds anywhere, says what it is, and refuses what is stale."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from converters import compiler
from converters.compiler.back.c import library
from converters.compiler.front.read import read_graph
from converters.compiler.middle import program as prog
from converters.compiler.middle.legalise import legalise
from tests.helpers.compiled_networks import simple
from tests.helpers.compiled_on_host import WARNINGS
from tests.helpers.int8_networks import Net, squeezenet
from tests.helpers.needs import require


def written(folder: Path, model: bytes, name: str = "net", **how: object) -> Path:
    for file, text in compiler.compile_model(model, name, **how).items():  # type: ignore[arg-type]
        (folder / file).write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    require(shutil.which(command[0]), f"{command[0]} is not installed")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


MAIN = r"""
#include "net.h"
#include <stdalign.h>
#include <string.h>
static alignas(NET_ARENA_ALIGN) unsigned char arena[NET_ARENA_BYTES];
static int8_t input[NET_INPUT_HEIGHT][NET_INPUT_ROW_BYTES], output[NET_OUTPUT_BYTES], again[NET_OUTPUT_BYTES];
int main(void) {
    const int8_t *all = input[0];
    if (sizeof input != NET_INPUT_BYTES || NET_CLASS_COUNT != NET_OUTPUT_BYTES) return 1;
    memset(input, 7, sizeof input);
    if (net_push_row(arena, all) != SQZ_ERROR_STATE) return 2;
    if (net_begin(NULL, sizeof arena) != SQZ_ERROR_NULL) return 3;
    if (net_begin(arena + 1, sizeof arena) != SQZ_ERROR_ALIGNMENT) return 4;
    if (net_begin(arena, sizeof arena - 1) != SQZ_ERROR_ARENA) return 5;
    if (net_invoke(arena, all, output) != SQZ_OK) return 6;
    if (net_begin(arena, sizeof arena) != SQZ_OK) return 7;
    if (net_finish(arena, again) != SQZ_ERROR_STATE) return 8;
    for (int y = 0; y < NET_INPUT_HEIGHT; ++y) {
        if (net_push_row(arena, input[y]) != SQZ_OK) return 9;
    }
    if (net_push_row(arena, all) != SQZ_ERROR_STATE) return 10;
    if (net_finish(arena, NULL) != SQZ_ERROR_NULL) return 11;
    if (net_finish(arena, again) != SQZ_OK) return 12;
    if (net_invoke(arena, NULL, output) != SQZ_ERROR_NULL) return 13;
    return memcmp(output, again, sizeof output) != 0;
}
"""


def test_a_folder_builds_with_any_c_compiler_and_reports_errors(tmp_path: Path) -> None:
    written(tmp_path, squeezenet())
    (tmp_path / "main.c").write_text(MAIN)
    sources = sorted(path.name for path in tmp_path.glob("*.c"))
    done = run(tmp_path, "cc", "-std=c11", "-O2", *WARNINGS, "-I.", "-o", "main", *sources)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(tmp_path, str(tmp_path / "main")).returncode == 0


def test_a_cpp_program_can_include_every_header(tmp_path: Path) -> None:
    written(tmp_path, squeezenet(), labels=list("abcde"))
    includes = "".join(f'#include "net{part}.h"\n' for part in ("", "", "_weights", "_labels"))
    (tmp_path / "main.cc").write_text(
        f"{includes}int main() {{ return net_invoke(nullptr, nullptr, nullptr) == 0; }}\n"
    )
    done = run(tmp_path, "g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "main.cc")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_same_model_gives_the_same_files() -> None:
    first, second = (compiler.compile_model(squeezenet(), "net", labels=list("abcde")) for _ in range(2))
    assert first == second
    assert {"net.h", "net.c", "net_weights.h", "net_weights.c", "net_labels.h", "net_labels.c", "sqz.h"} <= set(first)


def test_every_file_says_what_it_was_made_from() -> None:
    model = squeezenet()
    texts = compiler.compile_model(model, "net", provenance={"model": "a */ b"}, labels=list("abcde"))
    for name in ("net.h", "net.c", "net_weights.h", "net_weights.c", "net_labels.h", "net_labels.c"):
        top = texts[name][: texts[name].index("*/")]
        assert "Do not edit" in top
        assert hashlib.sha256(model).hexdigest() in top
        assert "int8 [1, 16, 16, 3] NHWC, real = (q - (-128)) * 0.015625" in top
        assert "a * / b" in top, "what would end the comment is made harmless"


def test_each_layer_has_a_line_with_its_shape_and_work() -> None:
    source = compiler.compile_model(squeezenet(), "net")["net.c"]
    assert "/* 0: conv_2d (CONV_2D), 16x16x3 to 7x7x8, 10584 MACs */" in source
    assert re.search(r"/\* \d+: add \(ADD\), 3x3x12 to 3x3x12 \*/", source)
    assert "CONV_2D), 3x3x4 to 3x3x6 (from channel 6 of 12), 1944 MACs */" in source


def test_only_the_kernels_that_are_used_come_along() -> None:
    files = set(compiler.compile_model(simple(), "net"))
    assert "sqz_conv_four.c" in files
    assert not {"sqz_softmax.c", "sqz_add.c", "sqz_mean.c"} & files


def test_powers_of_two_need_no_multipliers() -> None:
    net = Net()
    model = net.bytes(net.conv(net.input(4, 4, 2), 3, power_of_two=True))
    (operator,) = legalise(read_graph(model)).operators
    assert isinstance(operator.kernel, prog.ConvKernel)
    assert operator.kernel.requant.only_shifts
    texts = compiler.compile_model(model, "m")
    assert ".multiplier = NULL" in texts["m.c"]
    assert "multiplier" not in texts["m_weights.c"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("net_weights.c", r"(?m)^    -?\d.*,\n\};", "};"),
        ("net_weights.c", r"-?\d+,\n", "\n"),
        ("net_labels.c", r'    "c", .*\n', ""),
        ("sqz_ops.h", r"\(4u \+ ", "(400u + "),
        ("sqz.h", r"SQZ_FORMAT_VERSION \d+", "SQZ_FORMAT_VERSION 99"),
        ("sqz.h", r"SQZ_ARENA_ALIGN 16", "SQZ_ARENA_ALIGN 32"),
    ],
)
def test_what_is_cut_short_or_stale_does_not_compile(tmp_path: Path, file: str, old: str, new: str) -> None:
    written(tmp_path, squeezenet(), labels=list("abcde"))
    sources = ["net.c", "net_weights.c", "net_labels.c"]
    command = ("cc", "-std=c11", "-I.", "-fsyntax-only", *sources)
    assert run(tmp_path, *command).returncode == 0
    text, count = re.subn(old, new, (tmp_path / file).read_text(), count=1)
    assert count == 1
    (tmp_path / file).write_text(text)
    assert run(tmp_path, *command).returncode != 0


def test_a_compiler_with_a_small_int_is_refused(tmp_path: Path) -> None:
    written(tmp_path, simple())
    small = ("-U__INT_MAX__", "-D__INT_MAX__=32767")
    command = ("gcc", "-std=c11", "-I.", "-fsyntax-only", "sqz_stream.c")
    assert run(tmp_path, *command).returncode == 0
    assert "sqz needs an int of 32 bits" in run(tmp_path, *command, *small).stderr


def test_constants_go_to_the_section_asked_for(tmp_path: Path) -> None:
    written(tmp_path, squeezenet())
    for flags, section in (((), ".rodata"), (('-DSQZ_WEIGHTS_SECTION=".model"',), ".model")):
        assert run(tmp_path, "cc", "-std=c11", "-I.", *flags, "-c", "net_weights.c").returncode == 0
        symbols = run(tmp_path, "objdump", "-t", "net_weights.o").stdout
        rows = [line for line in symbols.splitlines() if " O " in line]
        assert rows
        assert all(section in line.split() for line in rows)


@pytest.mark.parametrize("name", ["2fast", "class", "a-b", ""])
def test_a_name_that_is_none_in_c_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in C"):
        compiler.compile_model(simple(), name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("string", "string.h would hide a header"),
        ("Stdint", "Stdint.h would hide a header"),
        ("sqz", "begin with sqz"),
        ("SQZ_conv", "begin with sqz"),
    ],
)
def test_a_name_that_would_hide_other_files_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} cannot be the model's name: .*{reason}"):
        compiler.compile_model(simple(), name)


def test_labels_and_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="4 labels for 5 classes"):
        compiler.compile_model(squeezenet(), "net", labels=list("abcd"))
    with pytest.raises(ValueError, match="target 'z80' is not known; expected one of generic, cortex-m4, cortex-m55"):
        compiler.compile_model(squeezenet(), "net", "z80")
    with pytest.raises(ValueError, match="the C library lacks sqz_magic_row"):
        library.files(["sqz_magic_row"])
