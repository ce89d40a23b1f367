"""Which commands build a compiled model's firmware and put it on a board: a plan, nothing is run here."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import Board
from sqz_tf.deploy.firmware import FirmwareError

ELSEWHERE = {
    "arduino": "the Arduino IDE programs it: give `python -m sqz_tf.compile` --package arduino",
    "vendor": "its maker's tool programs it: add the compiled folder to a project of that tool",
}
CASES, IMAGE = f"{firmware.OUT}/{firmware.CASES}", f"{firmware.OUT}/firmware.bin"  # in the private folder
UF2_DRIVE = "UF2_DRIVE"  # stands for the place in a command that is only shown
HOST = Board(firmware.HOST, "this computer", firmware.HOST, "generic", 0, 0, 0, firmware.HOST, None, "", "")


PLACE = "\0"  # stands for the private folder in a word that needs its whole path; no path holds it


class Copies(Enum):
    """What a step copies: the model into the private folder, a program out of it, a program to a UF2 drive."""

    MODEL, PROGRAM, DRIVE = range(3)


@dataclass(frozen=True)
class Step:
    """One command, run in a private folder (`firmware.private`) or in `folder` of that.

    `tells`: its text and exit code are the firmware's. `copies`: it is not run, the kit itself copies.
    """

    argv: tuple[str, ...]
    folder: str = ""
    tells: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    copies: Copies | None = None

    def __str__(self) -> str:
        variables = "".join(f"{name}={shlex.quote(value)} " for name, value in self.environment.items())
        command = (variables + shlex.join(self.argv)).replace(PLACE, """'"$PWD"'""")
        return f"(cd {self.folder} && {command})" if self.folder else command


@dataclass(frozen=True)
class Job:
    """What to flash where. All paths are absolute.

    `folder` holds the compiled model; given a `model`, it is compiled from that first. `out` is where to build. `port`
    is a serial port, or the drive a UF2 boot loader shows. `virtual` asks for QEMU instead of the board.
    """

    board: Board
    folder: Path
    out: Path
    port: str | None = None
    virtual: bool = False
    model: Path | None = None

    @property
    def tool(self) -> str:
        """What carries the program over."""
        return "qemu" if self.virtual else self.board.flash_tool

    @property
    def program(self) -> str:
        """The firmware, in the private folder."""
        return str(firmware.program(self.board.name, Path(firmware.OUT)))

    @property
    def hears(self) -> bool:
        """Whether the serial port tells the verdict."""
        return self.port is not None and self.tool in ("st-flash", "dfu-util", "esptool")


def steps(job: Job) -> list[Step]:
    """Return the commands that build a job's firmware and put it on its board.

    Raises:
      FirmwareError: the kit cannot program this board, or has no port to it.
    """
    if job.tool in ELSEWHERE:
        raise FirmwareError(f"{job.board.title} cannot be programmed from here", fix=ELSEWHERE[job.tool])
    model = Step(("cp", "-r", str(job.folder), firmware.C), copies=Copies.MODEL)
    return [*_compiling(job), model, *_STEPS[job.tool](job)]


def preparation(place: str = '"$(mktemp -d)"') -> list[str]:
    """Return the shell's commands that make a private folder like `firmware.private`, for a plan that is shown."""
    return [f"cd {place}", shlex.join(("ln", "-s", str(firmware.mcu()), "mcu")), f"mkdir {firmware.OUT}"]


def _compiling(job: Job) -> list[Step]:
    if job.model is None:
        return []
    compiler = (sys.executable, "-m", "sqz_tf.compile", str(job.model), "--out", str(job.folder))
    return [Step((*compiler, "--target", job.board.target, "--overwrite", "--quiet"))]


def _building(job: Job, *more: str) -> list[Step]:
    firmware.check_ported(job.board.name)
    return [Step(tuple(firmware.build_command(job.board.name, *more))), _delivering(job, job.program)]


def _delivering(job: Job, file: str) -> Step:
    return Step(("cp", file, str(job.out)), copies=Copies.PROGRAM)


