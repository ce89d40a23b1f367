"""Test programs as WebAssembly: built by Clang with what little they need of a C library, run in Node."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from tests.helpers.needs import require

KINDS = ("simd", "plain")

_FOLDER = Path(__file__).parent / "wasm"
_TEMPORARY = tempfile.TemporaryDirectory(prefix="sqz-wasm-")
_CLANG = [
    *("clang", "--target=wasm32", "-O2", "-nostdlib", "-mbulk-memory", "-isystem", str(_FOLDER), "-Dmain=program"),
    *(f"-fno-builtin-{each}" for each in ("printf", "fwrite")),
    *("-Wl,--no-entry", "-Wl,--export=program", "-Wl,-z,stack-size=262144"),
    *("-Wno-overlength-strings", "-Wno-unused-command-line-argument"),
]

HOST = ["node", str(_FOLDER / "host.mjs")]
"""What to run a program with."""


def compiler(kind: str) -> list[str]:
    """Return the words of a compiler of programs, with SIMD or plain; skip where none can be built and run."""
    for tool in ("clang", "wasm-ld", "node"):
        require(shutil.which(tool), f"{tool} is not installed")
    return [*_CLANG, *(["-msimd128"] if kind == "simd" else []), f"-Wl,{_libc()}"]


@lru_cache
def _libc() -> Path:
    """Return the object file of the C library."""
    target = Path(_TEMPORARY.name) / "libc.o"
    subprocess.run([*_CLANG, "-c", "-o", str(target), str(_FOLDER / "libc.c")], check=True)
    return target
