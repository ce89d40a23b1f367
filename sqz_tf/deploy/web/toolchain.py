"""The C compiler that makes WebAssembly: Zig's, which pip installs, or Clang with LLD."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqz_tf.base.errors import ConfigError, SqzError

FLAGS = ("-std=c11", "-O3", "-nostdlib", "-ffreestanding", "-mbulk-memory", "-Wl,--no-entry", "-Wl,--strip-all")
PATIENCE = 300  # seconds


class BuildError(SqzError):
    """The compiler failed."""


@dataclass(frozen=True)
class Toolchain:
    """A compiler, as a command that flags and files follow."""

    name: str
    command: tuple[str, ...]

    def build(self, files: Mapping[str, str], flags: Sequence[str]) -> bytes:
        """Return the module of some C files.

        Args:
          files: file name → text.
          flags: besides FLAGS.

        Raises:
          BuildError: it does not compile, or takes too long.
        """
        with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
            folder = Path(place)
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8", newline="\n")
            sources = sorted(name for name in files if name.endswith(".c"))
            self._run([*self.command, *FLAGS, *flags, "-I.", *sources, "-o", "module.wasm"], folder)
            return (folder / "module.wasm").read_bytes()

    def prove(self) -> None:
        """Make sure that the compiler makes modules here.

        Raises:
          BuildError: it does not.
        """
        self.build({"proof.c": '__attribute__((export_name("f"))) int f(void) { return 0; }'}, ())

    def _run(self, command: list[str], folder: Path) -> None:
        caches = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
        try:
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, **caches}, capture_output=True, timeout=PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"{self.name} failed ({error})") from error
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines() or [f"exit code {done.returncode}"]
            raise BuildError(f"{self.name} failed", lines=tuple(lines[:5]))


def find() -> Toolchain:
    """Return the compiler that there is: Zig's before Clang, so that one version makes the same page everywhere.

    Raises:
      ConfigError: there is none.
    """
    zig = importlib.util.find_spec("ziglang")
    if zig and zig.origin:  # not just a folder of that name
        return Toolchain("Zig", (sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"))
    if shutil.which("clang") and shutil.which("wasm-ld"):
        return Toolchain("Clang", ("clang", "--target=wasm32"))
    raise ConfigError(
        "there is no C compiler for WebAssembly here",
        expected="Zig's, or clang and wasm-ld (LLD)",
        fix="run: pip install 'sqz-tf[web]'",
    )
