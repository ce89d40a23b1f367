"""The binary coder of deltas: as that of packs, with probabilities that take two bytes each.

A step of coding is written once, for both directions: a decoder ignores the values that it is given.
"""

from __future__ import annotations

from converters.delta.container import check
from converters.range_coder import MASK, SMALLEST_RANGE, RangeDecoder, RangeEncoder

NUMBER_CONTEXTS, UNARY = 10, 12
SAME, SIDE = NUMBER_CONTEXTS * UNARY, NUMBER_CONTEXTS * UNARY + 32  # where contexts of values begin
FAR, COUNT = SIDE + 8, SIDE + 8 + 64
MOST_DIGITS = 31  # after a number's first
CLASSES = tuple(min(m, 3) if m < 4 else 4 if m < 7 else 5 if m < 13 else 6 if m < 26 else 7 for m in range(129))


class Contexts:
    """The probability of a 0 in each context: 1/65536, with how often it was seen in the two lowest bits."""

    def __init__(self) -> None:
        self.state = [32768] * COUNT

    def bound(self, context: int, range_: int) -> int:
        """Return the part of a range that is a 0's."""
        return (range_ >> 16) * min(max(self.state[context] & ~3, 64), 65472)

    def learn(self, context: int, bit: int) -> None:
        """Take a decision into account."""
        state = self.state[context]
        seen, zero = state & 3, state & ~3
        shift = 5 if seen == 3 else seen + 2
        zero = zero - (zero >> shift) if bit else zero + ((65536 - zero) >> shift)
        self.state[context] = zero & ~3 | min(seen + 1, 3)


class Encoder(RangeEncoder):
    """Writes decisions."""

    def __init__(self) -> None:
        super().__init__()
        self._contexts = Contexts()

    def bit(self, context: int, bit: int) -> int:
        """Code a decision."""
        bound = self._contexts.bound(context, self._range)
        self._contexts.learn(context, bit)
        if bit:
            self._low += bound
            self._range -= bound
        else:
            self._range = bound
        self._normalise()
        return bit


class Decoder(RangeDecoder):
    """Reads what an `Encoder` wrote."""

    def __init__(self, data: bytes) -> None:
        self._data, self._range, self.at = data, MASK, 4
        check(len(data) >= 4, "the update is damaged: its delta is cut off")
        self._code = int.from_bytes(data[:4], "big")
        self._contexts = Contexts()

    def bit(self, context: int, bit: int = 0) -> int:
        """Return the next decision."""
        bound = self._contexts.bound(context, self._range)
        bit = int(self._code >= bound)
        self._contexts.learn(context, bit)
        if bit:
            self._code -= bound
            self._range -= bound
        else:
            self._range = bound
        self._normalise()
        return bit

    def _normalise(self) -> None:
        while self._range < SMALLEST_RANGE:
            check(self.at < len(self._data), "the update is damaged: its delta is cut off")
            self._code, self._range = (self._code << 8 | self._data[self.at]) & MASK, self._range << 8 & MASK
            self.at += 1


Coder = Encoder | Decoder


def number(coder: Coder, context: int, value: int = 0) -> int:
    """Code a number that is not negative."""
    return _number(coder, context * UNARY, UNARY, value)


def signed(coder: Coder, context: int, value: int = 0) -> int:
    """Code a number."""
    coded = number(coder, context, 2 * value if value >= 0 else -2 * value - 1)
    return coded >> 1 if coded % 2 == 0 else -(coded + 1 >> 1)


def _number(coder: Coder, first: int, contexts: int, value: int) -> int:
    digits, place = (value + 1).bit_length() - 1, 0
    check(digits <= MOST_DIGITS, f"a number has {digits + 1} binary digits")
    while coder.bit(first + min(place, contexts - 1), int(place < digits)):
        place += 1
        check(place <= MOST_DIGITS, "the update is damaged: a number is too large")
    return (1 << place | coder.plain(place, value + 1 & (1 << place) - 1)) - 1


class Values:
    """Codes values of int8 after old ones."""

    def __init__(self, coder: Coder) -> None:
        self._coder, self._history = coder, 3

    def after(self, old: int, new: int = 0) -> int:
        """Code a value that was `old`."""
        coder, group = self._coder, CLASSES[abs(old)]
        step = (new - old + 128 & 255) - 128
        same = 1 - coder.bit(SAME + 4 * group + self._history, int(step != 0))
        self._history = (self._history << 1 | same) & 3
        if same:
            return old
        away = coder.bit(SIDE + group, int((step < 0) != (old >= 0)))
        size = 1 + _number(coder, FAR + 8 * group, 8, abs(step) - 1 if step else 0)
        step = -size if (away == 0) == (old >= 0) else size
        return (old + step + 128 & 255) - 128
