"""The classes of a library that an app needs: those that its own name, and all that these name in turn.

R8, which removes methods too, is on Google's Maven repository only.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

from android_demo.tools.process import BuildError

_UTF8, _LONG, _DOUBLE, _CLASS = 1, 5, 6, 7
_BYTES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of each kind of constant after its kind (The Java Virtual Machine Specification, chapter 4.4)."""
_ELEMENT = re.compile(r"\[+L(.*);")


def needed(library: Path, users: Iterable[bytes], out: Path) -> Path:
    """Write the classes of a library that are needed, and return their jar.

    Args:
      library: a jar.
      users: class files of those who use it.
      out: the jar to write.

    Raises:
      BuildError: nothing of it is used.
    """
    with zipfile.ZipFile(library) as whole:
        names = {name.removesuffix(".class") for name in whole.namelist() if name.endswith(".class")}
        found: dict[str, bytes] = {}
        wanted = {name for user in users for name in classes_named(user)} & names
        while wanted:
            name = wanted.pop()
            found[name] = whole.read(f"{name}.class")
            wanted |= (classes_named(found[name]) & names) - found.keys()
    if not found:
        raise BuildError(f"nothing of {library.name} is used")
    with zipfile.ZipFile(out, "w") as jar:
        for name in sorted(found):
            jar.writestr(zipfile.ZipInfo(f"{name}.class"), found[name])
    return out


def classes_named(class_file: bytes) -> set[str]:
    """Return the names of the classes in a class file's constants, such as `java/lang/String`.

    Raises:
      BuildError: it is no class file.
    """
    if class_file[:4] != b"\xca\xfe\xba\xbe":
        raise BuildError("a class file does not begin as one")
    texts: dict[int, bytes] = {}
    classes: list[int] = []
    (count,), at, number = struct.unpack_from(">H", class_file, 8), 10, 1
    while number < count:
        kind = class_file[at]
        if kind == _UTF8:
            (size,) = struct.unpack_from(">H", class_file, at + 1)
            texts[number] = class_file[at + 3 : at + 3 + size]
            at += 3 + size
        elif kind in _BYTES:
            if kind == _CLASS:
                classes.append(struct.unpack_from(">H", class_file, at + 1)[0])
            at += 1 + _BYTES[kind]
        else:
            raise BuildError(f"a class file has a constant of kind {kind}")
        number += 2 if kind in (_LONG, _DOUBLE) else 1
    return {_ELEMENT.sub(r"\1", texts[each].decode()) for each in classes}
