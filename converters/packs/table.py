"""The table of parts: where each lies and what form it has, as variable-length integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from converters.packs.container import require
from converters.packs.parts import PART_KINDS, Kind, Part

_ROWS_LAST = 0x80  # set in a part's kind
MOST_PARTS = 1 << 14
_LONGEST = 5  # bytes of an integer
_LONGEST_PART = 30


def integer(value: int) -> bytes:
    """Return a non-negative integer below 2^35, seven bits a byte, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def integers(data: bytes) -> Iterator[int]:
    """Yield the integers of a text of them."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
        require(shift < 7 * _LONGEST, "a number in the table of parts is too long")
    require(shift == 0, "the table of parts ends within a number")


def write(parts: Sequence[Part]) -> bytes:
    """Return the table of a file's parts: for each kind, gap since the last one's end, rows; of weights height,
    width, inner."""
    out, end = [], 0
    for part in parts:
        form = (part.rows, part.height, part.width, part.inner) if part.kind == Kind.WEIGHTS else (part.rows,)
        out += [part.kind | _ROWS_LAST * part.rows_last, part.start - end, *form]
        end = part.end
    return b"".join(map(integer, out))


def read(data: bytes, size: int) -> list[Part]:
    """Return the parts of a file of `size` bytes.

    Raises:
      PackError: the table is damaged, or its parts do not fit the file.
    """
    require(len(data) <= MOST_PARTS * _LONGEST_PART, "the table of parts is too long")
    numbers, parts, end = integers(data), list[Part](), 0
    for first in numbers:
        kind, rows_last = first & ~_ROWS_LAST, bool(first & _ROWS_LAST)
        require(kind in PART_KINDS, f"a part is of the unknown kind {kind}")
        gap, rows = next(numbers, 0), next(numbers, 0)
        height, width, inner = (next(numbers, 0) for _ in range(3)) if kind == Kind.WEIGHTS else (1, 1, 1)
        part = Part(Kind(kind), end + gap, rows, height, width, inner, rows_last)
        require(part.size > 0 and part.end <= size, f"a part ends at {part.end:,} of {size:,} bytes")
        require(len(parts) < MOST_PARTS, f"it has over {MOST_PARTS:,} parts")
        parts.append(part)
        end = part.end
    return parts
