"""Build the firmware of a compiled model, put it on a board and tell its verdict; on a virtual board, run it in QEMU.

DIR is what `python -m sqz_tf.compile` wrote. The firmware classifies the pictures of --image, or noise, and says the
best five classes of each. With the model itself (--model) every score is compared with TFLite's reference kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf import _cli, _serial, firmware, images, interpreters
from sqz_tf.boards import Board, board
from sqz_tf.errors import ConfigError
from sqz_tf.firmware import FirmwareError, Run
from sqz_tf.runtime import Classifier

ELSEWHERE = {
    "arduino": "the Arduino IDE programs it: give `python -m sqz_tf.compile` --package arduino",
    "vendor": "its maker's tool programs it: add the compiled folder to a project of that tool",
}
REPORT = r"^model .*?^verdict \d+$"  # what the firmware says from its beginning to its end
SECONDS = 120.0  # to wait for that on a serial port
UF2_PLACES = ("/media/*/*", "/run/media/*/*", "/Volumes/*", "/mnt/*")
UF2_MARK = "INFO_UF2.TXT"
UF2_DRIVE = "UF2_DRIVE"  # stands for the place in a command that is only shown


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

    `port` is a serial port, or the drive a UF2 boot loader shows. `virtual` asks for QEMU instead of the board.
    """

    board: Board
    folder: Path
    out: Path
    port: str | None = None
    virtual: bool = False

    @property
    def tool(self) -> str:
        """What carries the program over."""
        return "qemu" if self.virtual else self.board.flash_tool

    @property
    def program(self) -> Path:
        """The firmware."""
        return self.out / "firmware.elf"

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
    return _STEPS[job.tool](job)


def _building(job: Job, *more: str) -> Step:
    firmware.check_ported(job.board.name)
    return Step((*firmware.build_command(job.board.name, job.folder, job.out), *more))


def _building_serial(job: Job) -> list[Step]:
    """Return how to build firmware with its cases inside, for a board with nothing but a serial line."""
    copy = ("arm-none-eabi-objcopy", "-O", "binary", str(job.program), str(job.image))
    return [_building(job, f"CASES={job.cases}", "LINE=serial"), Step(copy)]


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
    found = re.search(r"^FLASH\s*:=\s*(\w+)", (firmware.MCU / "boards" / f"{name}.mk").read_text(), re.MULTILINE)
    assert found, name
    return found[1]


def _uf2(job: Job) -> list[Step]:
    source, chip = firmware.MCU / "boards" / "pico_sdk", f"-DPICO_BOARD={job.board.flash['pico_board']}"
    what = (f"-DSQZ_DIR={job.folder}", f"-DSQZ_CASES={job.cases}")
    return [
        Step(("cmake", "-S", str(source), "-B", str(job.out), chip, *what)),
        Step(("cmake", "--build", str(job.out))),
        Step(("cp", str(job.out / "firmware.uf2"), job.port or UF2_DRIVE)),
    ]


def _esptool(job: Job) -> list[Step]:
    chip, source = job.board.flash["chip"], firmware.MCU / "boards" / "esp_idf"
    settings = ("-D", f"SDKCONFIG={job.out / 'sdkconfig'}", "-D", f"IDF_TARGET={chip}")
    what = {"SQZ_DIR": str(job.folder), "SQZ_CASES": str(job.cases)}
    port = ("--port", job.port) if job.port else ()
    resets = ("--before", "default_reset", "--after", "hard_reset")
    return [
        Step(("idf.py", "-C", str(source), "-B", str(job.out), *settings, "build"), environment=what),
        Step(("esptool.py", "--chip", chip, *port, *resets, "write_flash", "@flash_args"), job.out),
    ]


_STEPS: dict[str, Callable[[Job], list[Step]]] = {
    "qemu": _qemu,
    "openocd": _openocd,
    "st-flash": _st_flash,
    "dfu-util": _dfu_util,
    "uf2": _uf2,
    "esptool": _esptool,
}


