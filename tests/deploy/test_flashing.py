"""The flash command: which commands it runs for each tool, what it says when one fails, how it hears the verdict."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from converters.compiler.back.c import library
from sqz_tf import compile as compile_model
from sqz_tf import flash
from sqz_tf.base.errors import OutputError, SqzError
from sqz_tf.deploy import c_folder, firmware, flashing
from sqz_tf.deploy.boards import boards
from sqz_tf.deploy.firmware import FirmwareError
from sqz_tf.deploy.flash_steps import ELSEWHERE
from sqz_tf.deploy.received import FolderError
from sqz_tf.deploy.serial import SerialError, hear
from tests.helpers import compiled_stub
from tests.helpers.int8_networks import Net
from tests.helpers.needs import require

MCU = firmware.mcu()
REPORT = "model stub\ncase 0\nclass 5 score 48\nclass 3 score 39\nequal\nstack 140\nverdict 0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return compiled_stub.write(tmp_path / "c")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    return Tools(tmp_path, monkeypatch)


class Tools:
    """Programs that note how they were called, and nothing else on the path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder / "bin", folder / "log"
        self.folder.mkdir()
        monkeypatch.setenv("PATH", str(self.folder))
        monkeypatch.setenv("PICO_SDK_PATH", "/pico-sdk")

    def add(self, name: str, says: str = "", complains: str = "", code: int = 0, makes: Sequence[str] = ()) -> None:
        path = self.folder / name
        note = f'echo "{name} $*" >> {self.log}'
        speak = f"printf '%s' '{says}'; printf '%s' '{complains}' >&2; exit {code}"
        make = "\n".join(f"printf '%s' {Path(file).suffix[1:]} > {file}" for file in makes)
        path.write_text(f"#!/bin/sh\n{note}\n{make}\n{speak}\n")
        path.chmod(0o755)

    def toolchain(self) -> None:
        self.add("make", makes=["out/firmware.elf"])
        self.add("arm-none-eabi-objcopy", makes=["out/firmware.bin"])
        self.add("arm-none-eabi-gcc")

    def calls(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]


def job(board: str, folder: Path, port: str | None = None, virtual: bool = False) -> flash.Job:
    return flash.Job(flash.board(board), folder, folder / "out", port, virtual)


def shown(board: str, folder: Path, port: str | None = None) -> str:
    return (
        "\n".join(map(str, flash.steps(job(board, folder, port)))).replace(str(folder), "DIR").replace(str(MCU), "MCU")
    )


# Which commands --------------------------------------------------------------------------------------------------

BUILD = "cp -r DIR c\nmake --silent -f mcu/Makefile BOARD={} DIR=c OUT=out"
ELF = "cp out/firmware.elf DIR/out"
COPY = "arm-none-eabi-objcopy -O binary out/firmware.elf out/firmware.bin\ncp out/firmware.bin DIR/out"
SERIAL = f"{BUILD} CASES=out/sqz_cases.bin LINE=serial\n{ELF}\n{COPY}\n"
OPENOCD = (
    "(cd out && openocd {} -c 'gdb_port disabled' -c 'tcl_port disabled' -c 'telnet_port disabled' -c init "
    "-c 'reset halt' -c 'program firmware.elf verify' -c 'reset halt' -c 'arm semihosting enable' -c resume)"
)


