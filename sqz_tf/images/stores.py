"""Files below one root: a folder, or a zip file that is never unpacked as a whole."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from converters import foreign
from converters.archive import Archive, ArchiveError
from sqz_tf.base.encodings import Guess, guess, is_encoding
from sqz_tf.base.errors import ConfigError, DataError, translated
from sqz_tf.base.folders import read_inside, walk
from sqz_tf.base.text import some
from sqz_tf.images.clutter import clutter_in, clutter_note, is_clutter

TABLE = "labels.csv"
"""The one table that is read, in any case."""
MAX_ZIP_BYTES = 64 << 30
"""Largest sum of uncompressed sizes in a zip file."""
MAX_ZIP_RATIO = 100
"""Largest ratio of uncompressed size to the zip file's size; pictures hardly shrink, bombs do."""
_SMALL_ZIP_BYTES = 64 << 20  # below this no ratio is a danger, and drawings of one colour do shrink a lot


class Store(Protocol):
    """Files below one root: `names` of files and `folders`, both with `/` between parts; `notes` what is left out."""

    names: tuple[str, ...]
    folders: set[str]
    notes: tuple[str, ...]

    def size(self, name: str) -> int:
        """Return the bytes that `read` will give at most."""

    def read(self, name: str, most: int) -> bytes:
        """Return a file's bytes, or raise nearly anything if it has more than `most`."""

    def head(self, name: str) -> bytes:
        """Return the first bytes of a file, some dozens at least if it has them; nothing if it cannot be read."""


def open_store(path: Path, zip_encoding: str = "") -> Store:
    """Open a folder or a `.zip`.

    Args:
      path: of the folder or file.
      zip_encoding: of the names in a `.zip` that does not say it; guessed if empty, with a note.

    Raises:
      DataError: neither, or a zip that is damaged or hostile.
      ConfigError: there is no such encoding.
    """
    if zip_encoding and not is_encoding(zip_encoding):
        raise ConfigError(f"--zip-encoding is {zip_encoding!r}", expected="an encoding such as cp932, gb18030 or cp866")
    if not path.exists():
        raise DataError(f"{path} does not exist", expected="a folder of pictures or a .zip")
    if path.is_dir():
        return _Folder(path)
    _refuse_other_files(path)
    return _Zip(path, zip_encoding)


_TAR = slice(257, 262)


def _refuse_other_files(path: Path) -> None:
    """Refuse a file that is no `.zip`, by what it is."""
    wanted = "a folder of pictures or a .zip"
    if not path.is_file():  # reading a pipe would wait for whoever writes into it
        raise DataError(f"{path} is a pipe or device", expected=wanted)
    with translated(DataError, f"{path} cannot be read", of=(OSError,)), open(path, "rb") as file:
        head = file.read(_TAR.stop)
    if foreign.is_pointer(head):
        raise DataError(f"{path} is {foreign.LEFT}", expected=wanted, fix=foreign.PULL)
    known = [kind for mark, kind in foreign.ARCHIVES.items() if head.startswith(mark)]
    if kind := "tar" if head[_TAR] == b"ustar" else "".join(known):
        raise DataError(f"{path} is a {kind} archive", expected=wanted, fix="unpack it first, and give the folder")
    if path.suffix.lower() != ".zip":
        fix = "call it .zip" if head.startswith(b"PK\3\4") else ""
        fix = f"give {path.parent}, which it lies in" if path.name.lower() == TABLE else fix
        raise DataError(f"{path} is a file", expected=wanted, fix=fix)


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        left_out = Counter[str]()

        def skip(name: str) -> bool:
            left_out[name] += (clutter := is_clutter(name))
            return clutter

        found = walk(root, skip=skip)
        self._stored = {_in_utf_8(name): name for name in found.files}
        self.names, self.folders = tuple(sorted(self._stored)), set(map(_in_utf_8, found.folders))
        self.notes = (*found.notes, *clutter_note(+left_out))

    def size(self, name: str) -> int:
        return os.stat(self.root / self._stored[name]).st_size

    def read(self, name: str, most: int) -> bytes:
        return read_inside(self.root, self._stored[name], most)

    def head(self, name: str) -> bytes:
        try:
            with open(self.root / self._stored[name], "rb") as file:
                return file.read(64)
        except OSError:
            return b""


