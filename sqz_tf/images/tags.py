"""Directories of tags, as in TIFF files and EXIF blocks, checked before Pillow reads them.

Pillow copies out the value of each tag, and nothing keeps thousands of tags from sharing one large value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of each type
_MOST_ENTRIES = 100_000
_INNER = (0x014A, 0x8769, 0x8825, 0xA005)  # tags that lead to another directory


def are_sound(data: bytes) -> bool:
    """Tell whether the values of each directory in the bytes fit into them side by side.

    Args:
      data: a file that holds directories anywhere, or such a block.
    """
    left = _MOST_ENTRIES
    for start in _starts(data):
        block = memoryview(data)[start:]
        waiting, seen = [_first(block)], set[int]()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            total = 0
            for tag, size, value in _entries(block, at):
                left -= 1
                total += size
                if left < 0 or total > len(data):
                    return False
                waiting += [value] * (tag in _INNER)
    return True


def _starts(data: bytes) -> Iterator[int]:
    for mark in _MARKS:
        at = data.find(mark)
        while at >= 0:
            yield at
            at = data.find(mark, at + 1)


def _shape(block: memoryview) -> tuple[str, str, int]:
    """Return byte order, the code of an offset, and the bytes of a value that lies in its entry."""
    order = "<" if block[:1] == b"I" else ">"
    return (order, "Q", 8) if b"+" in bytes(block[2:4]) else (order, "L", 4)


def _first(block: memoryview) -> int:
    order, offset, inline = _shape(block)
    try:
        return int(struct.unpack_from(order + offset, block, inline)[0])
    except struct.error:
        return 0


def _entries(block: memoryview, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield tag, bytes of the value and the value as an offset, of the entries whose values Pillow would copy."""
    order, offset, inline = _shape(block)
    count = "Q" if inline == 8 else "H"
    entry = f"{order}HH{offset}{offset}"
    try:
        (length,) = struct.unpack_from(order + count, block, at)
        at += struct.calcsize(order + count)
        for _ in range(length):
            tag, kind, values, value = struct.unpack_from(entry, block, at)
            at += struct.calcsize(entry)
            size = values * _BYTES.get(kind, 0)
            if size <= inline or value + size <= len(block):
                yield tag, size, value
    except struct.error:  # it ends here
        return