def run(job: Job, cases: bytes, note: Callable[[str], None], seconds: float = SECONDS) -> Run | None:
    """Carry the steps out.

    Args:
      cases: what the firmware classifies, from `firmware.cases_file`.
      note: told each command before it runs.
      seconds: to wait for a verdict on a serial port.

    Returns:
      What the firmware said, or None where it cannot be heard from here.

    Raises:
      FirmwareError: a tool is missing or failed, the board is not there, or the firmware stopped half-way.
    """
    plan = steps(job)
    _check_tools(plan)
    job.out.mkdir(parents=True, exist_ok=True)
    job.cases.write_bytes(cases)
    said = None
    for step in plan:
        note(str(step))
        if step.argv[0] == "cp":
            _copy_to_drive(step)
        else:
            said = _carried_out(step, job)
    if job.hears:
        assert job.port
        return firmware.parse_report(_serial.hear(job.port, REPORT, seconds))
    return said


def _check_tools(plan: Sequence[Step]) -> None:
    for tool in dict.fromkeys(step.argv[0] for step in plan if step.argv[0] != "cp"):
        firmware.need(tool)
        if tool == "make":
            firmware.need("arm-none-eabi-gcc")
        if tool == "cmake" and "PICO_SDK_PATH" not in os.environ:
            raise FirmwareError("PICO_SDK_PATH is not set", fix="install the Pico SDK and say where it is")


def _carried_out(step: Step, job: Job) -> Run | None:
    environment = {**os.environ, **step.environment}
    try:
        done = subprocess.run(
            step.argv,
            cwd=step.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            errors="replace",
            timeout=firmware.SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"{step.argv[0]} did not end within {firmware.SECONDS:.0f} seconds") from error
    if step.tells and firmware.is_report(done.stdout):
        return firmware.parse(done.returncode, done.stdout)
    if done.returncode or step.tells:
        builds = step.argv[0] in ("make", "cmake", "idf.py", "arm-none-eabi-objcopy")
        reason = firmware.reason(done.stderr + done.stdout) if builds else _complaint(done.stderr, done.stdout)
        fix = "" if builds or job.tool == "qemu" else f"is {job.board.title} plugged in and ready to be programmed?"
        raise FirmwareError(f"{step.argv[0]} ended with code {done.returncode}: {reason}", fix=fix)
    return None


