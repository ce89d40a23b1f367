"""A model of int8 weights: what is likely, from how strong a row, a column and a place in the kernel are.

A layer is [rows, height, width, inner]: outputs, kernel, inputs. It goes place by place of the kernel; all weights of
a place are coded at once. Their expected magnitude is a level, a third of an octave each: the layer's, plus classes of
the row, the column and the place, which are sent, then pulled towards the magnitudes of the same kernel's neighbours.
The sign follows theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from converters.packs import bits, rans
from converters.packs.container import PackError, require
from converters.packs.parts import Part
from converters.packs.rans import Table
from converters.packs.table import integer

CODING = 16
"""What a section says that holds a block."""
LARGEST = 1 << 22
"""Weights of a block: what is decoded in some five seconds."""
LEVELS = 32
_MEANS = (
    *(64, 81, 102, 128, 161, 203, 256, 323, 406, 512, 645, 813, 1024, 1290, 1625, 2048, 2580, 3251, 4096, 5161, 6502),
    *(8192, 10321, 13004, 16384, 20643, 26008, 32768, 41285, 52016, 65536, 82570),
)
"""The mean magnitude of each level in 1/1024: 1024 · 2^((level − 12) / 3)."""
_BOUNDS = (
    *(72, 91, 114, 144, 181, 228, 287, 362, 456, 575, 724, 912, 1149, 1448, 1825, 2299, 2896, 3649, 4598, 5793, 7298),
    *(9195, 11585, 14596, 18390, 23170, 29193, 36781, 46341, 58386, 73562),
)
"""Between the levels: 1024 · 2^((level − 11.5) / 3)."""
_CLASS = 2  # levels that a class is worth
MOST_CLASS = 7
_OWN = 20  # weight of a weight's level against that of its neighbours
_NEIGHBOURS = ((0, 1, 3), (1, 0, 3), (1, 1, 2), (1, -1, 2), (0, 2, 1), (2, 0, 1), (1, 2, 1), (1, -2, 1))
"""Places before a place, by rows up and columns left, and their weights."""
_SIGNS = 9  # contexts of a sign

# Magnitudes 0 to 15 are tokens of their own; above, each octave has four, and the digits below follow.
TOKENS = 32
_FIRST = np.array([*range(16), *range(16, 32, 4), *range(32, 64, 8), *range(64, 128, 16), 128, 0, 0, 0])
_DIGITS = np.array([0] * 16 + [2] * 4 + [3] * 4 + [4] * 4 + [0] * 4)
_TOKEN = np.searchsorted(_FIRST[:29], np.arange(129), "right") - 1

MOST_PLACES = 256  # of a kernel; a larger one is coded as inputs
_KEPT = 800  # counts in a context that outlive a layer


def layer_form(part: Part) -> tuple[int, int, int, int]:
    """Return the form that a part is coded in: rows, height, width, inner."""
    if part.height * part.width > MOST_PLACES:
        return part.rows, 1, 1, part.height * part.width * part.inner
    return part.rows, part.height, part.width, part.inner


class _Model:
    """What is learned, and carried from layer to layer."""

    def __init__(self) -> None:
        self.magnitudes = Table(_prior(), 1024, ordered=True)
        self.signs = _signs()

    def age(self) -> None:
        self.magnitudes.age(_KEPT)
        self.signs = _signs()

    def code(self, coder: rans.Encoder | rans.Decoder, levels: np.ndarray, layer: np.ndarray) -> None:
        """Code a layer.

        Args:
          coder: writes the layer, or fills it.
          levels: integers [rows, height, width, inner].
          layer: int64 of that form.
        """
        for y, x in np.ndindex(layer.shape[1:3]):
            level, lean = _expected(levels[:, y, x], layer, y, x)
            plane = layer[:, y, x].ravel()
            self._code_plane(coder, level.ravel(), lean.ravel(), plane)
            layer[:, y, x] = plane.reshape(level.shape)
        self.age()

    def _code_plane(
        self, coder: rans.Encoder | rans.Decoder, level: np.ndarray, lean: np.ndarray, plane: np.ndarray
    ) -> None:
        """Code the weights of a place: tokens, then digits, then signs."""
        magnitude = np.abs(plane)
        tokens = self.magnitudes.code(coder, level, _TOKEN[magnitude])
        found = _FIRST[tokens]
        for digits in (2, 3, 4):
            where = np.flatnonzero(_DIGITS[tokens] == digits)
            rest = coder.code(rans.uniform(1 << digits), np.zeros_like(where), magnitude[where] - found[where])
            found[where] += rest
        where = np.flatnonzero(found)
        lean = lean[where]
        against = self.signs.code(coder, np.minimum(np.abs(lean), _SIGNS - 1), ((plane[where] < 0) != (lean < 0)) * 1)
        negative = (against != 0) != (lean < 0)
        plane[:] = found
        plane[where] *= 1 - 2 * negative


def _signs() -> Table:
    return Table(np.ones((_SIGNS, 2), np.int64), 128, ordered=False)


def _prior() -> np.ndarray:
    """Return counts [levels, tokens] that decline geometrically with the mean of each level."""
    widths = np.diff([*_FIRST[:29], 129])
    counts = np.ones((LEVELS, TOKENS), np.int64)
    for level, mean in enumerate(_MEANS):
        weight, shares = 1 << 30, list[int]()
        for width in widths:
            shares.append(0)
            for _ in range(width):
                shares[-1] += weight
                weight = weight * mean // (mean + 1024)
        total = sum(shares)
        counts[level, : len(shares)] += np.array([_PRIOR * share // total for share in shares])
    return counts


_PRIOR = 512


def _expected(levels: np.ndarray, layer: np.ndarray, y: int, x: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each weight of a place, and which sign its neighbours lean to, both [rows, inner]."""
    around = [
        (weight, layer[:, y - up, x - left])
        for up, left, weight in _NEIGHBOURS
        if y >= up and 0 <= x - left < layer.shape[2]
    ]
    lean = np.zeros(levels.shape, np.int64)
    if not around:
        return levels, lean
    near = np.zeros(levels.shape, np.int64)
    for weight, plane in around:
        lean += weight * np.sign(plane)
        near += weight * np.abs(plane)
    known = sum(weight for weight, _ in around)
    mean = (np.array(_MEANS)[levels] * _OWN + near * 1024) // (_OWN + known)
    return np.searchsorted(_BOUNDS, mean, "right"), lean


