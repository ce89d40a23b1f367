"""What binary range coders share: a range of 32 bits that carries as LZMA's does, and digits without probabilities.

A coder adds `bit`, with probabilities of its own: packs (`packs.bits`) and deltas (`delta.coder`) have different ones.
"""

from __future__ import annotations

MASK = 0xFFFFFFFF
SMALLEST_RANGE = 1 << 24


class RangeEncoder:
    """Writes decisions; `bit` of a coder narrows `_low` and `_range` and calls `_normalise`."""

    def __init__(self) -> None:
        self._low, self._range, self._cache, self._pending = 0, MASK, 0, 0
        self._first = True
        self._out = bytearray()

    def plain(self, count: int, value: int) -> int:
        """Code the lowest `count` binary digits of a value, each as likely 0 as 1."""
        for place in reversed(range(count)):
            self._range >>= 1
            self._low += self._range if value >> place & 1 else 0
            self._normalise()
        return value

    def _normalise(self) -> None:
        while self._range < SMALLEST_RANGE:
            self._range = self._range << 8 & MASK
            self._shift()

    def _shift(self) -> None:
        if self._low < 0xFF000000 or self._low > MASK:
            carry = self._low >> 32
            if not self._first:
                self._out.append(self._cache + carry & 0xFF)
            self._out += bytes([0xFF + carry & 0xFF]) * self._pending
            self._first, self._pending, self._cache = False, 0, self._low >> 24 & 0xFF
        else:
            self._pending += 1
        self._low = self._low << 8 & MASK

    def finish(self) -> bytes:
        """Return all that was coded."""
        for _ in range(5):
            self._shift()
        return bytes(self._out)


class RangeDecoder:
    """Reads what a `RangeEncoder` wrote; what lies beyond the end is for a coder to say."""

    _range: int
    _code: int

    def plain(self, count: int, value: int = 0) -> int:
        """Return the next `count` binary digits as an integer."""
        value = 0
        for _ in range(count):
            self._range >>= 1
            one = self._code >= self._range
            self._code -= self._range if one else 0
            value = value << 1 | one
            self._normalise()
        return value

    def _normalise(self) -> None:
        raise NotImplementedError
