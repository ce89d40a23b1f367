"""A model of int8 weights: what is likely, from how strong a row, a column and a place in the kernel are.

A layer is [rows, height, width, inner]: outputs, kernel, inputs. It goes place by place of the kernel; all weights of
a place are coded at once. Their expected magnitude is a level, a third of an octave each: the layer's, plus classes of
the row, the column and the place, which are sent, then pulled towards the magnitudes of the same kernel's neighbours.
The sign follows theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from converters.packs import bits, rans
from converters.packs.container import require
from converters.packs.levels import BOUNDS, LEVELS, MEANS, classes_of, code_levels
from converters.packs.parts import Part
from converters.packs.rans import Table
from converters.packs.table import integer

CODING = 16
"""What a section says that holds a block."""
LARGEST = 1 << 22
"""Weights of a pack that are coded so: what is decoded in some ten seconds."""
MOST_PLACES = 1 << 14
"""Places of kernels in the layers of such a pack."""
_OWN = 20  # weight of a weight's level against that of its neighbours
_NEIGHBOURS = ((0, 1, 3), (1, 0, 3), (1, 1, 2), (1, -1, 2), (0, 2, 1), (2, 0, 1), (1, 2, 1), (1, -2, 1))
"""Places before a place, by rows up and columns left, and their weights."""
_SIGNS = 9  # contexts of a sign

# Magnitudes 0 to 15 are tokens of their own; above, each octave has four, and the digits below follow.
TOKENS = 32
_FIRST = np.array([*range(16), *range(16, 32, 4), *range(32, 64, 8), *range(64, 128, 16), 128, 0, 0, 0])
_DIGITS = np.array([0] * 16 + [2] * 4 + [3] * 4 + [4] * 4 + [0] * 4)
_TOKEN = np.searchsorted(_FIRST[:29], np.arange(129), "right") - 1

_LARGEST_KERNEL = 256  # places; a larger one is coded as if it had one place and more inputs
_FEWEST_AT_A_PLACE = 64  # so is one with fewer weights at each place
_KEPT = 800  # counts in a context that outlive a layer


def layer_form(part: Part) -> tuple[int, int, int, int]:
    """Return the form that a part is coded in: rows, height, width, inner."""
    if part.height * part.width > _LARGEST_KERNEL or part.rows * part.inner < _FEWEST_AT_A_PLACE:
        return part.rows, 1, 1, part.height * part.width * part.inner
    return part.rows, part.height, part.width, part.inner


def places(parts: Sequence[Part]) -> int:
    """Return how many places the kernels of layers have, as they are coded."""
    forms = map(layer_form, parts)
    return sum(height * width for _, height, width, _ in forms)


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


@lru_cache
def _prior() -> np.ndarray:
    """Return counts [levels, tokens] that decline geometrically with the mean of each level."""
    widths = np.diff([*_FIRST[:29], 129])
    counts = np.ones((LEVELS, TOKENS), np.int64)
    for level, mean in enumerate(MEANS):
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
    mean = (np.array(MEANS)[levels] * _OWN + near * 1024) // (_OWN + known)
    return np.searchsorted(BOUNDS, mean, "right"), lean


# Blocks.


def encode(parts: Sequence[Part], contents: Sequence[bytes]) -> bytes:
    """Return the block of some layers."""
    layers = [_layer(part, content) for part, content in zip(parts, contents, strict=True)]
    lanes_log2 = _lanes_log2(sum(layer.size for layer in layers))
    side, coder, model = bits.Encoder(), rans.Encoder(1 << lanes_log2), _Model()
    for layer in layers:
        model.code(coder, code_levels(side, layer.shape, classes_of(layer)), layer)
    classes = side.finish()
    return integer(len(classes)) + classes + bytes([lanes_log2]) + coder.finish()


def _lanes_log2(count: int) -> int:
    """Return how many lanes suit so many weights: each costs two bytes, few are slow."""
    return min(7, (count >> 12).bit_length())


def _layer(part: Part, content: bytes) -> np.ndarray:
    values = np.frombuffer(content, np.int8).astype(np.int64)
    rows, height, width, inner = layer_form(part)
    if part.rows_last:
        return np.ascontiguousarray(values.reshape(inner, height, width, rows).transpose(3, 1, 2, 0))
    return values.reshape(rows, height, width, inner)


def decode(parts: Sequence[Part], data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the bytes of each layer of a block, and how many of the block's were read for them.

    Raises:
      PackError: the block is damaged.
    """
    side, coder = _opened(data)
    fewest = 1 << _lanes_log2(sum(part.count for part in parts))
    require(coder.lanes >= fewest, f"a block of weights has {coder.lanes} lanes, expected at least {fewest}")
    model = _Model()
    for part in parts:
        form = layer_form(part)
        layer = np.zeros(form, np.int64)
        zeros = [[0], [0] * form[0], [0] * (form[1] * form[2]), [0] * form[3]]
        before = side.at + coder.at
        model.code(coder, code_levels(side, form, zeros), layer)
        yield _content(part, layer), side.at + coder.at - before
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
