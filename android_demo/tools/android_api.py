"""Android's own classes in a form that javac reads quickly.

The jars hold all of Android, compiled for Java 21: only public packages are kept, and marked as Java 8, since it is
their signatures that count. Methods that Android hides are still in them; `android.jar` of the SDK leaves them out.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

_PACKAGES = ("android/", "org/json/", "dalvik/", "com/android/internal/annotations/", "com/android/internal/util/")
_JAVA_8 = (52).to_bytes(2, "big")
_MAJOR = slice(6, 8)  # of a class file: magic, minor version, major version


def api_jar(whole: Path) -> Path:
    """Return the jar to compile against, made beside `whole` unless it is there already."""
    jar = whole.with_name(f"{whole.stem}-signatures.jar")
    if jar.is_file():
        return jar
    part = jar.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(part, "w") as target:
        for name in source.namelist():
            if name.startswith(_PACKAGES) and name.endswith(".class"):
                target.writestr(name, as_java_8(source.read(name)))
    part.rename(jar)
    return jar


def as_java_8(class_file: bytes) -> bytes:
    """Return a class file marked as Java 8."""
    return class_file[: _MAJOR.start] + _JAVA_8 + class_file[_MAJOR.stop :]
