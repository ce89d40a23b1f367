"""Build the firmware of a compiled model, and run it where no board is needed: on this computer or in QEMU.

The sources are the folder `mcu`; they are built with `make` (`mcu/Makefile` says how).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from converters.compiler.back.c import library
from converters.tflite.reader import read_model
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.deploy import confined, received
from sqz_tf.deploy.boards import Board, boards

HOST = "host"
ARM, RISCV = "arm-none-eabi-", "riscv64-unknown-elf-"  # what the names of their tools begin with
SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
C, OUT = "c", "out"  # in the folder of `private`
OF_MAKE = frozenset({"MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MAKEFILES"})
CASES = "sqz_cases.bin"  # what the firmware opens in the folder it runs in
EXIT_GOOD, EXIT_DIFFERENT, EXIT_NO_CASES, EXIT_FAILED, EXIT_FAULT = range(5)
VERDICTS = {
    EXIT_GOOD: "good",
    EXIT_DIFFERENT: "an output is not what was expected",
    EXIT_NO_CASES: "there were no cases for this model",
    EXIT_FAILED: "the model returned an error",
    EXIT_FAULT: "the processor met a fault",
}
SECONDS = 600.0
WHERE = {
    "make": "apt install make",
    "cc": "apt install gcc",
    "arm-none-eabi-gcc": "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-objcopy": "apt install binutils-arm-none-eabi",
    "riscv64-unknown-elf-gcc": "apt install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    "qemu-system-arm": "apt install qemu-system-arm",
    "qemu-system-riscv32": "apt install qemu-system-misc",
    "openocd": "apt install openocd",
    "st-flash": "apt install stlink-tools",
    "dfu-util": "apt install dfu-util",
    "cmake": "apt install cmake",
    "esptool.py": "pip install esptool",
    "idf.py": "install ESP-IDF and source its export.sh",
}


class FirmwareError(SqzError):
    """Firmware could not be built, or did not run to its end."""


@dataclass(frozen=True)
class Answer:
    """The best classes of one case, best first, as (class, int8 score), and whether the output was the expected one."""

    best: tuple[tuple[int, int], ...]
    equal: bool | None


@dataclass(frozen=True)
class Run:
    """What the firmware said. `stack_bytes` is the most it ever used; 0 on this computer, which does not measure it."""

    verdict: int
    answers: tuple[Answer, ...]
    stack_bytes: int
    text: str


@dataclass(frozen=True)
class Header:
    """What NAME.h of a compiled model says: `input_shape` is [H, W, C], `sha256` that of its `.tflite`.

    `target` is empty where it is not said; `outputs` lie one after another in what the model gives.
    """

    name: str
    sha256: str
    target: str
    input_shape: tuple[int, int, int]
    arena_bytes: int
    outputs: int = 1

    def check_made_from(self, model: bytes, path: Path) -> None:
        """Raise a FirmwareError if the folder was compiled from another model."""
        if hashlib.sha256(model).hexdigest() != self.sha256:
            raise FirmwareError(f"{self.name} was not compiled from {path}", fix="compile again, or give its own model")


def header(folder: Path) -> Header:
    """Read NAME.h of a compiled model.

    Raises:
      SqzError: the folder holds none, or it does not say all.
    """
    name, text = received.name_of(folder), received.header_text(folder)
    numbers = dict(re.findall(rf"^#define {name.upper()}_(\w+) (\d+)u?$", text, re.MULTILINE))
    sha256 = re.search(r"sha256\s+([0-9a-f]{64})", text)
    target = re.search(r"^ \*\s+target\s+(\S+)$", text, re.MULTILINE)
    try:
        height, width, channels = (int(numbers[f"INPUT_{side}"]) for side in ("HEIGHT", "WIDTH", "CHANNELS"))
        arena_bytes = int(numbers["ARENA_BYTES"])
    except KeyError as error:
        raise FirmwareError(f"{name}.h does not say {error}", fix="compile the model again") from error
    digest, chosen = (match[1] if match else "" for match in (sha256, target))
    outputs = int(numbers.get("OUTPUTS", 1))
    return Header(name, digest, chosen, (height, width, channels), arena_bytes, outputs)


def input_dimensions(model: bytes) -> tuple[int, ...]:
    """Return the dimensions of one input of a `.tflite`; the C, given the same bytes, may call them otherwise."""
    with translated(FirmwareError, "the model cannot be read", fix="give the .tflite it was compiled from"):
        return read_model(model).input_tensors()[0].shape[1:]


def mcu() -> Path:
    """Return the folder of the C library, the firmware and the boards.

    Raises:
      FirmwareError: it is missing.
    """
    with translated(FirmwareError, "the firmware cannot be built"):
        return library.root()


def ported() -> tuple[str, ...]:
    """Return the names of the boards that firmware can be built for; `host` is this computer."""
    return tuple(sorted(path.stem for path in (mcu() / "boards").glob("*.mk")))


def compiler(board: str) -> str:
    """Return what `make` compiles with."""
    if board == HOST:
        return "cc"
    return f"{RISCV if is_riscv(boards()[board]) else ARM}gcc"


def is_riscv(board: Board) -> bool:
    """Say whether a board's core is a RISC-V."""
    return board.core.startswith("riscv")


