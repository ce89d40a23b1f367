"""Apply an update to what is there: the reference of `mcu/src/sqz_update.c`."""

from __future__ import annotations

import hashlib

from converters.delta.coder import Decoder, Values, number, signed
from converters.delta.container import DELTA, HEADER_BYTES, check, read_header
from converters.delta.recode import code, code_shape, put_together, take_apart
from converters.delta.write import CHANGE, COMMAND, COPY, END, FILL, INSERT, LENGTH, PLACE, RECODE


def apply(update: bytes, old: bytes | None = None) -> bytes:
    """Return the result of an update; its signature is the caller's to check.

    Args:
      update: all of its bytes.
      old: what a delta is against.

    Raises:
      DeltaError: it is damaged, or against something else.
    """
    header = read_header(update)
    body = update[HEADER_BYTES:]
    check(len(body) == header.body_bytes, f"the update has {len(body)} bytes of body, expected {header.body_bytes}")
    result = body
    if header.body == DELTA:
        given = old or b""
        same = len(given) == header.old_bytes and hashlib.sha256(given).digest() == header.old_sha256
        check(same, "the update is against another result than the one given")
        result = patched(body, given, header.image_bytes)
    check(len(result) == header.image_bytes, "the update makes a result of another size than it says")
    check(hashlib.sha256(result).digest() == header.sha256, "the update is damaged: its result is not what it says")
    return result


def patched(body: bytes, old: bytes, most: int) -> bytes:
    """Return what a delta makes of an older result, at most so many bytes."""
    coder, out, at = Decoder(body), bytearray(), 0
    values = Values(coder)
    while (command := number(coder, COMMAND)) != END:
        check(command <= FILL, "the update is damaged: no such command")
        reads = command not in (INSERT, FILL)
        at += signed(coder, PLACE) if reads else 0
        check(0 <= at <= len(old), "the update is damaged: it reads beside what there is")
        if command == RECODE:
            before, after = code_shape(coder)
            section = take_apart(old[at:], before)
            out += put_together(code(coder, values, section, after))
            at += section.size
        else:
            size = number(coder, LENGTH)
            check(len(out) + size <= most, "the update is damaged: it makes more than it says")
            check(not reads or at + size <= len(old), "the update is damaged: it reads beside what there is")
            out += _made(coder, values, command, old[at : at + size], size)
            at += size if reads else 0
        check(len(out) <= most, "the update is damaged: it makes more than it says")
    check(coder.at == len(body), "the update is damaged: bytes are left over")
    return bytes(out)


def _made(coder: Decoder, values: Values, command: int, before: bytes, size: int) -> bytes:
    if command == COPY:
        return before
    if command == CHANGE:
        return bytes(values.after((byte + 128 & 255) - 128) & 255 for byte in before)
    if command == FILL:
        return bytes([coder.plain(8)]) * size
    assert command == INSERT
    return bytes(coder.plain(8) for _ in range(size))