def _in_utf_8(name: str) -> str:
    """Return a file's name read as UTF-8 if it can be, whatever encoding the system's language has names in."""
    if sys.getfilesystemencoding() == "utf-8":
        return name
    try:
        return os.fsencode(name).decode()
    except UnicodeError:
        return name


class _Zip:
    def __init__(self, path: Path, encoding: str) -> None:
        self.archive, notes = _opened(path, encoding)
        _refuse_bomb(path, self.archive.sizes)
        clutter = {name: part for name in self.archive.sizes if (part := clutter_in(name))}
        kept = sorted(name for name in self.archive.sizes if name not in clutter)
        left_out = {_up_to(name, part) for name, part in clutter.items()}
        self.names = tuple(name for name in kept if not name.endswith("/"))
        self.folders = {name.rstrip("/") for name in kept if name.endswith("/")}
        self.folders |= {name.rsplit("/", 1)[0] for name in self.names if "/" in name}
        self.notes = (*notes, *clutter_note(Counter(name.rsplit("/", 1)[-1] for name in left_out)))

    def size(self, name: str) -> int:
        return self.archive.sizes[name]

    def read(self, name: str, most: int) -> bytes:
        return self.archive.read(name, most)

    def head(self, name: str) -> bytes:
        try:
            return self.archive.head(name)
        except ArchiveError:
            return b""


def _up_to(name: str, part: str) -> str:
    parts = name.split("/")
    return "/".join(parts[: parts.index(part) + 1])


def _opened(path: Path, encoding: str) -> tuple[Archive, tuple[str, ...]]:
    """Open an archive, its names read as said, or as they most likely are."""
    archive = _archive(path, encoding or "cp437")
    if encoding or not archive.unmarked:
        return archive, ()
    raw = archive.unmarked
    parts = sorted({part for name in raw for part in name.split(b"/") if not part.isascii()})
    guessed = guess(parts) or Guess("cp437")
    if guessed.encoding != "cp437":
        archive.close()
        archive = _archive(path, guessed.encoding)
    return archive, (_encoding_note(raw, parts[0], guessed),)


def _archive(path: Path, encoding: str) -> Archive:
    try:
        return Archive(path, MAX_ZIP_BYTES, encoding)
    except ArchiveError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            fix = "give another --zip-encoding, or none to have it guessed"
            raise DataError(f"{path} holds names that are not {encoding}", fix=fix) from error
        raise DataError(
            f"{path} cannot be opened as a zip file ({error})",
            expected="a whole .zip of pictures",
            fix="make the zip file again, or unpack it yourself if you trust it and give the folder",
        ) from error


def _encoding_note(raw: tuple[bytes, ...], example: bytes, guessed: Guess) -> str:
    encoding = guessed.encoding
    folders = sorted({name.decode(encoding).rpartition("/")[0] or name.decode(encoding) for name in raw})
    sure = encoding == "utf-8"
    how = "are UTF-8 by their bytes" if sure else f"are taken for {encoding}"
    return (
        f"{'' if sure else 'warning: '}names in the zip file do not say their encoding and {how}: {some(folders)}; if "
        f"they look wrong, say it by --zip-encoding{guessed.instead(example)}"
    )


def _refuse_bomb(path: Path, sizes: Mapping[str, int]) -> None:
    """Refuse an archive that is far smaller than what it holds: no more than it declares can come out."""
    total = sum(sizes.values())
    ratio = total / max(1, path.stat().st_size)
    if total > _SMALL_ZIP_BYTES and ratio > MAX_ZIP_RATIO:
        raise DataError(
            f"{path} unpacks to {total:,} bytes, {ratio:.0f} times its size",
            expected=f"at most {MAX_ZIP_RATIO} times",
            fix="unpack it yourself if you trust it, and give the folder",
        )
