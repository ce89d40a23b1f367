"""A device takes updates and loses power: what runs is a whole model, the old one or the new one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from converters.compiler import Packing, analyse
from converters.compiler.compilation import slot_files, slot_image
from sqz_tf.inference.model_file import int8_given
from tests.helpers.compiled_on_host import SANITIZERS, WARNINGS
from tests.helpers.int8_networks import squeezenet
from tests.helpers.needs import ROOT, require
from tests.helpers.slots import fine_tuned
from tests.helpers.updates import SOURCES, Updates, built, device, simulated

SECTORS = {"four pages": "1024x4", "two sectors": "4096,8192", "one sector": "8192"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return device(tmp_path_factory.mktemp("device"), "-O1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Updates:
    old, new = built(squeezenet()), built(fine_tuned(squeezenet(), 1))
    return Updates.of(tmp_path_factory.mktemp("updates"), old, new)


@pytest.mark.parametrize("body", ["full", "delta"])
def test_an_update_in_chunks_of_any_size_is_taken(program: Path, made: Updates, body: str) -> None:
    for chunk in (1, 7, 208, 0, 1 << 16):
        assert simulated(program, 8, "1024x4", made.old, getattr(made, body), "feed", chunk) == ["OK new 4"]


def test_a_model_that_does_not_confirm_itself_falls_back(program: Path, made: Updates) -> None:
    assert simulated(program, 4, "1024x4", made.old, made.delta, "bad", 4) == [
        "OK new 4",
        "ERROR_TRIAL",
        "1000 confirmed 1",
    ]


def test_a_rejected_model_falls_back_at_once_and_is_not_taken_again(program: Path, made: Updates) -> None:
    expected = ["OK", "ERROR_REJECTED old 3", "OK", "OK new 5"]
    assert simulated(program, 8, "1024x4", made.old, made.full, "reject") == expected


def test_a_model_confirmed_for_want_of_another_is_good_and_outlives_a_bad_one(program: Path, made: Updates) -> None:
    expected = ["OK", "OK new 4", "110000 confirmed 1 OK"]
    assert simulated(program, 8, "1024x4", made.old, made.delta, "last", 6) == expected


@pytest.mark.parametrize("torn", [0, 1, 2])
def test_torn_confirmations_end_with_a_confirmed_model(program: Path, made: Updates, torn: int) -> None:
    assert simulated(program, 8, "1024x4", made.old, made.delta, "torn", torn) == ["OK", "confirmed 1"]


@pytest.mark.parametrize(
    ("slots", "name", "said"),
    [
        ((0, 4096), "net", "OK"),
        ((4096, 0), "net", "OK"),
        ((0, 4096), "sixteen bytes ok", "OK"),
        ((0, 0), "net", "ERROR_CONFIG"),
        ((0, 1024), "net", "ERROR_CONFIG"),
        ((3072, 0), "net", "ERROR_CONFIG"),
        ((0, 4096), "seventeen bytes !", "ERROR_CONFIG"),
    ],
)
def test_slots_that_share_something_and_names_too_long_are_refused(
    program: Path, made: Updates, slots: tuple[int, int], name: str, said: str
) -> None:
    assert simulated(program, 8, "1024x4", made.old, made.delta, "slots", *slots, name) == [said]


def test_the_only_model_runs_though_it_was_never_confirmed_and_can_be_replaced(program: Path, made: Updates) -> None:
    expected = ["000000 confirmed 0 last resort 1", "OK new 4"]
    assert simulated(program, 8, "1024x4", made.old, made.delta, "only", 2)[0] == "00 confirmed 0 last resort 0"
    assert simulated(program, 8, "1024x4", made.old, made.delta, "only", 6) == expected


@pytest.mark.parametrize("sectors", SECTORS.values(), ids=SECTORS)
@pytest.mark.parametrize("body", ["full", "delta"])
def test_power_may_fail_in_every_operation(program: Path, made: Updates, body: str, sectors: str) -> None:
    (line,) = simulated(program, 8, sectors, made.old, getattr(made, body), "cuts", 1, 1, 4, 1)
    cuts, _, again, *_ = line.split()
    assert cuts == again
    assert int(cuts) > 250


@pytest.mark.slow
@pytest.mark.parametrize("word", [4, 8, 16, 32])
@pytest.mark.parametrize("body", ["full", "delta"])
def test_power_may_fail_again_when_the_update_is_sent_again(program: Path, made: Updates, body: str, word: int) -> None:
    (line,) = simulated(program, word, "1024x3", made.old, getattr(made, body), "cuts", 1, 2, 4, 1)
    assert int(line.split()[0]) > 80_000


@pytest.mark.slow
@pytest.mark.parametrize("body", ["full", "delta"])
def test_power_may_fail_in_every_operation_of_a_large_update(
    tmp_path: Path, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQZ_TF_OLD and SQZ_TF_NEW name int8 networks or packs of one architecture, such as ImageNet's."""
    old, new = os.environ.get("SQZ_TF_OLD", ""), os.environ.get("SQZ_TF_NEW", "")
    require(old and new, "SQZ_TF_OLD and SQZ_TF_NEW name no networks")
    made = Updates.of(tmp_path, built(int8_given(Path(old))), built(int8_given(Path(new))))
    program = device(tmp_path, "-O2")
    (line,) = simulated(program, 32, "131072x3", made.old, getattr(made, body), "cuts", 100, 1, 1, 1)
    with capsys.disabled():
        print(f"\n{body}: {line}")
    assert int(line.split()[0]) >= made.full.stat().st_size // 32  # words of the image, at least


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("body", ["full", "delta"])
def test_damaged_updates_leave_the_running_model_alone(tmp_path: Path, made: Updates, body: str) -> None:
    program = device(tmp_path, "-O1", "-g", *SANITIZERS)
    (line,) = simulated(program, 8, "1024x4", made.old, getattr(made, body), "mutate", 2000, 1)
    assert int(line.split()[0]) > 1900


