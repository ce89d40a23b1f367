"""Native libraries: TFLite's as it comes, and the kit's own, compiled by Debian's clang without Android's NDK.

What the kit's C needs of Android's C library is four functions: libraries to link against are made of names alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from android_demo.tools.maven import empty_folder
from android_demo.tools.process import DEMO, BuildError, run
from converters.compiler import compile_model

SOURCES = DEMO / "native"
PAGE = 16 * 1024
"""Segments of 64-bit libraries are aligned to it, for devices with pages of this size."""
MIN_SDK = 24
FAST, EXACT, TFLITE = "libsqz_fast.so", "libsqz_exact.so", "libjnitensorflowlite.so"
_LIBC = ("memcpy", "memset", "calloc", "free", "getauxval")
_EABI = ("__aeabi_memcpy", "__aeabi_memcpy4", "__aeabi_memset", "__aeabi_memclr", "__aeabi_memclr4")
_CODE = ("-std=c11", "-nostdlibinc", "-O2", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
         "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-Werror")  # fmt: skip
_LINK = ("-shared", "-nostdlib", "-fuse-ld=lld", "-s", "-Wl,--gc-sections", "-Wl,--no-undefined", "-Wl,-z,now",
         "-Wl,-z,relro", f"-Wl,-z,max-page-size={PAGE}", "-Wl,--hash-style=both")  # fmt: skip


@dataclass(frozen=True)
class Abi:
    """A kind of processor as Android calls it, clang's name of it, whether there is a TFLite for it, and the compiler's
    target.
    """

    name: str
    clang: tuple[str, ...]
    bits: int
    tflite: bool
    target: str = "generic"

    @property
    def libraries(self) -> tuple[str, ...]:
        """Names of the libraries that a package has for it."""
        return (EXACT, FAST, TFLITE) if self.tflite else (EXACT,)


ABIS = {
    abi.name: abi
    for abi in (
        Abi("arm64-v8a", (f"--target=aarch64-linux-android{MIN_SDK}",), 64, True, "aarch64"),
        Abi("x86_64", (f"--target=x86_64-linux-android{MIN_SDK}",), 64, True),
        Abi("armeabi-v7a", (f"--target=armv7a-linux-androideabi{MIN_SDK}", "-mthumb", "-mfpu=neon"), 32, False),
    )
}


def native_libraries(models: Mapping[str, bytes], abis: Sequence[str], jars: Sequence[Path], work: Path) -> Libraries:
    """Build or unpack the native libraries of a package.

    Args:
      models: name → bytes of each bundled `.tflite`.
      abis: some of ABIS.
      jars: TFLite for Android, `lib/ABI/…` in it.
      work: folder to work in; made anew.

    Raises:
      BuildError: clang says no, or a library is not in the jars.
    """
    empty_folder(work)
    without: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for abi in (ABIS[name] for name in abis):
        folder = work / abi.name
        folder.mkdir()
        sources, without = exact_sources(models, folder / "exact", abi.target)
        build_exact(abi, sources, folder)
        if abi.tflite:
            (folder / TFLITE).write_bytes(_unpack(jars, f"lib/{abi.name}/{TFLITE}"))
            build_fast(abi, folder)
        files |= {f"lib/{abi.name}/{name}": (folder / name).read_bytes() for name in abi.libraries}
    return Libraries(files, without)


@dataclass(frozen=True)
class Libraries:
    """Path in the package → bytes of each library; and of models that have no C, name → why."""

    files: Mapping[str, bytes]
    without: Mapping[str, str]


def exact_sources(models: Mapping[str, bytes], folder: Path, target: str) -> tuple[list[Path], dict[str, str]]:
    """Write the C for a target of each model that can be compiled, and the table of them.

    Returns:
      the C files, and of each other model why it has none.
    """
    found: dict[str, str] = {}
    without: dict[str, str] = {}
    empty_folder(folder)
    for number, (name, model) in enumerate(models.items()):
        own = f"model{number}"
        try:
            texts = compile_model(model, own, target)
        except ValueError as error:
            without[name] = str(error)
            continue
        (folder / own).mkdir()
        for file, text in texts.items():
            (folder / own / file).write_text(text, "utf-8")
        found[own] = _sha256(model)
    (folder / "exact_models.c").write_text(_table(found), "utf-8")
    return sorted(folder.rglob("*.c")), without


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _table(models: Mapping[str, str]) -> str:
    """Return the table that exact.h declares: C name of each model → its SHA-256."""
    lines = [f'#include "{name}/{name}.h"' for name in models]
    lines += ['#include "exact.h"', ""]
    for name in models:
        lines += [f"static int {name}(void *arena, const int8_t *input, int8_t *output) {{",
                  f"    return {name}_invoke(arena, input, output);", "}", ""]  # fmt: skip
    lines.append("const sqz_exact_model sqz_exact_models[] = {")
    for name, digest in models.items():
        sizes = ", ".join(f"{name.upper()}_{what}_BYTES" for what in ("ARENA", "INPUT", "OUTPUT"))
        lines.append(f'    {{"{digest}", {name}, {sizes}}},')
    lines += ["    {0},", "};", f"const int sqz_exact_count = {len(models)};", ""]
    return "\n".join(lines)


def build_exact(abi: Abi, sources: Sequence[Path], folder: Path) -> Path:
    """Compile and link the library of compiled models in `folder`."""
    own = [SOURCES / "exact.c", *([SOURCES / "divide.c"] if abi.bits == 32 else [])]
    return _link(abi, [*own, *sources], [], folder / EXACT)


def build_fast(abi: Abi, folder: Path) -> Path:
    """Compile and link the library that calls TFLite's, which is in `folder`, as this one will be."""
    return _link(abi, [SOURCES / "fast.c"], [folder / TFLITE], folder / FAST)


def _link(abi: Abi, sources: Sequence[Path], libraries: Sequence[Path], out: Path) -> Path:
    libc = _names("libc.so", (*_LIBC, *(_EABI if abi.bits == 32 else ())), abi, out.parent)
    java = java_headers()
    headers = ("-isystem", SOURCES / "include", "-isystem", java, "-isystem", java / "linux", "-I", SOURCES)
    run("clang", *abi.clang, *_CODE, *headers, *_LINK, f"-Wl,-soname,{out.name}", "-o", out,
        SOURCES / "load.c", *sources, *libraries, libc)  # fmt: skip
    return out


def _names(soname: str, names: Sequence[str], abi: Abi, folder: Path) -> Path:
    """Return a library with these functions, to link against only."""
    out = folder / "names" / soname
    if not out.is_file():
        out.parent.mkdir()
        source = out.with_suffix(".c")
        source.write_text("".join(f"void {name}(void) {{}}\n" for name in names), "utf-8")
        run("clang", *abi.clang, "-w", "-fno-builtin", "-fPIC", "-shared", "-nostdlib", "-fuse-ld=lld",
            f"-Wl,-soname,{soname}", "-o", out, source)  # fmt: skip
    return out


def java_headers() -> Path:
    """Return the folder of jni.h, which is the JDK's: Android's has the same functions in the same order."""
    javac = shutil.which("javac")
    folder = Path(os.path.realpath(javac)).parents[1] / "include" if javac else Path()
    if not (folder / "jni.h").is_file():
        raise BuildError(f"there is no {folder / 'jni.h'}; expected a JDK (openjdk-17-jdk-headless)")
    return folder


def _unpack(jars: Sequence[Path], name: str) -> bytes:
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            if name in archive.namelist():
                return archive.read(name)
    raise BuildError(f"{name} is in none of {', '.join(jar.name for jar in jars)}")