def _complaint(errors: str, text: str) -> str:
    """Return the line in which a programming tool says what is wrong."""
    lines = [line.strip() for line in (errors.strip() or text).splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return re.sub(r"^Error: ", "", (telling[:1] or lines[-1:] or ["it said nothing"])[0])


def _copy_to_drive(step: Step) -> None:
    _, file, drive = step.argv
    place = uf2_drive() if drive == UF2_DRIVE else Path(drive)
    if not (place / UF2_MARK).is_file():
        raise FirmwareError(f"{place} is no drive of a UF2 boot loader", expected=f"a folder with {UF2_MARK}")
    try:
        shutil.copy(file, place)
    except OSError as error:
        raise FirmwareError(f"{file} cannot be copied to {place}: {error.strerror}") from error


def uf2_drive(places: Sequence[str] = UF2_PLACES) -> Path:
    """Return the one drive a UF2 boot loader shows.

    Raises:
      FirmwareError: there is none, or more than one.
    """
    found = sorted(path.parent for place in places for path in Path("/").glob(f"{place[1:]}/{UF2_MARK}"))
    if len(found) == 1:
        return found[0]
    if found:
        raise FirmwareError(
            f"there are {len(found)} UF2 drives", fix=f"choose one with --port: {', '.join(map(str, found))}"
        )
    raise FirmwareError(
        "no drive of a UF2 boot loader is mounted",
        fix="plug the board in with BOOTSEL held down, or name the drive with --port",
    )


# What is classified -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What the firmware is given: inputs [N, H, W, C] int8, what is expected of them, their names, the labels."""

    inputs: np.ndarray
    outputs: np.ndarray | None
    names: tuple[str, ...]
    labels: tuple[str, ...] = ()


def given(folder: Path, pictures: Sequence[Path], model: Path | None) -> Given:
    """Return what to classify.

    Args:
      folder: of the compiled model.
      pictures: image files; without any, one picture of noise.
      model: the `.tflite` the folder was compiled from; pictures need it, for it says how to prepare them.

    Raises:
      SqzError: the folder holds no compiled model, the model is another one, or a picture cannot be read.
    """
    header = firmware.header(folder)
    if model is None:
        if pictures:
            raise ConfigError("--image needs --model", fix="give the .tflite that DIR was compiled from")
        return Given(noise(header.input_shape), None, ("noise",))
    try:
        content = model.read_bytes()
    except OSError as error:
        raise ConfigError(f"{model} cannot be read: {error.strerror}") from error
    header.check_made_from(content, model)
    names: tuple[str, ...] = ("noise",)
    labels: tuple[str, ...] = ()
    inputs = noise(header.input_shape)
    if pictures:
        classifier = Classifier(model)
        inputs = images.to_int8(np.stack([classifier.pixels(picture) for picture in pictures]))
        names, labels = tuple(map(str, pictures)), classifier.labels
    return Given(inputs, interpreters.run(content, inputs, "litert-ref").outputs, names, labels)


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """Return one input [1, H, W, C] of random int8, always the same."""
    return np.random.default_rng(0).integers(-128, 128, (1, *shape)).astype(np.int8)


# The command line ---------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m sqz_tf.flash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="a compiled model's folder")
    parser.add_argument("--board", required=True, help="its name in the table of boards, or QEMU's name for it")
    parser.add_argument("--port", help="the board's serial port, or the drive of its UF2 boot loader")
    parser.add_argument("--virtual", action="store_true", help="run in QEMU instead of on the board")
    parser.add_argument("--image", metavar="FILE", type=Path, action="append", default=[], help="classify this picture")
    parser.add_argument("--model", metavar="FILE", type=Path, help="the .tflite that DIR was compiled from")
    parser.add_argument("--out", metavar="DIR", type=Path, help="where to build (default: DIR/build-BOARD)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 if all is as expected, 1 if not."""
    arguments = build_parser().parse_args(argv)
    return _cli.run(lambda: _work(arguments), arguments.debug)


def _work(arguments: argparse.Namespace) -> int:
    job = _job(arguments)
    if arguments.dry_run:
        print("\n".join(map(str, steps(job))))
        return _cli.EXIT_OK
    what = given(job.folder, arguments.image, arguments.model)
    console = _cli.Console(quiet=arguments.json)
    said = run(job, firmware.cases_file(what.inputs, what.outputs), console.note)
    if arguments.json:
        print(json.dumps(_result(job, what, said), indent=2))
    else:
        print(_text(job, what, said), end="")
    return _cli.EXIT_OK if said is None or said.verdict == firmware.EXIT_GOOD else _cli.EXIT_FAILED


def _job(arguments: argparse.Namespace) -> Job:
    chosen = board(arguments.board)
    virtual = arguments.virtual or arguments.board == chosen.qemu
    folder: Path = arguments.folder.resolve()
    firmware.header(folder)
    out: Path = (arguments.out or folder / f"build-{chosen.name}").resolve()
    return Job(chosen, folder, out, arguments.port, virtual)


def _result(job: Job, what: Given, said: Run | None) -> dict[str, Any]:
    if said is None:
        return {"board": job.board.name, "verdict": None}
    cases = [{"image": name, **asdict(answer)} for name, answer in zip(what.names, said.answers, strict=False)]
    return {
        "board": job.board.name,
        "verdict": firmware.VERDICTS[said.verdict],
        "stack_bytes": said.stack_bytes,
        "cases": cases,
    }


def _text(job: Job, what: Given, said: Run | None) -> str:
    if said is None:
        return f"{job.board.title} is programmed; it says its verdict on its serial port\n"
    lines = []
    for name, answer in zip(what.names, said.answers, strict=False):
        lines.append(name)
        lines += [
            f"{score:5} {what.labels[label] if what.labels else 'class'} ({label})" for label, score in answer.best
        ]
        lines += (
            [] if answer.equal is None else ["      equal to TFLite" if answer.equal else "      not TFLite's output"]
        )
    stack = f"{said.stack_bytes} bytes of stack used, " if said.stack_bytes else ""
    return "\n".join([*lines, f"{job.board.title}: {stack}{firmware.VERDICTS[said.verdict]}", ""])


if __name__ == "__main__":
    sys.exit(main())
