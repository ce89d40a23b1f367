"""Zip files from anyone, read within bounds: nothing is taken on the word of the archive's own directory.

`zipfile` unpacks a member before it cuts it to the size that the directory declares, reads a directory of any length,
and lets members share bytes. Here a member comes out in small pieces that are counted, and what would let a small
file stand for a large one is refused before anything is unpacked.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

MAX_DIRECTORY = 32 << 20
"""Largest directory of an archive, in bytes: some 300,000 members with their names."""
_PIECE = 1 << 16  # bytes unpacked at a time
_LOCAL_HEADER = 30  # bytes before a member's name
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # bzip2's and LZMA's readers unpack what they get in one go
_ENCRYPTED = 1  # in a member's flags
_UTF_8 = 0x800  # there, too: its name is UTF-8
_SECOND_NAME = 0x7075  # Info-ZIP's Unicode Path


class ArchiveError(ValueError):
    """The archive is damaged, or asks for more than it may."""


class Archive:
    """A zip file, open for reading; may be used from several threads.

    `sizes` has each member's name, with `/` between its parts, and the bytes that it holds as the archive declares
    them. No more than those ever come out; folders end in `/`. `unmarked` are names, as stored, that are not ASCII and
    of which the archive does not say that they are UTF-8.
    """

    def __init__(self, source: Path | bytes, most: int, encoding: str = "cp437") -> None:
        """Open an archive.

        Args:
          source: a path, or the bytes of a file that ends in an archive.
          most: bytes that all members together may declare.
          encoding: of `unmarked` names; the format's own is that of DOS.

        Raises:
          ArchiveError: it is none, is damaged or hostile, or holds more.
        """
        self._open = ExitStack()
        try:
            file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
            self._open.callback(file.close)
            self._zip = self._open.enter_context(zipfile.ZipFile(_Pieces(file)))  # type: ignore[type-var]
            self._members = _checked(self._zip.infolist(), most, encoding)
            named = ((_unmarked(info), info.extra) for info in self._zip.infolist())
            self.unmarked = tuple(raw for raw, extra in named if raw and not _second_name(extra, raw))
        except Exception as error:  # BadZipFile, OSError, NotImplementedError, UnicodeDecodeError, struct.error
            self.close()
            raise ArchiveError(str(error) or type(error).__name__) from error
        self.sizes = {name: info.file_size for name, info in self._members.items()}

    def read(self, name: str, most: int) -> bytes:
        """Return what a member holds.

        Raises:
          ArchiveError: it is damaged, holds another number of bytes than declared, or more than `most`.
        """
        if self.sizes[name] > most:
            raise ArchiveError(f"it unpacks to {self.sizes[name]:,} bytes; expected at most {most:,}")
        whole = io.BytesIO()  # which hands out its bytes without a second copy
        for piece in self._pieces(name):
            whole.write(piece)
        return whole.getvalue()

    def head(self, name: str) -> bytes:
        """Return the first 64 bytes of a member, or all it has.

        Raises:
          ArchiveError: it is damaged.
        """
        try:
            with self._zip.open(self._members[name]) as member:
                return member.read(64)
        except Exception as error:  # as in `_pieces`
            raise ArchiveError(str(error) or type(error).__name__) from error

    def check(self) -> None:
        """Unpack every member and keep nothing.

        Raises:
          ArchiveError: as `read`.
        """
        for name in self.sizes:
            try:
                deque(self._pieces(name), maxlen=0)
            except ArchiveError as error:
                raise ArchiveError(f"{name}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    __del__ = close

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pieces(self, name: str) -> Iterator[bytes]:
        left = self.sizes[name]
        try:
            with self._zip.open(self._members[name]) as member:
                while piece := member.read(_PIECE):
                    left -= len(piece)
                    yield piece
        except Exception as error:  # zipfile raises zlib.error, NotImplementedError, RuntimeError and more
            raise ArchiveError(str(error) or type(error).__name__) from error
        if left:
            raise ArchiveError(f"it holds {left:,} bytes fewer than it declares")


class _Pieces:
    """A file of which no large piece is read at once: `zipfile` takes a directory of any length whole."""

    def __init__(self, file: io.BufferedIOBase | io.BufferedReader) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(MAX_DIRECTORY + 1 if size < 0 else min(size, MAX_DIRECTORY + 1))
        if len(data) > MAX_DIRECTORY:
            raise ArchiveError(f"its directory has over {MAX_DIRECTORY:,} bytes")
        return data


def is_archive(data: bytes) -> bool:
    """Tell whether the bytes end in something that looks like an archive."""
    return zipfile.is_zipfile(io.BytesIO(data))


def _unmarked(info: zipfile.ZipInfo) -> bytes:
    """Return a name as stored, if it is not ASCII and not marked as UTF-8; else nothing."""
    marked = info.flag_bits & _UTF_8 or info.orig_filename.isascii()
    return b"" if marked else info.orig_filename.encode("cp437")  # which has a character for every byte


def _name(info: zipfile.ZipInfo, encoding: str) -> str:
    raw = _unmarked(info)
    name = (_second_name(info.extra, raw) or raw.decode(encoding)).partition("\0")[0] if raw else info.filename
    return name.replace("\\", "/")


def _second_name(extra: bytes, raw: bytes) -> str:
    """Return the name in UTF-8 that some programs add to one in another encoding, if it belongs to it."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _SECOND_NAME and size > 5 and extra[5:9] == struct.pack("<L", zlib.crc32(raw)):
            return extra[9 : 4 + size].decode()
        extra = extra[4 + size :]
    return ""


def _checked(found: list[zipfile.ZipInfo], most: int, encoding: str) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in found:
        name = _name(info, encoding)
        if fault := _fault(name, info):
            raise ArchiveError(f"it holds {info.filename!r}, which {fault}")
        if members.setdefault(name, info) is not info:
            raise ArchiveError(f"it holds {name!r} twice")
    _refuse_overlaps(found)
    total = sum(info.file_size for info in found)
    if total > most:
        raise ArchiveError(f"it unpacks to {total:,} bytes; expected at most {most:,}")
    return members


def _fault(name: str, info: zipfile.ZipInfo) -> str:
    if not name or name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
        return "points outside"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is packed by method {info.compress_type}; expected stored or deflated"
    return ""


def _refuse_overlaps(found: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, by which a small file can hold any number of large ones."""
    end = 0
    for info in sorted(found, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ArchiveError(f"its member {info.filename!r} shares bytes with another")
        end = info.header_offset + _LOCAL_HEADER + len(info.filename) + info.compress_size
