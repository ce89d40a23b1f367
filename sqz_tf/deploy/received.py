"""A compiled model's folder, which may be a stranger's: the compiler's own files are taken from it, and nothing else.

A model's files begin with a mark, which anybody can copy; it keeps other people's sources from being built by mistake.
The C library's files must be this version's, byte for byte; sqz_names.h as it is written for such a folder, or empty.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from converters.compiler import model_name
from converters.compiler.back.c import library
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.deploy.c_folder import MARK

WEIGHTS = "_weights.c"
ENDINGS = (".h", ".c", "_weights.h", WEIGHTS, "_labels.h", "_labels.c")
NEEDED = (".h", ".c", WEIGHTS)
LARGEST = 512 << 20  # bytes of a file: about six a weight
LARGEST_HEADER = 1 << 20


class FolderError(SqzError):
    """A folder is not what the compiler wrote."""


def name_of(folder: Path) -> str:
    """Return the name of the model in a folder.

    Raises:
      FolderError: it holds none, several, or one whose name the compiler gives to none.
    """
    if not folder.is_dir():
        raise FolderError(
            f"{folder} is a file" if folder.exists() else f"there is no folder {folder}",
            expected="a folder that python -m sqz_tf.compile wrote",
        )
    names = sorted(path.name.removesuffix(WEIGHTS) for path in folder.glob(f"*{WEIGHTS}"))
    if len(names) != 1:
        package = any((folder / "src").glob(f"*{WEIGHTS}"))
        raise FolderError(
            f"{folder} holds {len(names) or 'no'} compiled models",
            expected=f"one NAME{WEIGHTS}",
            fix=f"give {folder / 'src'}" if package else "compile it with python -m sqz_tf.compile",
        )
    with translated(FolderError, f"{folder} is not what the compiler wrote", fix="compile the model again"):
        return model_name(names[0])


def header_text(folder: Path) -> str:
    """Return NAME.h of a folder.

    Raises:
      FolderError: see `name_of`; or it cannot be read.
    """
    path = folder / f"{name_of(folder)}.h"
    again = "compile the model again"
    with translated(FolderError, f"{path.name} cannot be read", fix=again, of=(OSError, ValueError)):
        return _read(path, LARGEST_HEADER).decode("utf-8")


def copy(folder: Path, to: Path) -> None:
    """Copy the compiler's own files of a folder into another, which is made.

    Raises:
      FolderError: one is missing, was changed, or is no file.
    """
    name = name_of(folder)
    to.mkdir()
    for ending in ENDINGS:
        if ending in NEEDED or os.path.lexists(folder / f"{name}{ending}"):
            (to / f"{name}{ending}").write_bytes(_own(folder / f"{name}{ending}"))
    with translated(FolderError, "the firmware cannot be built"):
        sources = sorted((library.root() / "src").glob("*.[ch]"))
        texts = {path.name: path.read_text(encoding="utf-8") for path in sources if os.path.lexists(folder / path.name)}
    for file, text in texts.items():
        as_written = [text, library.names_header(texts, name)] if file == library.NAMES else [text]
        (to / file).write_bytes(_same(folder / file, [each.encode() for each in as_written]))


def _own(path: Path) -> bytes:
    data = _checked(path)
    if not data.startswith(MARK.encode()):
        raise FolderError(f"{path} was not written by the compiler", fix="compile the model again")
    return data


def _same(path: Path, texts: Collection[bytes]) -> bytes:
    found = _checked(path)
    if found not in texts:
        raise FolderError(f"{path} is not this version's", fix="compile the model again")
    return found


def _checked(path: Path) -> bytes:
    with translated(FolderError, f"{path} cannot be read", fix="compile the model again", of=(OSError, ValueError)):
        return _read(path, LARGEST)


def _read(path: Path, largest: int) -> bytes:
    """Read a plain file, without following a link or waiting for a pipe."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path.name} is no plain file")
        if status.st_size > largest:
            raise ValueError(f"{path.name} has {status.st_size:,} bytes, more than {largest:,}")
        return file.read(largest)