def need(tool: str) -> str:
    """Return the path of a program.

    Raises:
      FirmwareError: it is not installed.
    """
    found = shutil.which(tool)
    if not found:
        raise FirmwareError(f"{tool} is not installed", fix=WHERE.get(tool, ""))
    return found


def build_command(board: str, *more: str) -> list[str]:
    """Return the command that builds out/firmware.elf (`firmware` for the host) in a folder made by `private`.

    Args:
      more: make's further words, such as LINE=serial.
    """
    return ["make", "--silent", "-f", "mcu/Makefile", f"BOARD={board}", f"DIR={C}", f"OUT={OUT}", *more]


@contextmanager
def private(cases: bytes = b"") -> Iterator[Path]:
    """Yield a new folder in which a firmware is built: every name that make, CMake or a shell reads in it is fixed.

    It holds `mcu` (a link), `out` and in that the file of cases; `c`, the model, is for `received.copy`. Nothing that
    was sent along is in it: no rules for make, no objects, no settings of a programming tool.
    """
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        folder = Path(place).resolve()
        (folder / "mcu").symlink_to(mcu())
        (folder / OUT).mkdir()
        (folder / OUT / CASES).write_bytes(cases)
        yield folder


def build_environment() -> dict[str, str]:
    """Return the environment without what an outer make left in it: its variables are read as make's text."""
    return {name: value for name, value in os.environ.items() if name not in OF_MAKE}


def build(board: str, folder: Path, out: Path, cases: bytes = b"", more: Sequence[str] = ()) -> Path:
    """Build the firmware of a compiled model.

    Args:
      board: one of `ported()`.
      folder: what `python -m sqz_tf.compile` wrote.
      out: where the program goes.
      cases: made by `cases_file`, to link in for boards that cannot read a file.
      more: make's further words.

    Returns:
      The program.

    Raises:
      SqzError: there is no port, a tool is missing, or it cannot be built: too large for the board, say.
    """
    check_ported(board)
    need("make")
    need(compiler(board))
    words = (f"CASES={OUT}/{CASES}", *more) if cases else more
    with private(cases) as place:
        received.copy(folder, place / C)
        command = build_command(board, *words)
        done = subprocess.run(command, cwd=place, env=build_environment(), capture_output=True, errors="replace")
        if done.returncode:
            raise FirmwareError(f"the firmware for {board} cannot be built: {reason(done.stderr)}")
        deliver(program(board, place / OUT), out)
    return program(board, out)


def deliver(file: Path, out: Path) -> None:
    """Put a file into a folder, whole; a link of its name there is replaced, not followed.

    Raises:
      FirmwareError: the disk refuses.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".sqz-tf-", dir=out) as beside:
            os.replace(shutil.copy(file, beside), out / file.name)
    except OSError as error:
        raise FirmwareError(
            f"{out / file.name} cannot be written ({error.strerror})", fix="choose another --out"
        ) from error


def program(board: str, out: Path) -> Path:
    """Return where the firmware for a board is built."""
    return out / ("firmware" if board == HOST else "firmware.elf")


def check_ported(board: str) -> None:
    """Raise a FirmwareError if there is no port for a board, or no sources to build from."""
    if not (mcu() / "Makefile").is_file():
        raise FirmwareError(f"{mcu()} does not hold the firmware's sources", fix="run from a checkout of the kit")
    if board not in ported():
        raise FirmwareError(f"there is no port for {board}", expected=f"one of {', '.join(ported())}")


def reason(text: str) -> str:
    """Return the line of a failed build that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"error|overflow|no room|\*\*\*|will not fit", line)]
    own = [line for line in telling if not re.search(r"ld returned|make(\[\d+\])?: \*\*\* \[", line)]
    return re.sub(r"^\S*/ld: (\S+\.elf )?", "", (own or telling or lines or ["no message"])[0])


def cases_file(inputs: np.ndarray, outputs: np.ndarray | None = None) -> bytes:
    """Return a file of cases for the firmware (`mcu/firmware/cases.h`).

    Args:
      inputs: int8 [N, H, W, C] as the model takes them.
      outputs: int8 [N, classes], what is expected of each; without it nothing is.
    """
    expected = np.zeros((len(inputs), 0), np.int8) if outputs is None else outputs.reshape(len(inputs), -1)
    header = b"SQZC" + struct.pack("<3I", len(inputs), inputs[0].size, expected.shape[1])
    rows = zip(inputs.astype(np.int8, casting="safe"), expected.astype(np.int8, casting="safe"), strict=True)
    return header + b"".join(image.tobytes() + output.tobytes() for image, output in rows)