@pytest.mark.device
def test_the_code_keeps_to_6_kb_and_the_memory_to_two_and_a_half(tmp_path: Path) -> None:
    require(shutil.which("arm-none-eabi-gcc"), "arm-none-eabi-gcc is not installed")
    sources = [str(path) for path in SOURCES]
    (tmp_path / "main.c").write_text(CALLS)
    command = ["arm-none-eabi-gcc", "-std=c11", "-Os", "-mcpu=cortex-m4", "-mthumb", "-ffunction-sections", *WARNINGS]
    linked = [
        "-fdata-sections",
        "-fstack-usage",
        f"-I{ROOT / 'mcu' / 'src'}",
        "-nostartfiles",
        "-Wl,--gc-sections,-e,main",
    ]
    subprocess.run([*command, *linked, "main.c", *sources, "-o", "all"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["arm-none-eabi-nm", "-S", "all"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    sizes = {row[3]: (row[2], int(row[1], 16)) for line in listed.splitlines() if len(row := line.split()) == 4}
    others = {"main", "config", "memcpy", "memset", "memcmp", "memmove"}
    code = sum(size for name, (kind, size) in sizes.items() if kind in "tTrR" and name not in others)
    memory = sum(size for kind, size in sizes.values() if kind in "bBdD")
    usage = "".join(path.read_text() for path in tmp_path.glob("*.su"))
    deepest = ("sqz_update_boot", "look_at", "has_hash", "sqz_sha256_add")
    stack = sum(int(re.findall(rf":{name}\t(\d+)", usage)[0]) for name in deepest)
    assert 5000 < code <= 6144, code
    assert 2000 < memory + stack <= 2560, (memory, stack)


CALLS = """#include "sqz_update.h"
extern const sqz_update_config config;
static sqz_update update;
static sqz_update_running running;
int main(void) {
    return sqz_update_boot(&config, &running) + sqz_update_confirm(&config, &running) +
           sqz_update_begin(&update, &config, &running) + sqz_update_write(&update, &config, 1) +
           sqz_update_finish(&update);
}
const sqz_update_config config = {0};
"""


def test_the_pages_example_compiles(tmp_path: Path) -> None:
    require(shutil.which("gcc"), "gcc is not installed")
    page = (ROOT / "docs" / "how-to" / "updates.md").read_text(encoding="utf-8")
    compilation = analyse(squeezenet(), "cortex-m4", Packing(slot=True, classes=9))
    for file, text in slot_files(compilation, "net", slot_image(compilation)).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    (example,) = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    (tmp_path / "main.c").write_text(example)
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-I.", "-fsyntax-only", "main.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_tells_what_a_device_says() -> None:
    page = (ROOT / "docs" / "how-to" / "updates.md").read_text(encoding="utf-8")
    header = (ROOT / "mcu" / "src" / "sqz_update.h").read_text(encoding="utf-8")
    told = set(re.findall(r"`(ERROR_\w+)`", page))
    assert told | {"ERROR_CONFIG", "ERROR_STATE", "ERROR_NONE"} == set(re.findall(r"SQZ_UPDATE_(ERROR_\w+) =", header))
