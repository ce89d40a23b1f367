"""Packs damaged on purpose, with checksums that hold again: the decoders behind the checksums are what is tested."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np

HEADER, ENTRY, DIGEST = 48, 16, 32
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def entries(data: bytes) -> list[list[int]]:
    """Return the table of sections: kind, coding, parts, stored bytes, restored bytes, CRC-32."""
    (count,) = struct.unpack_from("<H", data, 10)
    return [list(struct.unpack_from("<BBHIII", data, HEADER + i * ENTRY)) for i in range(count)]


def contents(data: bytes) -> list[bytes]:
    """Return what each section stores."""
    table = entries(data)
    at, found = HEADER + len(table) * ENTRY, []
    for entry in table:
        found.append(data[at : at + entry[3]])
        at += entry[3]
    return found


def sealed(header: bytes, table: list[list[int]], stored: list[bytes]) -> bytes:
    """Return a pack of these sections whose lengths and checksums hold.

    Args:
      header: the 48 bytes of a pack; the number of sections is set.
      table: as `entries` returns it; stored bytes and CRC-32 are set.
      stored: what each section holds.
    """
    lines = [
        struct.pack("<BBHIII", *entry[:3], len(content), entry[4], zlib.crc32(content))
        for entry, content in zip(table, stored, strict=True)
    ]
    body = b"".join([header[:10], struct.pack("<H", len(table)), header[12:], *lines, *stored])
    return body + hashlib.sha256(body).digest()


def with_section(data: bytes, kind: int, content: bytes, coding: int | None = None, size: int | None = None) -> bytes:
    """Return a pack with the first section of a kind replaced, and checksums that hold."""
    table, stored = entries(data), contents(data)
    place = next(i for i, entry in enumerate(table) if entry[0] == kind)
    stored[place] = content
    table[place][1] = table[place][1] if coding is None else coding
    table[place][4] = table[place][4] if size is None else size
    return sealed(data[:HEADER], table, stored)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a pack with one to three faults in sections, table or header, and checksums that hold."""
    header, table, stored = bytearray(data[:HEADER]), entries(data), contents(data)
    for _ in range(int(rng.integers(1, 4))):
        place, kind = int(rng.integers(len(table))), int(rng.integers(10))
        if kind < 5:
            stored[place] = _scrambled(stored[place], rng)
        elif kind < 7:
            field = int(rng.integers(5))
            table[place][field] = int(rng.choice(NUMBERS)) & (0xFF, 0xFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)[field]
        elif kind < 8:
            table[place], stored[place] = list(table[-1]), stored[-1]
        elif kind < 9 and len(table) > 1:
            del table[place], stored[place]
        else:
            header[int(rng.integers(8, 16))] = int(rng.integers(256))
    return sealed(bytes(header), table, stored)


def _scrambled(content: bytes, rng: np.random.Generator) -> bytes:
    found = bytearray(content or b"\0")
    at, kind = int(rng.integers(len(found))), int(rng.integers(5))
    if kind == 0:
        del found[at:]
    elif kind == 1:
        found[at:at] = rng.bytes(int(rng.integers(1, 9)))
    elif kind == 2:
        found[at : at + 4] = struct.pack("<I", int(rng.choice(NUMBERS)))
    elif kind == 3:
        found[at] = int(rng.integers(256))
    else:
        found[at] ^= 1 << int(rng.integers(8))
    return bytes(found)


def mutants(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged packs whose checksums hold."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield damaged(data, rng)
