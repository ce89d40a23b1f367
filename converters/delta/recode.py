"""A section of compressed weights told by an older one of the same groups, in either direction."""

from __future__ import annotations

from dataclasses import dataclass, field

from converters.delta.coder import Coder, Values, number, signed
from converters.delta.container import check
from converters.delta.pieces import Packed

SHAPE, MASK_LENGTH, VALUE_LENGTH, PAIR, BIAS, SCALE = 3, 4, 5, 6, 7, 8  # contexts of numbers
LONGEST, NONE = 10, 15
MASKS = 16
MOST_PAIRS = 256
Lengths = list[int]  # bits of each symbol's code, NONE for one that is not there


@dataclass
class Section:
    """A section taken apart.

    Attributes:
      packed: its groups and widths.
      masks, values: bits of the codes of the 16 masks, and of the values from -128 to 127.
      pairs: of scales, five bytes each.
      biases, scales: of all channels.
      weights: of all quads.
      size: bytes.
    """

    packed: Packed
    masks: Lengths
    values: Lengths
    pairs: list[bytes]
    biases: list[int] = field(default_factory=list)
    scales: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    size: int = 0


class _Bits:
    """Bits of a section, the highest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self.whole, self.left = int.from_bytes(data, "big"), 8 * len(data)
        self.text = bin(1 << self.left | self.whole)[3:]
        self.at = 0

    def take(self, count: int) -> int:
        check(self.at + count <= self.left, "a section of weights is cut off")
        self.at += count
        return int(self.text[self.at - count : self.at] or "0", 2)

    def symbol(self, codes: dict[tuple[int, int], int]) -> int:
        code = length = 0
        while (length, code) not in codes:
            check(length < LONGEST, "a section of weights holds a code that it does not tell of")
            code, length = code << 1 | self.take(1), length + 1
        return codes[length, code]


def codes(lengths: Lengths) -> list[int]:
    """Return each symbol's canonical code: shorter ones first, equal ones in order."""
    order = sorted((length, symbol) for symbol, length in enumerate(lengths) if length != NONE)
    found, code, before = [0] * len(lengths), 0, 0
    for length, symbol in order:
        code <<= length - before
        found[symbol], before = code, length
        code += 1
    return found