# Classes.


def _code_classes(
    coder: bits.Encoder | bits.Decoder, form: Sequence[int], given: Sequence[Sequence[int]]
) -> np.ndarray:
    """Code a layer's level and the classes of its rows, places and columns; return the level of every weight.

    Args:
      coder: writes or reads.
      form: rows, height, width, inner.
      given: [level], rows, places, columns; zeros for a decoder.
    """
    found = [
        np.array([_bounded(coder.integer(kind, value), LEVELS) for value in values])
        for kind, values in enumerate(given)
    ]
    rows, height, width, inner = form
    levels = found[0] + _CLASS * (
        found[1].reshape(rows, 1, 1, 1) + found[2].reshape(1, height, width, 1) + found[3].reshape(1, 1, 1, inner)
    )
    return np.clip(levels, 0, LEVELS - 1)


def _bounded(value: int, most: int) -> int:
    if abs(value) > most:
        raise PackError(f"the pack is damaged: a class is {value}, expected at most {most}")
    return value


def _classes(layer: np.ndarray) -> list[list[int]]:
    """Return the level of a layer and the classes of its rows, places and columns that take the fewest bits."""
    magnitudes = np.abs(layer).astype(np.float64)
    level = int(np.searchsorted(_BOUNDS, magnitudes.mean() * 1024, "right"))
    mean = _MEANS[level] / 1024
    found = [np.zeros(_side(layer, axes), np.int64) for axes in _AXES]
    for _ in range(_ROUNDS):
        for number, axes in enumerate(_AXES):
            others = tuple(axis for axis in range(4) if axis not in axes)
            classes = sum(each for place, each in enumerate(found) if place != number)
            expected = (mean * 2.0 ** (classes * _CLASS / 3) * np.ones(layer.shape)).mean(others, keepdims=True)
            found[number] = _best(magnitudes.sum(others, keepdims=True), expected, layer.size // expected.size)
    return [[level], *([int(each) for each in classes.ravel()] for classes in found)]


_AXES = ((0,), (1, 2), (3,))
_ROUNDS = 3


def _best(total: np.ndarray, expected: np.ndarray, count: int) -> np.ndarray:
    """Return the classes by which sums of `count` magnitudes, geometrically distributed, take the fewest bits."""
    classes = np.arange(-MOST_CLASS, MOST_CLASS + 1).reshape(-1, 1, 1, 1, 1)
    mean = np.maximum(expected * 2.0 ** (classes * _CLASS / 3), 1 / 32)
    cost = count * np.log2(1 + mean) + total * np.log2(1 + 1 / mean) + 1.5 * (classes != 0) + np.abs(classes)
    return classes.ravel()[np.argmin(cost, 0)]


def _side(layer: np.ndarray, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(size if axis in axes else 1 for axis, size in enumerate(layer.shape))


# Blocks.


def encode(parts: Sequence[Part], contents: Sequence[bytes]) -> bytes:
    """Return the block of some layers."""
    layers = [_layer(part, content) for part, content in zip(parts, contents, strict=True)]
    lanes_log2 = _lanes_log2(sum(layer.size for layer in layers))
    side, coder, model = bits.Encoder(), rans.Encoder(1 << lanes_log2), _Model()
    for layer in layers:
        model.code(coder, _code_classes(side, layer.shape, _classes(layer)), layer)
    classes = side.finish()
    return integer(len(classes)) + classes + bytes([lanes_log2]) + coder.finish()


def _lanes_log2(count: int) -> int:
    """Return how many lanes suit so many weights: each costs two bytes, few are slow."""
    return min(7, max(0, (count >> 11).bit_length()))


def _layer(part: Part, content: bytes) -> np.ndarray:
    values = np.frombuffer(content, np.int8).astype(np.int64)
    rows, height, width, inner = layer_form(part)
    if part.rows_last:
        return np.ascontiguousarray(values.reshape(inner, height, width, rows).transpose(3, 1, 2, 0))
    return values.reshape(rows, height, width, inner)


def decode(parts: Sequence[Part], data: bytes) -> Iterator[bytes]:
    """Yield the bytes of each layer of a block.

    Raises:
      PackError: the block is damaged.
    """
    side, coder = _opened(data)
    model = _Model()
    for part in parts:
        form = layer_form(part)
        layer = np.zeros(form, np.int64)
        zeros = [[0], [0] * form[0], [0] * (form[1] * form[2]), [0] * form[3]]
        model.code(coder, _code_classes(side, form, zeros), layer)
        yield _content(part, layer)
    side.finish()
    coder.finish()


def _opened(data: bytes) -> tuple[bits.Decoder, rans.Decoder]:
    size = shift = at = 0
    while True:
        require(at < min(len(data), 5), "a block of weights is cut off")
        size |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            break
    require(at + size < len(data), "a block of weights is cut off")
    lanes_log2 = data[at + size]
    require(lanes_log2 <= rans.MOST_LANES_LOG2, f"a block of weights has 2^{lanes_log2} lanes")
    return bits.Decoder(data[at : at + size]), rans.Decoder(1 << lanes_log2, data[at + size + 1 :])


def _content(part: Part, layer: np.ndarray) -> bytes:
    values = layer.transpose(3, 1, 2, 0) if part.rows_last else layer
    return values.astype(np.int8).tobytes()
