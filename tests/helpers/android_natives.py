"""Running the native libraries of the package here, unchanged: on this processor or in QEMU, over glibc.

`bionic/shim.c` is what Android's C library has and glibc has not; what else the libraries import is handed on by name.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from android_demo.tools.maven import empty_folder
from android_demo.tools.natives import TFLITE, java_headers
from android_demo.tools.process import run
from tests.helpers.needs import ROOT, require

SOURCES = ROOT / "tests" / "helpers" / "bionic"
CROSS = Path("/usr/aarch64-linux-gnu")
DATA = {"stderr", "__sF"}
PATIENCE = 3600  # seconds: a hundred large pictures in QEMU
TOOLS = ("clang", "ld.lld", "nm", "qemu-aarch64", "qemu-arm", "arm-linux-gnueabihf-gcc", "enjarify")


@dataclass(frozen=True)
class Machine:
    """How programs for an ABI are compiled and run here; `jump` goes on to the address that lies at a label."""

    compiler: tuple[str, ...]
    start: tuple[str, ...]
    runner: tuple[str, ...]
    jump: str


_CLANG = ("clang", "-O1", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument")
_ARM64 = ("--target=aarch64-linux-gnu", "-fuse-ld=lld", "-isystem", f"{CROSS}/include", "-nostdlib",
          f"-L{CROSS}/lib")  # fmt: skip
_ARM64_START = (f"{CROSS}/lib/crt1.o", "-Wl,-dynamic-linker,/lib/ld-linux-aarch64.so.1")
MACHINES = {
    "x86_64": Machine(_CLANG, (), (), "jmp *{}(%rip)"),
    "arm64-v8a": Machine((*_CLANG, *_ARM64), _ARM64_START, ("qemu-aarch64", "-L", str(CROSS)),
                         "adrp x16, {0}; ldr x16, [x16, :lo12:{0}]; br x16"),
    "armeabi-v7a": Machine(("arm-linux-gnueabihf-gcc", "-O1", "-fPIC"), (),
                           ("qemu-arm", "-L", "/usr/arm-linux-gnueabihf"), ""),
}  # fmt: skip


class NotRun(Exception):
    """A library did not load, or failed."""


@dataclass(frozen=True)
class Ran:
    """Outputs int8 [N, classes], threads that the libraries made, and seconds of all runs."""

    outputs: np.ndarray
    threads: int
    seconds: float


def require_machines() -> None:
    """Skip unless everything is here that runs the libraries of every ABI, and the class files."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    missing += [] if (CROSS / "include" / "stdio.h").is_file() else ["libc6-dev-arm64-cross"]
    require(not missing, f"{', '.join(missing)} are not installed")


@dataclass(frozen=True)
class Device:
    """A folder with a package's libraries for an ABI, what they need to run here, and a program that calls them."""

    abi: str
    folder: Path

    @property
    def runner(self) -> tuple[str, ...]:
        """The command before the program: QEMU's, or nothing."""
        return MACHINES[self.abi].runner

    def fast(self, model: Path, threads: int, inputs: np.ndarray, classes: int, page: int = 4096) -> Ran:
        """Run TFLite with XNNPACK on int8 [N, h, w, c], on a machine with pages of so many bytes."""
        return self._run(["fast", str(model), str(threads)], inputs, classes, page)

    def exact(self, sha256: str, inputs: np.ndarray, classes: int, page: int = 4096) -> Ran:
        """Run the compiled C of the model with this hash."""
        return self._run(["exact", sha256], inputs, classes, page)

    def _run(self, words: Sequence[str], inputs: np.ndarray, classes: int, page: int) -> Ran:
        paged = ("-p", str(page)) if self.runner and page != 4096 else ()
        path = ("-E", f"LD_LIBRARY_PATH={self.folder}") if self.runner else ()
        program = [*self.runner, *paged, *path, str(self.folder / "drive")]
        command = [*program, *words, str(inputs[0].nbytes), str(classes)]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.folder)} if not self.runner else None
        done = subprocess.run(command, input=inputs.tobytes(), capture_output=True, env=environment, timeout=PATIENCE)
        told = done.stderr.decode(errors="replace").strip()
        if done.returncode:
            raise NotRun(f"the program ended with {done.returncode}: {told}")
        made, seconds = told.splitlines()[-1].split()
        return Ran(np.frombuffer(done.stdout, np.int8).reshape(len(inputs), classes), int(made), float(seconds))


