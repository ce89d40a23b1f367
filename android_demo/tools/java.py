"""Compiling: against the newest classes of Android, against the oldest, and to Dalvik's format."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from android_demo.tools.maven import empty_folder
from android_demo.tools.natives import MIN_SDK
from android_demo.tools.process import BuildError, run

NEWER = "newer"
"""Name of the packages whose classes may call what the oldest Android lacks, behind a look at SDK_INT."""
TOO_NEW = Path(__file__).with_name("TooNew.java")
OURS = ("org.sqztf.*", "com.google.crypto.tink.*")
"""What is in the package besides Android."""


def sources(*folders: Path) -> list[Path]:
    """Return the Java files below some folders, sorted."""
    return sorted(path for folder in folders for path in folder.rglob("*.java"))


def compile_java(files: Sequence[Path], classpath: Iterable[Path], out: Path) -> Path:
    """Compile to Java 8 class files; a warning is an error.

    Returns:
      `out`, made anew.

    Raises:
      BuildError: javac says no.
    """
    empty_folder(out)
    arguments = out.with_name(f"{out.name}.arguments")
    arguments.write_text("\n".join(f'"{path.resolve()}"' for path in files), "utf-8")
    joined = os.pathsep.join(str(path.resolve()) for path in classpath)
    libraries = ["-cp", joined] if joined else []
    lint = "-Xlint:all,-options,-classfile,-processing,-deprecation,-path"
    run("javac", "--release", "8", "-encoding", "UTF-8", lint, "-Werror", "-proc:none", "-g",
        *libraries, "-d", out.resolve(), f"@{arguments.resolve()}", cwd=out.parent)  # fmt: skip
    return out


def compile_for_both(
    files: Sequence[Path], newest: Path, oldest: Path, sniffer: Sequence[Path], libraries: list[Path], work: Path
) -> Path:
    """Compile against the newest Android, then everything but `newer` packages against the oldest too.

    Args:
      sniffer: as for `refuse_too_new`.

    Returns:
      the folder of class files of the first.

    Raises:
      BuildError: a call is unknown to the newest, or too new for the oldest.
    """
    classes = compile_java(files, [newest, *libraries], work / "classes")
    guarded = _only_newer(classes, work / "newer-classes")
    plain = [path for path in files if NEWER not in path.parts]
    refuse_too_new(compile_java(plain, [oldest, guarded, *libraries], work / "classes-oldest"), sniffer)
    return classes


def _only_newer(classes: Path, out: Path) -> Path:
    empty_folder(out)
    for path in sorted(classes.rglob("*.class")):
        if NEWER in path.parts:
            target = out / path.relative_to(classes)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return out


def refuse_too_new(classes: Path, sniffer: Sequence[Path]) -> None:
    """Make sure that nothing is used that the oldest Android lacks, Java's own classes and methods among it.

    javac cannot tell: its Java 8 is whole, Android's is not.

    Args:
      classes: folder or jar of class files.
      sniffer: the signatures of the oldest Android, and the class path of Animal Sniffer.

    Raises:
      BuildError: something is; names every place.
    """
    signatures, *classpath = sniffer
    try:
        run("java", "-cp", os.pathsep.join(map(str, classpath)), TOO_NEW, signatures, classes, *OURS)
    except BuildError as error:
        raise BuildError(f"something is used that Android has only after API {MIN_SDK}; {error}") from error


def dex(dx: Path, inputs: Iterable[Path], out: Path) -> Path:
    """Write `classes.dex` from folders and jars of Java 8 class files.

    Raises:
      BuildError: something in them needs a newer Android.
    """
    run("java", "-cp", dx, "com.android.dx.command.Main", "--dex", f"--min-sdk-version={MIN_SDK}",
        f"--output={out}", *inputs)  # fmt: skip
    return out


def classes_of_aar(aar: Path, folder: Path) -> Path:
    """Return the jar of classes inside an Android library."""
    folder.mkdir(parents=True, exist_ok=True)
    jar = folder / f"{aar.stem}.jar"
    with zipfile.ZipFile(aar) as archive:
        jar.write_bytes(archive.read("classes.jar"))
    return jar
