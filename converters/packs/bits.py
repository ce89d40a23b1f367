"""An adaptive binary arithmetic coder for a few thousand small integers, one decision after another.

A `range_coder` whose probabilities have 16 bits and adapt faster while they are young.
"""

from __future__ import annotations

from converters.packs.container import PackError, require
from converters.range_coder import MASK, SMALLEST_RANGE, RangeDecoder, RangeEncoder

_ONE = 1 << 16  # a probability of 1
_SLOWEST = 5  # a decision moves its probability by 2^-5 of the distance at last
LONGEST = 32  # binary digits of an integer
_MODELLED = 2  # digits after the first that have probabilities of their own


class _Probabilities:
    """The probability of a 0 in each context, and how often the context was seen."""

    def __init__(self) -> None:
        self.zero: dict[tuple[int, ...], int] = {}
        self.seen: dict[tuple[int, ...], int] = {}

    def get(self, context: tuple[int, ...]) -> int:
        return self.zero.get(context, _ONE // 2)

    def learn(self, context: tuple[int, ...], bit: int) -> None:
        seen, zero = self.seen.get(context, 0), self.get(context)
        shift = min(seen + 1, _SLOWEST)
        self.seen[context] = seen + 1
        self.zero[context] = zero - (zero >> shift) if bit else zero + ((_ONE - zero) >> shift)


def _clamped(zero: int) -> int:
    """Return a probability that leaves room for either decision."""
    return min(max(zero, 64), _ONE - 64)


class Encoder(RangeEncoder):
    """Writes decisions and integers."""

    def __init__(self) -> None:
        super().__init__()
        self._known = _Probabilities()

    def bit(self, context: tuple[int, ...], bit: int) -> int:
        """Code a decision."""
        bound = (self._range >> 16) * _clamped(self._known.get(context))
        self._low, self._range = (self._low + bound, self._range - bound) if bit else (self._low, bound)
        self._known.learn(context, bit)
        self._normalise()
        return bit

    def integer(self, context: int, value: int) -> int:
        """Code a signed integer."""
        return _integer(self, context, value)

    def sized(self, context: int, expected: int, value: int) -> int:
        """Code a signed integer of about `expected` binary digits."""
        return _sized(self, context, expected, value)

    def finish(self) -> bytes:
        """Return all that was coded; zeros at the end are left out, for a decoder reads them there."""
        return super().finish().rstrip(b"\0")


class Decoder(RangeDecoder):
    """Reads what an `Encoder` wrote; beyond the end it reads zeros."""

    def __init__(self, data: bytes) -> None:
        self._data, self._range = data, MASK
        self.at = 4  # the next byte to read
        self._code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self._known = _Probabilities()

    def bit(self, context: tuple[int, ...], bit: int = 0) -> int:
        """Return the next decision."""
        bound = (self._range >> 16) * _clamped(self._known.get(context))
        if self._code < bound:
            bit, self._range = 0, bound
        else:
            bit, self._code, self._range = 1, self._code - bound, self._range - bound
        self._known.learn(context, bit)
        self._normalise()
        return bit

    def integer(self, context: int, value: int = 0) -> int:
        """Return the next signed integer."""
        return _integer(self, context, value)

    def sized(self, context: int, expected: int, value: int = 0) -> int:
        """Return the next signed integer of about `expected` binary digits."""
        return _sized(self, context, expected, value)

    def _normalise(self) -> None:
        while self._range < SMALLEST_RANGE:
            byte = self._data[self.at] if self.at < len(self._data) else 0
            self._code, self._range = (self._code << 8 | byte) & MASK, self._range << 8 & MASK
            self.at += 1

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
          PackError: bytes were not read.
        """
        if self.at < len(self._data):
            raise PackError("the pack is damaged: a section of numbers is longer than what it holds")


def _integer(coder: Encoder | Decoder, context: int, value: int) -> int:
    """Code how many binary digits the magnitude has (one by one), the sign, and the digits, the first few modelled."""
    magnitude, length = abs(value), 0
    while coder.bit((context, 0, length), int(magnitude.bit_length() > length)):
        length += 1
        require(length <= LONGEST, f"a number has over {LONGEST} binary digits")
    if not length:
        return 0
    negative = coder.bit((context, 1), int(value < 0))
    found, rest = 1, length - 1
    for _ in range(min(_MODELLED, rest)):
        rest -= 1
        found = found << 1 | coder.bit((context, 2, length, found), magnitude >> rest & 1)
    found = found << rest | coder.plain(rest, magnitude & ((1 << rest) - 1))
    return -found if negative else found


def _sized(coder: Encoder | Decoder, context: int, expected: int, value: int) -> int:
    """Code the number of a magnitude's binary digits as its difference from what is expected, the sign, the digits."""
    magnitude = abs(value)
    length = expected + coder.integer(context, magnitude.bit_length() - expected)
    require(0 <= length <= LONGEST, f"a number has {length} binary digits")
    if not length:
        return 0
    negative = coder.bit((context, 3), int(value < 0))
    found = 1
    if length > 1:
        found = 2 | coder.bit((context, 4), magnitude >> (length - 2) & 1)
    rest = max(0, length - 2)
    found = found << rest | coder.plain(rest, magnitude & ((1 << rest) - 1))
    return -found if negative else found