def device(abi: str, libraries: Mapping[str, bytes], folder: Path) -> Device:
    """Make a folder in which a package's libraries for an ABI can be run here.

    Args:
      libraries: path in the package → bytes.
      folder: made anew.
    """
    empty_folder(folder)
    for path, data in libraries.items():
        if path.startswith(f"lib/{abi}/"):
            (folder / Path(path).name).write_bytes(_hard_float(data) if abi == "armeabi-v7a" else data)
    machine = MACHINES[abi]
    if (folder / TFLITE).is_file():
        _bionic(machine, folder)
    else:
        _library(machine, folder / "libc.so", SOURCES / "no_shim.c")
    java = java_headers()
    _compile(machine, *machine.start, "-I", java, "-I", java / "linux", SOURCES / "drive.c", "-o", folder / "drive",
             *_glibc(machine))  # fmt: skip
    return Device(abi, folder)


def _hard_float(library: bytes) -> bytes:
    """Return a 32-bit Arm library marked as Debian's are: nothing that is called has floats in or out."""
    (flags,) = struct.unpack_from("<I", library, 36)
    return library[:36] + struct.pack("<I", flags & ~0x200 | 0x400) + library[40:]


def _bionic(machine: Machine, folder: Path) -> None:
    """Make Android's C library, in the versions that TFLite's asks for."""
    script, names = folder / "versions", folder / "names.S"
    script.write_text("LIBC { global: *; };\nLIBC_N { global: __write_chk; } LIBC;\n")
    names.write_text(_names(sorted(_imported(folder / TFLITE)), machine.jump))
    _library(machine, folder / "libshim.so", SOURCES / "shim.c", *_glibc(machine))
    versions = f"-Wl,--version-script={script}"
    _library(machine, folder / "libc.so", SOURCES / "start.c", names, folder / "libshim.so", versions)
    for other in ("libm.so", "libdl.so", "liblog.so"):
        _library(machine, folder / other, SOURCES / "no_shim.c", versions)


def _library(machine: Machine, out: Path, *words: str | Path) -> None:
    _compile(machine, "-shared", f"-Wl,-soname,{out.name}", "-o", out, *words)


def _glibc(machine: Machine) -> tuple[str, ...]:
    return ("-l:libc.so.6", "-l:ld-linux-aarch64.so.1") if "-nostdlib" in machine.compiler else ()


def _names(names: Sequence[str], jump: str) -> str:
    """Return assembly: a function for each name that goes on to the address in its place of the table `handed_to`."""
    lines = [".text"]
    for number, name in enumerate(names):
        lines += [f".globl {name}", f".type {name}, %function", f"{name}: {jump.format(f'handed_to+{8 * number}')}"]
    lines += [".section .rodata"] + [f'name{i}: .asciz "{name}"' for i, name in enumerate(names)]
    lines += [".hidden handed_on, handed_to", ".globl handed_on, handed_to", ".data", ".balign 8", "handed_on:"]
    lines += [f".quad name{i}" for i in range(len(names))] + [".quad 0", "handed_to:", f".zero {8 * len(names)}"]
    return "\n".join([*lines, '.section .note.GNU-stack,"",%progbits', ""])


def _imported(library: Path) -> set[str]:
    """Return the names of the functions that a library must find in others."""
    lines = [line.split() for line in run("nm", "-D", "--undefined-only", library).splitlines()]
    return {words[-1].partition("@")[0] for words in lines if words[-2] == "U"} - DATA


def _compile(machine: Machine, *words: str | Path) -> None:
    run(*machine.compiler, *words)
