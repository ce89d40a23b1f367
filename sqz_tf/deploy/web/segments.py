"""Taking a data segment out of a WebAssembly module (WebAssembly Core Specification 2.0, chapter 5)."""

from __future__ import annotations

from dataclasses import dataclass

MAGIC = b"\0asm\1\0\0\0"
_DATA = 11  # the section's number
_I32_CONST, _END = 0x41, 0x0B


@dataclass(frozen=True)
class Segment:
    """Bytes that a module puts into its memory, and where."""

    at: int
    content: bytes


def take_last_segment(module: bytes) -> tuple[bytes, Segment]:
    """Return a module without its last data segment, and that segment.

    Args:
      module: as a linker writes it, with active segments alone.

    Raises:
      ValueError: it is no such module.
    """
    if not module.startswith(MAGIC):
        raise ValueError("no WebAssembly module")
    at = len(MAGIC)
    while at < len(module):
        number, (size, start) = module[at], _unsigned(module, at + 1)
        if number == _DATA:
            kept, segment = _parted(module[start : start + size])
            rest = module[start + size :]
            return module[: at + 1] + _leb(len(kept)) + kept + rest, segment
        at = start + size
    raise ValueError("a module without data")


def _parted(section: bytes) -> tuple[bytes, Segment]:
    """Return a data section without its last segment, and that segment."""
    count, at = _unsigned(section, 0)
    first = last = at
    segment = None
    for _ in range(count):
        last = at
        segment, at = _segment(section, at)
    if segment is None or at != len(section):
        raise ValueError("a data section that is not understood")
    return _leb(count - 1) + section[first:last], segment


def _segment(section: bytes, at: int) -> tuple[Segment, int]:
    """Return the segment that begins there, and where it ends."""
    if section[at : at + 2] != bytes([0, _I32_CONST]):
        raise ValueError("a data segment that is not active at a constant")
    offset, at = _unsigned(section, at + 2)  # the linker's are positive, and padded or not
    if section[at] != _END:
        raise ValueError("a data segment whose place is computed")
    size, at = _unsigned(section, at + 1)
    return Segment(offset, section[at : at + size]), at + size


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Return a LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def _leb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