def take_apart(data: bytes, packed: Packed) -> Section:
    """Return a section that begins with `data`; what follows it is left.

    Raises:
      DeltaError: it is none.
    """
    check(len(data) >= MASKS // 2 + 1 + LONGEST, "a section of weights is cut off")
    masks = [data[i // 2] >> i % 2 * 4 & 15 for i in range(MASKS)]
    counts = data[8 : 9 + LONGEST]
    at, values = 9 + LONGEST, [NONE] * 256
    for length, count in enumerate(counts):
        for value in data[at : at + count]:
            values[value + 128 & 255] = length
        at += count
    pairs = [data[at + 5 * i : at + 5 * i + 5] for i in range(packed.pairs)]
    at += 5 * packed.pairs
    section = Section(packed, masks, values, pairs)
    bits = _Bits(data[at:])
    tables = [{(each[s], code): s for s, code in enumerate(codes(each)) if each[s] != NONE} for each in (masks, values)]
    for _ in range(packed.groups):
        for _ in range(packed.channels):
            bias = bits.take(packed.bias_bits)
            section.biases.append(bias - (bias >> (packed.bias_bits - 1) << packed.bias_bits))
            section.scales.append(bits.take(packed.scale_bits))
        for _ in range(packed.quads):
            mask = bits.symbol(tables[0])
            section.weights += [bits.symbol(tables[1]) - 128 if mask >> i & 1 else 0 for i in range(4)]
    section.size = at + (bits.at + 7) // 8
    return section


def put_together(section: Section) -> bytes:
    """Return a section's bytes."""
    packed = section.packed
    nibbles = bytes(section.masks[i] | section.masks[i + 1] << 4 for i in range(0, MASKS, 2))
    order = sorted((length, value) for value, length in enumerate(section.values) if length != NONE)
    counts = bytes(sum(length == each for length, _ in order) for each in range(LONGEST + 1))
    listed = bytes(value - 128 & 255 for _, value in order)
    mask_codes, value_codes = codes(section.masks), codes(section.values)
    text: list[str] = []

    def put(value: int, count: int) -> None:
        text.append(f"{value & (1 << count) - 1:0{count}b}" if count else "")

    weights, tables = iter(section.weights), iter(zip(section.biases, section.scales, strict=True))
    for _ in range(packed.groups):
        for _ in range(packed.channels):
            bias, scale = next(tables)
            put(bias, packed.bias_bits)
            put(scale, packed.scale_bits)
        for _ in range(packed.quads):
            quad = [next(weights) for _ in range(4)]
            mask = sum((weight != 0) << i for i, weight in enumerate(quad))
            check(section.masks[mask] != NONE, "the update is damaged: a mask has no code")
            put(mask_codes[mask], section.masks[mask])
            for weight in quad:
                if weight:
                    check(section.values[weight + 128] != NONE, "the update is damaged: a value has no code")
                    put(value_codes[weight + 128], section.values[weight + 128])
    stream = "".join(text)
    stream += "0" * (-len(stream) % 8)
    data = int(stream or "0", 2).to_bytes(len(stream) // 8, "big")
    return nibbles + counts + listed + b"".join(section.pairs) + data


def code_shape(coder: Coder, old: Packed | None = None, new: Packed | None = None) -> tuple[Packed, Packed]:
    """Code the groups and widths of two sections."""
    old, new = old or Packed(0, 0, 0, 0, 0, 0), new or Packed(0, 0, 0, 0, 0, 0)
    shape = [number(coder, SHAPE, each) for each in old.shape]
    check(1 <= shape[0] <= 4, "the update is damaged: groups of no such channels")
    widths = []
    for each in (old, new):
        bias, scale, pairs = (number(coder, SHAPE, n) for n in (each.bias_bits, each.scale_bits, each.pairs))
        check(1 <= bias <= 32 and scale <= 16 and pairs <= MOST_PAIRS, "the update is damaged: no such widths")
        widths.append(Packed(shape[0], shape[1], shape[2], bias, scale, pairs))
    return widths[0], widths[1]


def code(coder: Coder, values: Values, old: Section, packed: Packed, new: Section | None = None) -> Section:
    """Code a section by an older one; return it."""
    told = Section(packed, [], [], [])
    given = new or Section(packed, old.masks, old.values, [b""] * packed.pairs, old.biases, old.scales, old.weights)
    told.masks = [_length(coder, MASK_LENGTH, *both) for both in zip(old.masks, given.masks, strict=True)]
    told.values = [_length(coder, VALUE_LENGTH, *both) for both in zip(old.values, given.values, strict=True)]
    told.pairs = [_pair(coder, old.pairs, pair) for pair in given.pairs]
    channel, quad = 0, 0
    for _ in range(packed.groups):
        for _ in range(packed.channels):
            bias = old.biases[channel] + signed(coder, BIAS, _wrapped(given.biases[channel] - old.biases[channel]))
            told.biases.append(_wrapped(bias))
            step = signed(coder, SCALE, given.scales[channel] - old.scales[channel])
            told.scales.append(old.scales[channel] + step)
            channel += 1
        for _ in range(4 * packed.quads):
            told.weights.append(values.after(old.weights[quad], given.weights[quad]))
            quad += 1
    return told


def _wrapped(value: int) -> int:
    return (value + (1 << 31) & 0xFFFFFFFF) - (1 << 31)


def _length(coder: Coder, context: int, old: int, new: int) -> int:
    length = old + signed(coder, context, new - old)
    check(0 <= length <= LONGEST or length == NONE, "the update is damaged: no such code")
    return length


def _pair(coder: Coder, old: list[bytes], pair: bytes) -> bytes:
    which = number(coder, PAIR, old.index(pair) + 1 if pair in old else 0)
    if which == 0:
        return coder.plain(40, int.from_bytes(pair, "big")).to_bytes(5, "big")
    check(which <= len(old), "the update is damaged: no such scales")
    return old[which - 1]
