"""Which commands build a compiled model's firmware and put it on a board: a plan, nothing is run here."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqz_tf.deploy import firmware
from sqz_tf.deploy.boards import Board
from sqz_tf.deploy.firmware import FirmwareError

ELSEWHERE = {
    "arduino": "the Arduino IDE programs it: give `python -m sqz_tf.compile` --package arduino",
    "vendor": "its maker's tool programs it: add the compiled folder to a project of that tool",
}
UF2_DRIVE = "UF2_DRIVE"  # stands for the place in a command that is only shown
HOST = Board(firmware.HOST, "this computer", firmware.HOST, "generic", 0, 0, 0, firmware.HOST, None, "", "")


@dataclass(frozen=True)
class Step:
    """One command. `tells`: its text and exit code are the firmware's."""

    argv: tuple[str, ...]
    folder: Path | None = None
    tells: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        place = f"cd {shlex.quote(str(self.folder))} && " if self.folder else ""
        variables = "".join(f"{name}={shlex.quote(value)} " for name, value in self.environment.items())
        return place + variables + shlex.join(self.argv)


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
    def program(self) -> Path:
        """The firmware."""
        return firmware.program(self.board.name, self.out)

    @property
    def image(self) -> Path:
        """The firmware as it lies in flash."""
        return self.out / "firmware.bin"

    @property
    def cases(self) -> Path:
        """What the firmware classifies."""
        return self.out / firmware.CASES

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
    return [*_compiling(job), *_STEPS[job.tool](job)]


def _compiling(job: Job) -> list[Step]:
    if job.model is None:
        return []
    compiler = (sys.executable, "-m", "sqz_tf.compile", str(job.model), "--out", str(job.folder))
    return [Step((*compiler, "--target", job.board.target, "--overwrite", "--quiet"))]


def _building(job: Job, *more: str) -> Step:
    firmware.check_ported(job.board.name)
    return Step((*firmware.build_command(job.board.name, job.folder, job.out), *more))


def _building_serial(job: Job) -> list[Step]:
    """Return how to build firmware with its cases inside, for a board with nothing but a serial line."""
    copy = ("arm-none-eabi-objcopy", "-O", "binary", str(job.program), str(job.image))
    return [_building(job, f"CASES={job.cases}", "LINE=serial"), Step(copy)]


def _host(job: Job) -> list[Step]:
    return [_building(job), Step((str(job.program),), job.out, tells=True)]


def _qemu(job: Job) -> list[Step]:
    if not job.board.qemu:
        raise FirmwareError(f"QEMU does not emulate {job.board.title}", fix="leave out --virtual")
    return [_building(job), Step(tuple(firmware.qemu_command(job.board.qemu, job.program)), job.out, tells=True)]


def _openocd(job: Job) -> list[Step]:
    """OpenOCD 0.12 answers the firmware's semihosting calls and ends with the firmware's exit code."""
    program = f"program {job.program.name} verify"
    servers = ("gdb_port disabled", "tcl_port disabled", "telnet_port disabled")
    orders = (*servers, "init", "reset halt", program, "reset halt", "arm semihosting enable", "resume")
    scripts = [word for script in job.board.flash["scripts"] for word in ("-f", script)]
    command = ("openocd", *scripts, *(word for order in orders for word in ("-c", order)))
    return [_building(job), Step(command, job.out, tells=True)]


def _st_flash(job: Job) -> list[Step]:
    write = ("st-flash", "--reset", "write", str(job.image), _flash_origin(job.board.name))
    return [*_building_serial(job), Step(write)]


def _dfu_util(job: Job) -> list[Step]:
    where = ("-d", job.board.flash["device"], "-a", "0", "-s", f"{_flash_origin(job.board.name)}:leave")
    return [*_building_serial(job), Step(("dfu-util", *where, "-D", str(job.image)))]


def _flash_origin(name: str) -> str:
    """Return the address that the port's .mk gives for its flash."""
    found = re.search(r"^FLASH\s*:=\s*(\w+)", (firmware.mcu() / "boards" / f"{name}.mk").read_text(), re.MULTILINE)
    assert found, name
    return found[1]


def _uf2(job: Job) -> list[Step]:
    source, chip = firmware.mcu() / "boards" / "pico_sdk", f"-DPICO_BOARD={job.board.flash['pico_board']}"
    what = (f"-DSQZ_DIR={job.folder}", f"-DSQZ_CASES={job.cases}")
    return [
        Step(("cmake", "-S", str(source), "-B", str(job.out), chip, *what)),
        Step(("cmake", "--build", str(job.out))),
        Step(("cp", str(job.out / "firmware.uf2"), job.port or UF2_DRIVE)),
    ]


def _esptool(job: Job) -> list[Step]:
    chip, source = job.board.flash["chip"], firmware.mcu() / "boards" / "esp_idf"
    settings = ("-D", f"SDKCONFIG={job.out / 'sdkconfig'}", "-D", f"IDF_TARGET={chip}")
    what = {"SQZ_DIR": str(job.folder), "SQZ_CASES": str(job.cases)}
    port = ("--port", job.port) if job.port else ()
    resets = ("--before", "default_reset", "--after", "hard_reset")
    return [
        Step(("idf.py", "-C", str(source), "-B", str(job.out), *settings, "build"), environment=what),
        Step(("esptool.py", "--chip", chip, *port, *resets, "write_flash", "@flash_args"), job.out),
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