def emulator(board: Board) -> str:
    """Return the name of the QEMU that has a board's core."""
    return "qemu-system-riscv32" if is_riscv(board) else "qemu-system-arm"


def qemu_command(board: Board, program: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that runs a board's program in QEMU: its text on stdout, its verdict the exit code.

    QEMU answers its semihosting calls; the sandbox keeps those from starting programs.
    """
    quiet = ["-display", "none", "-monitor", "none", "-serial", "none", "-chardev", "stdio,id=console"]
    semihosting = ["-semihosting-config", "enable=on,target=native,chardev=console"]
    return [emulator(board), "-M", str(board.qemu), "-kernel", str(program), *SANDBOX, *quiet, *semihosting, *extra]


@lru_cache
def has_sandbox(qemu: str) -> bool:
    """Say whether a QEMU was built with its sandbox, which is Linux's alone."""
    return subprocess.run([qemu, *SANDBOX, "-version"], capture_output=True).returncode == 0


def confinable() -> bool:
    """Say whether a program can be kept from a person's files here."""
    return confined.version() > 0


def run_confined(argv: Sequence[str], folder: Path, seconds: float = SECONDS) -> subprocess.CompletedProcess[bytes]:
    """Run a firmware's program, or QEMU with it: of a person's files it sees those in `folder` alone, where it runs.

    Args:
      argv: the program and its arguments; paths relative to the folder.

    Raises:
      FirmwareError: it is missing, or does not end.
    """
    program = str(folder / argv[0]) if "/" in argv[0] else os.path.realpath(need(argv[0]))
    words = [
        word for word in argv[1:] if not argv[0].startswith("qemu-") or has_sandbox(program) or word not in SANDBOX
    ]
    command = [sys.executable, "-I", str(Path(confined.__file__)), str(folder), program, *words]
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"the firmware did not end within {seconds:.0f} seconds") from error


def run(
    board: Board | None, program: Path, cases: bytes = b"", extra: Sequence[str] = (), seconds: float = SECONDS
) -> Run:
    """Run firmware in QEMU, or on this computer if `board` is None.

    Args:
      cases: what it reads; see `cases_file`.
      extra: further arguments to QEMU.

    Raises:
      FirmwareError: QEMU is missing or does not emulate the board, or the firmware did not end properly.
    """
    if board and not board.qemu:
        raise FirmwareError(f"QEMU does not emulate {board.name}")
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        folder = Path(place).resolve()
        (folder / CASES).write_bytes(cases)
        shutil.copy(program, folder / program.name)
        own = Path(program.name)
        argv = qemu_command(board, own, extra) if board else [f"./{own}"]
        done = run_confined(argv, folder, seconds)
    return parse(done.returncode, done.stdout.decode("ascii", "replace"), done.stderr.decode("utf-8", "replace"))


def is_report(text: str) -> bool:
    """Say whether firmware spoke here to its end."""
    return re.search(r"^verdict \d+$", text, re.MULTILINE) is not None


def parse(code: int, text: str, errors: str = "") -> Run:
    """Return what the firmware's text and exit code say.

    Raises:
      FirmwareError: it stopped before its verdict.
    """
    if code == EXIT_FAULT and not is_report(text):
        return Run(code, (), 0, text)
    if code == -signal.SIGSYS:
        raise FirmwareError(
            "the firmware asked to start a program on this computer, and QEMU's sandbox stopped it",
            fix="do not trust its C; compile the model again from its .tflite",
        )
    if not is_report(text) or parse_report(text).verdict != code:
        last = (errors.strip().splitlines() or text.strip().splitlines() or ["it said nothing"])[-1]
        raise FirmwareError(f"the firmware ended with code {code} and no verdict: {last}")
    return parse_report(text)


def parse_report(text: str) -> Run:
    """Return what the firmware's text says; it holds a verdict."""
    verdict, stack = (re.search(rf"^{word} (\d+)$", text, re.MULTILINE) for word in ("verdict", "stack"))
    assert verdict
    answers = tuple(_answer(part) for part in re.split(r"^case \d+\n", text, flags=re.MULTILINE)[1:])
    return Run(int(verdict[1]), answers, int(stack[1]) if stack else 0, text)


def _answer(text: str) -> Answer:
    best = tuple((int(label), int(score)) for label, score in re.findall(r"^class (\d+) score (-?\d+)$", text, re.M))
    said = re.search(r"^(equal|different)$", text, re.MULTILINE)
    return Answer(best, said[1] == "equal" if said else None)