def _building_serial(job: Job) -> list[Step]:
    """Return how to build firmware with its cases inside, for a board with nothing but a serial line."""
    copy = Step(("arm-none-eabi-objcopy", "-O", "binary", job.program, IMAGE))
    return [*_building(job, f"CASES={CASES}", "LINE=serial"), copy, _delivering(job, IMAGE)]


def _host(job: Job) -> list[Step]:
    return [*_building(job), Step((f"./{Path(job.program).name}",), firmware.OUT, tells=True)]


def _qemu(job: Job) -> list[Step]:
    if not job.board.qemu:
        raise FirmwareError(f"QEMU does not emulate {job.board.title}", fix="leave out --virtual")
    command = firmware.qemu_command(job.board, Path(Path(job.program).name))
    return [*_building(job), Step(tuple(command), firmware.OUT, tells=True)]


def _openocd(job: Job) -> list[Step]:
    """OpenOCD 0.12 answers the firmware's semihosting calls and ends with the firmware's exit code."""
    program = f"program {Path(job.program).name} verify"
    servers = ("gdb_port disabled", "tcl_port disabled", "telnet_port disabled")
    orders = (*servers, "init", "reset halt", program, "reset halt", "arm semihosting enable", "resume")
    scripts = [word for script in job.board.flash["scripts"] for word in ("-f", script)]
    command = ("openocd", *scripts, *(word for order in orders for word in ("-c", order)))
    return [*_building(job), Step(command, firmware.OUT, tells=True)]


def _st_flash(job: Job) -> list[Step]:
    write = ("st-flash", "--reset", "write", IMAGE, _flash_origin(job.board.name))
    return [*_building_serial(job), Step(write)]


def _dfu_util(job: Job) -> list[Step]:
    where = ("-d", job.board.flash["device"], "-a", "0", "-s", f"{_flash_origin(job.board.name)}:leave")
    return [*_building_serial(job), Step(("dfu-util", *where, "-D", IMAGE))]


def _flash_origin(name: str) -> str:
    """Return the address that the port's .mk gives for its flash."""
    found = re.search(r"^FLASH\s*:=\s*(\w+)", (firmware.mcu() / "boards" / f"{name}.mk").read_text(), re.MULTILINE)
    assert found, name
    return found[1]


def _uf2(job: Job) -> list[Step]:
    chip = f"-DPICO_BOARD={job.board.flash['pico_board']}"
    what = (f"-DSQZ_DIR:PATH={firmware.C}", f"-DSQZ_CASES:FILEPATH={CASES}")
    uf2 = f"{firmware.OUT}/firmware.uf2"
    return [
        Step(("cmake", "-S", "mcu/boards/pico_sdk", "-B", firmware.OUT, chip, *what)),
        Step(("cmake", "--build", firmware.OUT)),
        _delivering(job, uf2),
        Step(("cp", uf2, job.port or UF2_DRIVE), copies=Copies.DRIVE),
    ]


def _esptool(job: Job) -> list[Step]:
    chip = job.board.flash["chip"]
    settings = ("-D", f"SDKCONFIG={PLACE}/{firmware.OUT}/sdkconfig", "-D", f"IDF_TARGET={chip}")
    what = {"SQZ_DIR": f"{PLACE}/{firmware.C}", "SQZ_CASES": f"{PLACE}/{CASES}"}
    port = ("--port", job.port) if job.port else ()
    resets = ("--before", "default_reset", "--after", "hard_reset")
    return [
        Step(("idf.py", "-C", "mcu/boards/esp_idf", "-B", firmware.OUT, *settings, "build"), environment=what),
        _delivering(job, IMAGE),
        Step(("esptool.py", "--chip", chip, *port, *resets, "write_flash", "@flash_args"), firmware.OUT),
    ]


_STEPS: dict[str, Callable[[Job], list[Step]]] = {
    firmware.HOST: _host,
    "qemu": _qemu,
    "openocd": _openocd,
    "st-flash": _st_flash,
    "dfu-util": _dfu_util,
    "uf2": _uf2,
    "esptool": _esptool,
}