@pytest.mark.parametrize(
    ("board", "port", "commands"),
    [
        ("nucleo-f411re", None, f"{BUILD}\n{ELF}\n{OPENOCD.format('-f board/st_nucleo_f4.cfg')}"),
        ("microbit-v2", None, f"{BUILD}\n{ELF}\n{OPENOCD.format('-f interface/cmsis-dap.cfg -f target/nrf52.cfg')}"),
        ("stm32f407-disco", None, SERIAL + "st-flash --reset write out/firmware.bin 0x08000000"),
        ("stm32f405", None, SERIAL + "dfu-util -d 0483:df11 -a 0 -s 0x08000000:leave -D out/firmware.bin"),
        (
            "pico-2",
            "/media/me/RP2350",
            "cp -r DIR c\ncmake -S mcu/boards/pico_sdk -B out -DPICO_BOARD=pico2 -DSQZ_DIR:PATH=c "
            "-DSQZ_CASES:FILEPATH=out/sqz_cases.bin\ncmake --build out\ncp out/firmware.uf2 DIR/out\n"
            "cp out/firmware.uf2 /media/me/RP2350",
        ),
        (
            "esp32-s3",
            "/dev/ttyACM0",
            """cp -r DIR c\nSQZ_DIR=''"$PWD"'/c' SQZ_CASES=''"$PWD"'/out/sqz_cases.bin' """
            """idf.py -C mcu/boards/esp_idf -B out -D 'SDKCONFIG='"$PWD"'/out/sdkconfig' """
            "-D IDF_TARGET=esp32s3 build\n"
            "cp out/firmware.bin DIR/out\n"
            "(cd out && esptool.py --chip esp32s3 --port /dev/ttyACM0 --before default_reset --after hard_reset "
            "write_flash @flash_args)",
        ),
    ],
)
def test_each_tool_gets_its_commands(folder: Path, board: str, port: str | None, commands: str) -> None:
    assert shown(board, folder, port) == commands.format(board)


def test_every_board_of_the_table_has_commands_or_a_reason(folder: Path) -> None:
    for name, each in boards().items():
        if each.flash_tool in ELSEWHERE:
            with pytest.raises(FirmwareError, match="cannot be programmed from here"):
                flash.steps(job(name, folder))
        else:
            assert flash.steps(job(name, folder)), name


def test_a_dry_run_needs_no_tool_and_writes_nothing(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    for board in ("stm32f405", "esp32-c3", "pico", "mps2-an386"):
        assert flash.main([str(folder), "--board", board, "--dry-run"]) == 0
        comment, *commands = capsys.readouterr().out.splitlines()
        assert re.match(r"# this command itself writes the pictures .* to out/sqz_cases\.bin$", comment)
        assert commands[:4] == ['cd "$(mktemp -d)"', f"ln -s {MCU} mcu", "mkdir out", f"cp -r {folder} c"]
    assert sorted(folder.rglob("*")) == before
    assert not tools.log.exists()


def test_an_export_is_compiled_for_the_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiled_stub.write(tmp_path / "digits" / "c")
    (tmp_path / "digits" / "model_int8.tflite").write_bytes(compiled_stub.CONTENT)
    assert flash.main([str(tmp_path / "digits"), "--board", "mps3-an547", "--dry-run"]) == 0
    lines = capsys.readouterr().out.replace(str(tmp_path), "HERE").splitlines()
    model = "HERE/digits/model_int8.tflite --out HERE/digits-mps3-an547/c --target cortex-m55"
    assert lines[4:6] == [
        f"{sys.executable} -m sqz_tf.compile {model} --overwrite --quiet",
        "cp -r HERE/digits-mps3-an547/c c",
    ]


def test_a_folder_for_another_processor_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = folder / "stub.h"
    header.write_text(header.read_text().replace("by hand.", "by hand.\n *   target  generic"))
    assert flash.main([str(folder), "--board", "stm32f405", "--dry-run"]) == 0
    told = f"{folder} was compiled for generic; STM32F405RG (Feather STM32F405, Netduino Plus 2) is faster with "
    assert capsys.readouterr().err == f"{told}--target cortex-m4\n"
    assert flash.main([str(folder), "--board", "host", "--dry-run"]) == 0
    assert capsys.readouterr().err == ""


# What can go wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "there", "message"),
    [
        ("nucleo-f411re", [], "make is not installed; apt install make"),
        ("nucleo-f411re", ["make"], "arm-none-eabi-gcc is not installed"),
        ("nucleo-f411re", ["make", "arm-none-eabi-gcc"], "openocd is not installed; apt install openocd"),
        ("esp32", [], "idf.py is not installed; install ESP-IDF"),
        ("esp32", ["idf.py"], "esptool.py is not installed; pip install esptool"),
    ],
)
def test_a_missing_tool_is_named_before_anything_is_written(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str], board: str, there: list[str], message: str
) -> None:
    for name in there:
        tools.add(name)
    assert flash.main([str(folder), "--board", board]) == 1
    assert message in capsys.readouterr().err
    assert not tools.log.exists()
    assert not list(folder.parent.glob("c-*"))


