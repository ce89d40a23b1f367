"""Taking the weights out of a WebAssembly module."""

from __future__ import annotations

import pytest

from sqz_tf.deploy.web.segments import MAGIC, Segment, take_last_segment

MEMORY = bytes([5, 3, 1, 0, 2])  # a section: one memory of two pages


def module(*segments: tuple[int, bytes], after: bytes = b"") -> bytes:
    """Return a module with data segments at small places, of few bytes."""
    each = [bytes([0, 0x41, at, 0x0B, len(content)]) + content for at, content in segments]
    section = bytes([len(segments)]) + b"".join(each)
    return MAGIC + MEMORY + bytes([11, len(section)]) + section + after


def test_the_last_segment_is_taken_and_the_others_stay() -> None:
    whole = module((8, b"table"), (16, b"weights"), after=bytes([0, 1, 0]))
    kept, segment = take_last_segment(whole)
    assert segment == Segment(16, b"weights")
    assert kept == module((8, b"table"), after=bytes([0, 1, 0]))


def test_numbers_of_several_bytes_are_read_and_written() -> None:
    content = bytes(300)
    section = b"\x01" + b"\x00\x41\x80\x80\xc0\x00\x0b\xac\x02" + content
    kept, segment = take_last_segment(
        MAGIC + b"\x0b" + bytes([0x80 | len(section) % 128, len(section) // 128]) + section
    )
    assert segment == Segment(1 << 20, content)
    assert kept == MAGIC + b"\x0b\x01\x00"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"not wasm", "no WebAssembly"),
        (MAGIC + MEMORY, "without data"),
        (MAGIC + bytes([11, 1, 0]), "not understood"),
        (MAGIC + bytes([11, 4, 1, 1, 1, 0]), "not active"),
        (MAGIC + bytes([11, 6, 1, 0, 0x41, 8, 0x23, 0]), "computed"),
    ],
)
def test_what_is_no_such_module_is_refused(bad: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        take_last_segment(bad)
