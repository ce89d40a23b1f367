"""How strong the weights of a layer are: a level for each, from classes of its row, its place and its column.

A level is a third of an octave of the mean magnitude. Only integers decide what a decoder does; the encoder chooses
classes by logarithms, which may differ between machines without harm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.packs import bits
from converters.packs.container import require

LEVELS = 32
MEANS = (
    *(64, 81, 102, 128, 161, 203, 256, 323, 406, 512, 645, 813, 1024, 1290, 1625, 2048, 2580, 3251, 4096, 5161, 6502),
    *(8192, 10321, 13004, 16384, 20643, 26008, 32768, 41285, 52016, 65536, 82570),
)
"""The mean magnitude of each level in 1/1024: 1024 · 2^((level − 12) / 3)."""
BOUNDS = (
    *(72, 91, 114, 144, 181, 228, 287, 362, 456, 575, 724, 912, 1149, 1448, 1825, 2299, 2896, 3649, 4598, 5793, 7298),
    *(9195, 11585, 14596, 18390, 23170, 29193, 36781, 46341, 58386, 73562),
)
"""Between the levels: 1024 · 2^((level − 11.5) / 3)."""
_CLASS = 2  # levels that a class is worth
MOST_CLASS = 7


def code_levels(coder: bits.Encoder | bits.Decoder, form: Sequence[int], given: Sequence[Sequence[int]]) -> np.ndarray:
    """Code a layer's level and the classes of its rows, places and columns; return the level of every weight.

    Args:
      coder: writes or reads.
      form: rows, height, width, inner.
      given: [level], rows, places, columns; zeros for a decoder.
    """
    found = [np.array([_bounded(coder.integer(kind, value)) for value in values]) for kind, values in enumerate(given)]
    rows, height, width, inner = form
    levels = found[0] + _CLASS * (
        found[1].reshape(rows, 1, 1, 1) + found[2].reshape(1, height, width, 1) + found[3].reshape(1, 1, 1, inner)
    )
    return np.clip(levels, 0, LEVELS - 1)


def _bounded(value: int) -> int:
    require(abs(value) <= LEVELS, f"a class is {value}, expected at most {LEVELS}")
    return value


def classes_of(layer: np.ndarray) -> list[list[int]]:
    """Return the level of a layer and the classes of its rows, places and columns that take the fewest bits."""
    magnitudes = np.abs(layer).astype(np.float64)
    level = int(np.searchsorted(BOUNDS, magnitudes.mean() * 1024, "right"))
    mean = MEANS[level] / 1024
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