@pytest.mark.parametrize(
    ("board", "tool", "complaint", "told"),
    [
        (
            "nucleo-f411re",
            "openocd",
            "Open On-Chip Debugger\nError: open failed\n",
            "code 1: open failed; is ST Nucleo",
        ),
        (
            "stm32f405",
            "dfu-util",
            "warning\nNo DFU capable USB device available\n",
            "No DFU capable USB device available; is",
        ),
        (
            "stm32f407-disco",
            "st-flash",
            "Could not find any ST-Link devices\n",
            "any ST-Link devices; is STM32F407G-DISC1",
        ),
    ],
)
def test_an_absent_board_is_an_error_in_the_tools_words(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str], board: str, tool: str, complaint: str, told: str
) -> None:
    tools.toolchain()
    tools.add(tool, complains=complaint, code=1)
    assert flash.main([str(folder), "--board", board]) == 1
    assert told in capsys.readouterr().err


def test_a_failed_build_stops_before_the_board_is_touched(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.toolchain()
    tools.add("make", complains="x.c:1:2: error: no such thing\nmake: *** [x] Error 1", code=2)
    tools.add("openocd")
    assert flash.main([str(folder), "--board", "nucleo-f411re"]) == 1
    assert "x.c:1:2: error: no such thing" in capsys.readouterr().err
    assert tools.calls() == ["make"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "teensy-4.1"], "the Arduino IDE programs it"),
        (["--board", "ensemble-e7"], "its maker's tool programs it"),
        (["--board", "nucleo-l476rg", "--virtual"], "QEMU does not emulate ST Nucleo-L476RG"),
        (["--board", "host", "--virtual"], "QEMU does not emulate this computer"),
        (["--board", "mps2-an386", "--image", "x.png"], "--image needs --model"),
        (["--board", "mps2-an386", "--model", "missing.tflite"], "missing.tflite cannot be read"),
        (["--board", "host", "--out", "/dev/null/x"], "/dev/null/x/firmware cannot be written (Not a directory)"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert flash.main([str(folder), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_an_unknown_board_is_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        flash.main([str(folder), "--board", "nope"])
    assert "board is 'nope'; expected one of" in capsys.readouterr().err


def test_a_folder_without_a_model_and_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"there is no folder .*/nowhere; expected a folder that"):
        firmware.header(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderError, match=r"holds no compiled models; .*compile it with"):
        firmware.header(tmp_path / "empty")
    compiled_stub.write(tmp_path / "package" / "src")
    with pytest.raises(FolderError, match=r"package holds no compiled models; .*; give .*/package/src$"):
        firmware.header(tmp_path / "package")
    other = tmp_path / "other.tflite"
    other.write_bytes(b"\0another model")
    with pytest.raises(FirmwareError, match=r"stub was not compiled from .*other\.tflite"):
        flashing.given(folder, [], other)


def test_a_model_whose_input_has_other_dimensions_is_run_on_the_same_bytes(tmp_path: Path) -> None:
    net = Net()
    x = net.conv(net.reshape(net.input(4, 6, 1), 1, 8, 3, 1), 5, (3, 3))
    (tmp_path / "m.tflite").write_bytes(net.bytes(net.softmax(x)))
    assert compile_model.main([str(tmp_path / "m.tflite"), "--out", str(tmp_path / "m"), "--quiet"]) == 0
    given = flashing.given(tmp_path / "m", [], tmp_path / "m.tflite")
    assert given.inputs.shape == (1, 8, 3, 1)
    assert flash.main([str(tmp_path / "m"), "--board", "host", "--model", str(tmp_path / "m.tflite")]) == 0


# The verdict -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "code"), [("good", 0), ("an output is not what was expected", 1)])
def test_openocds_exit_code_is_the_verdict(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str], verdict: str, code: int
) -> None:
    tools.toolchain()
    tools.add("openocd", says=REPORT.replace("verdict 0", f"verdict {code}"), complains="Info: chatter", code=code)
    assert flash.main([str(folder), "--board", "nucleo-f411re", "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == verdict
    assert told["cases"] == [{"image": "noise", "best": [[5, 48], [3, 39]], "equal": True}]


def test_without_a_port_a_serial_board_is_programmed_only(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.toolchain()
    tools.add("dfu-util")
    assert flash.main([str(folder), "--board", "stm32f405"]) == 0
    assert "says its verdict on its serial port" in capsys.readouterr().out
    assert tools.calls() == ["make", "arm-none-eabi-objcopy", "dfu-util"]


@contextmanager
def speaking(text: str) -> Iterator[str]:
    """Yield a serial port on which something says `text`, in pieces."""
    board, port = os.openpty()
    tty.setraw(port)

    def speak() -> None:
        for at in range(0, len(text), 20):
            os.write(board, text[at : at + 20].encode())

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield os.ttyname(port)
    finally:
        speaker.join()
        os.close(board)
        os.close(port)


def test_the_verdict_is_heard_on_the_serial_port(
    folder: Path, tools: Tools, capsys: pytest.CaptureFixture[str]
) -> None:
    tools.toolchain()
    tools.add("dfu-util")
    with speaking("ck 12\nverdict 3\n" + REPORT.replace("\n", "\r\n")) as port:  # the end of an earlier report first
        assert flash.main([str(folder), "--board", "stm32f405", "--port", port]) == 0
    assert "140 bytes of stack used, good" in capsys.readouterr().out


def test_a_silent_or_missing_port_is_an_error() -> None:
    with speaking("hello\n") as port, pytest.raises(SerialError, match="the last line was 'hello'"):
        hear(port, flashing.REPORT, 0.2)
    with pytest.raises(SerialError, match="/dev/none cannot be opened: No such file"):
        hear("/dev/none", flashing.REPORT, 0.2)
    with pytest.raises(SerialError, match="/dev/null is no serial port"):
        hear("/dev/null", flashing.REPORT, 0.2)


def test_this_computer_is_a_board_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(shutil.which("make") and shutil.which("cc"), "make and cc not installed")
    assert flash.main([str(folder), "--board", "host"]) == 0
    assert re.search(r"^noise\n( +-?\d+ class \(\d\)\n){5}this computer: good\n$", capsys.readouterr().out)


def test_a_virtual_board_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(shutil.which("qemu-system-arm"), "qemu-system-arm not installed")
    require(shutil.which("arm-none-eabi-gcc"), "arm-none-eabi-gcc not installed")
    assert flash.main([str(folder), "--board", "netduinoplus2"]) == 0  # QEMU's name asks for QEMU
    told = capsys.readouterr()
    assert re.search(r"^noise\n( +-?\d+ class \(\d\)\n){5}STM32F405RG .*bytes of stack used, good\n$", told.out)
    assert "dfu-util" not in told.err
    assert flash.main([str(folder), "--board", "stm32f405", "--virtual", "--json"]) == 0


def test_a_fault_on_a_virtual_board_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(shutil.which("qemu-system-arm"), "qemu-system-arm not installed")
    require(shutil.which("arm-none-eabi-gcc"), "arm-none-eabi-gcc not installed")
    folder = compiled_stub.write(tmp_path / "c", at_the_end=compiled_stub.FAULT)
    assert flash.main([str(folder), "--board", "mps2-an386"]) == 1
    assert "the processor met a fault" in capsys.readouterr().out


# UF2 and the makers' build systems ----------------------------------------------------------------------------------


def drive(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / flashing.UF2_MARK).write_text("Board-ID: RP2350\n")
    return place


def test_uf2_is_copied_to_the_boot_loaders_drive(folder: Path, tmp_path: Path, tools: Tools) -> None:
    tools.add("cmake", makes=["out/firmware.uf2"])
    place = drive(tmp_path / "media" / "RP2350")
    assert flash.main([str(folder), "--board", "pico-2", "--port", str(place)]) == 0
    assert (place / "firmware.uf2").read_bytes() == b"uf2"


def test_the_drive_must_be_one_and_a_boot_loaders(folder: Path, tmp_path: Path, tools: Tools) -> None:
    places = [str(tmp_path / "media" / "*")]
    with pytest.raises(FirmwareError, match="no drive of a UF2 boot loader is mounted"):
        flashing.uf2_drive(places)
    first = drive(tmp_path / "media" / "A")
    assert flashing.uf2_drive(places) == first
    drive(tmp_path / "media" / "B")
    with pytest.raises(FirmwareError, match=r"2 UF2 drives; choose one with --port: .*/A, .*/B"):
        flashing.uf2_drive(places)
    tools.add("cmake", makes=["out/firmware.uf2"])
    with pytest.raises(FirmwareError, match="is no drive of a UF2 boot loader"):
        flashing.run(job("pico", folder, str(tmp_path)), b"", lambda line: None)


def test_the_pico_sdk_must_be_named(folder: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.add("cmake")
    monkeypatch.delenv("PICO_SDK_PATH")
    with pytest.raises(SqzError, match="PICO_SDK_PATH is not set"):
        flashing.run(job("pico", folder), b"", lambda line: None)


PICO_SDK = {
    "external/pico_sdk_import.cmake": """
function(pico_sdk_init)
endfunction()
function(pico_enable_stdio_usb)
endfunction()
function(pico_enable_stdio_uart)
endfunction()
function(pico_add_extra_outputs)
endfunction()
add_library(pico_stdlib INTERFACE)
target_include_directories(pico_stdlib INTERFACE $ENV{PICO_SDK_PATH})
add_library(hardware_watchdog INTERFACE)
""",
    "pico/stdlib.h": """#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#define stdio_init_all() (void)0
#define sleep_ms(time) (void)(time)
#define putchar_raw putchar
#define time_us_32() 0u
""",
    "hardware/clocks.h": "#define clk_sys 0\n#define clock_get_hz(clock) 1u\n",
    "hardware/watchdog.h": "#define watchdog_reboot(pc, sp, time) exit(code)\n",
}
ESP_IDF = {
    "tools/cmake/project.cmake": """
function(idf_component_register)
  cmake_parse_arguments(given "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/start.c "void app_main(void); int main(void) { app_main(); return 1; }")
  add_executable(firmware ${given_SRCS} ${CMAKE_BINARY_DIR}/start.c)
  target_include_directories(firmware PRIVATE ${given_INCLUDE_DIRS} $ENV{IDF_PATH})
  set(COMPONENT_LIB firmware PARENT_SCOPE)
endfunction()
enable_language(C)
add_subdirectory(main)
""",
    "esp_cpu.h": "#define esp_cpu_get_cycle_count() 0\n",
    "esp_system.h": "#include <stdlib.h>\n#define esp_restart() exit(code)\n",
    "freertos/FreeRTOS.h": "#define pdMS_TO_TICKS(time) (time)\n",
    "freertos/task.h": "#define vTaskDelay(ticks) (void)(ticks)\n",
}


@pytest.mark.parametrize(
    ("source", "variable", "sdk"), [("pico_sdk", "PICO_SDK_PATH", PICO_SDK), ("esp_idf", "IDF_PATH", ESP_IDF)]
)
def test_the_makers_build_systems_get_a_whole_program(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, variable: str, sdk: dict[str, str]
) -> None:
    """Built by CMake with a stand-in for the maker's kit that runs on this computer."""
    require(shutil.which("cmake"), "cmake not installed")
    for name, text in sdk.items():
        (tmp_path / "sdk" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sdk" / name).write_text(text)
    inputs = compiled_stub.inputs()
    cases = tmp_path / "cases.bin"
    cases.write_bytes(firmware.cases_file(inputs, compiled_stub.outputs(inputs)))
    what = {"SQZ_DIR": str(folder), "SQZ_CASES": str(cases), variable: str(tmp_path / "sdk")}
    for name, value in what.items():
        monkeypatch.setenv(name, value)
    given = [f"-D{name}={value}" for name, value in what.items()]
    subprocess.run(["cmake", "-S", MCU / "boards" / source, "-B", tmp_path / "out", *given], check=True)
    subprocess.run(["cmake", "--build", tmp_path / "out"], check=True)
    program = next(path for path in (tmp_path / "out").rglob("firmware") if path.is_file())
    done = subprocess.run([program], capture_output=True, text=True)
    assert firmware.parse(done.returncode, done.stdout).answers[0].equal

    cases.write_bytes(firmware.cases_file(inputs, compiled_stub.outputs(inputs) + np.int8(1)))
    subprocess.run(["cmake", "--build", tmp_path / "out"], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert firmware.parse(done.returncode, done.stdout).verdict == firmware.EXIT_DIFFERENT, "the new cases are in it"
    (folder / "more.c").write_text('#error "not the compiler\'s"\n')
    (folder / "stub_labels.c").write_text('#error "so it is compiled"\n')
    done = subprocess.run(["cmake", "--build", tmp_path / "out"], capture_output=True, text=True)
    assert "so it is compiled" in done.stderr + done.stdout


def test_esp_idf_may_ask_for_the_sources_in_a_script(folder: Path, tmp_path: Path) -> None:
    """As it does for each component before the project is configured."""
    require(shutil.which("cmake"), "cmake not installed")
    ask = f"include({MCU}/boards/sources.cmake)\nsqz_sources({folder} sources definitions)\nmessage(${{sources}})\n"
    (tmp_path / "ask.cmake").write_text(ask)
    done = subprocess.run(["cmake", "-P", tmp_path / "ask.cmake"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "stub.c" in done.stderr


def test_the_partition_of_an_esp_is_what_fit_counts_on() -> None:
    source = MCU / "boards" / "esp_idf"
    for each in boards().values():
        if each.flash_tool == "esptool":
            text = (source / f"sdkconfig.defaults.{each.flash['chip']}").read_text()
            settings = dict(line.split("=") for line in text.splitlines())
            (megabytes,) = (name.split("_")[-1].removesuffix("MB") for name in settings if "FLASHSIZE" in name)
            table = (source / settings["CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"].strip('"')).read_text()
            (partition,) = (line.split(", ") for line in table.splitlines() if not line.startswith("#"))
            offset, size = (int(number, 16) for number in partition[3:])
            assert partition[:3] == ["factory", "app", "factory"]
            assert offset % 0x10000 == 0, "where ESP-IDF lets a program begin"
            assert (offset + size, size) == (int(megabytes) << 20, each.flash_bytes), each.name


def test_what_cannot_be_read_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = folder.parent / "model.tflite"
    model.write_bytes(compiled_stub.CONTENT)  # the digest in the header is right, and yet it is no model
    assert flash.main([str(folder), "--board", "host", "--model", str(model)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: the model cannot be read: ")
    assert said.endswith("; give the .tflite it was compiled from")
    (folder / "stub.h").write_bytes(b"\xff")
    with pytest.raises(FolderError, match=r"stub\.h cannot be read: .*; compile the model again"):
        firmware.header(folder)
    (folder / "stub.h").unlink()
    with pytest.raises(FolderError, match=r"stub\.h cannot be read: .*; compile the model again"):
        firmware.header(folder)


def test_a_missing_c_library_is_one_line(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def missing() -> Path:
        raise ValueError("the C library is missing: expected mcu; install sqz-tf again")

    monkeypatch.setattr(library, "root", missing)
    with pytest.raises(FirmwareError, match="the firmware cannot be built: the C library is missing"):
        firmware.check_ported("host")
    c_folder._library_files.cache_clear()
    (folder / "stub_weights.c").write_text(f"{c_folder.MARK}")
    with pytest.raises(OutputError, match="cannot be told from others: the C library is missing"):
        c_folder.write_folder(folder, {}, overwrite=True)
