"""The container of a pack: header, table of sections, sections, checksums."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from converters.packs.parts import Kind

MAGIC = b"\x89SQZ\r\n\x1a\n"
"""What a pack begins with; like PNG's, it shows what changed line ends or took bytes for text."""
VERSION = 1
LARGEST = 1 << 27
"""Bytes of a `.tflite` that is packed, as `sqz_tf.inference.model_file` reads it."""
MOST_SECTIONS = 4096

_HEADER = struct.Struct("<8sHHI32s")  # magic, version, sections, bytes of the .tflite, its sha256
_ENTRY = struct.Struct("<BBHIII")  # kind, coding, parts, stored bytes, restored bytes, CRC-32 of the stored bytes
_DIGEST = 32


class PackError(ValueError):
    """The pack is damaged, or of a kind that this version does not know."""


def require(condition: object, message: str) -> None:
    """Raise `PackError` unless the condition holds."""
    if not condition:
        raise PackError(f"the pack is damaged: {message}")


@dataclass(frozen=True)
class Section:
    """A section: `parts` of its kind in the order of the file, coded; `size` bytes when decoded."""

    kind: Kind
    coding: int
    parts: int
    stored: bytes
    size: int


@dataclass(frozen=True)
class Container:
    """What a pack holds: its sections, and the length and sha256 of the `.tflite` it stands for."""

    sections: tuple[Section, ...]
    size: int
    digest: bytes

    def of(self, kind: Kind) -> list[Section]:
        """Return the sections of a kind."""
        return [section for section in self.sections if section.kind == kind]


def is_pack(data: bytes) -> bool:
    """Tell whether bytes begin like a pack."""
    return data[: len(MAGIC)] == MAGIC


def write(sections: Sequence[Section], model: bytes) -> bytes:
    """Return the bytes of a pack that stands for a model."""
    header = _HEADER.pack(MAGIC, VERSION, len(sections), len(model), hashlib.sha256(model).digest())
    table = b"".join(
        _ENTRY.pack(each.kind, each.coding, each.parts, len(each.stored), each.size, zlib.crc32(each.stored))
        for each in sections
    )
    body = b"".join([header, table, *(each.stored for each in sections)])
    return body + hashlib.sha256(body).digest()


def overhead(sections: int) -> int:
    """Return the bytes of a pack that are in none of its sections."""
    return _HEADER.size + _ENTRY.size * sections + _DIGEST


def read(data: bytes) -> Container:
    """Return what a pack holds, its checksums tested.

    Raises:
      PackError: it is damaged or of another version.
    """
    require(is_pack(data), f"it begins with {data[:8]!r}, expected {MAGIC!r}")
    require(len(data) >= overhead(0), f"it ends after {len(data):,} bytes")
    _, version, count, size, digest = _HEADER.unpack_from(data)
    if version != VERSION:
        raise PackError(f"the pack is of version {version}; expected {VERSION}: unpack it with a newer sqz-tf")
    require(size <= LARGEST, f"it stands for {size:,} bytes, expected at most {LARGEST:,}")
    require(count <= MOST_SECTIONS and overhead(count) <= len(data), f"its {count:,} sections do not fit in it")
    require(hashlib.sha256(data[:-_DIGEST]).digest() == data[-_DIGEST:], "its sha256 is another")
    return Container(tuple(_sections(data, count, size)), size, digest)


def _sections(data: bytes, count: int, most: int) -> list[Section]:
    entries = [_ENTRY.unpack_from(data, _HEADER.size + i * _ENTRY.size) for i in range(count)]
    at, found = _HEADER.size + count * _ENTRY.size, []
    total = overhead(count) + sum(entry[3] for entry in entries)
    require(total == len(data), f"it has {len(data):,} bytes, expected {total:,}")
    for number, (kind, coding, parts, stored, size, crc) in enumerate(entries):
        require(kind in Kind.__members__.values(), f"section {number} is of the unknown kind {kind}")
        content = data[at : at + stored]
        require(zlib.crc32(content) == crc, f"section {number} ({Kind(kind).name.lower()}) has another CRC-32")
        require(size <= most, f"section {number} stands for {size:,} bytes of {most:,}")
        found.append(Section(Kind(kind), coding, parts, content, size))
        at += stored
    return found
