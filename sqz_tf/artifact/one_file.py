"""One file of a command's output: written whole or not at all; only its own kind is ever replaced."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqz_tf.base.errors import OutputError

BEGINNING = 64  # bytes that tell what a file is


def write_file(path: Path, data: bytes, ours: Callable[[bytes], bool], overwrite: bool = False) -> None:
    """Write a file; missing parents are made.

    Args:
      path: where.
      data: what it will hold.
      ours: whether a file that begins with these bytes is of the kind that is written.
      overwrite: whether a file of that kind may be replaced.

    Raises:
      OutputError: something else is there, or the disk refuses.
    """
    with writing(path):
        check_place(path, ours, overwrite)
        with beside(path) as folder:
            new = folder / "new"
            new.write_bytes(data)
            os.replace(new, path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise OutputError where the disk refuses what a command writes at `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path} ({error.strerror or error})",
            expected="a place this user may write to, with room",
            fix="choose another --out",
        ) from error


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a folder, removed afterwards, to make in what will be renamed to `path`; missing parents are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sqz-tf-", dir=path.parent) as folder:
        yield Path(folder)


def check_place(path: Path, ours: Callable[[bytes], bool], overwrite: bool) -> None:
    """Raise OutputError if `write_file` would refuse what is there."""
    if not os.path.lexists(path):
        return
    if path.is_symlink():
        raise OutputError(f"{path} is a link to {os.path.realpath(path)}", fix="give that, or choose another --out")
    if not path.is_file() or not ours(_beginning(path)):
        raise OutputError(f"{path} exists and was not written by this command", fix="choose another --out")
    if not overwrite:
        raise OutputError(f"{path} exists", fix="add --overwrite to replace it, or choose another --out")


def refuse_input(path: Path, given: Path) -> None:
    """Raise OutputError if what is written would take the place of what is read."""
    if path.exists() and given.exists() and path.samefile(given):
        raise OutputError(f"{path} is the file that is read", fix="choose another --out")


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(BEGINNING)
