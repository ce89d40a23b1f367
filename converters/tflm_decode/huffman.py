"""A Huffman code for bytes, and the lookup tables from which TFLite Micro's DECODE operator reads it.

A code word's first bit is the most significant left in its byte. The decoder reads as many bits as a table is wide,
looks the entry up and puts back what it did not use, or goes on to a further table.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cache

import numpy as np

# An entry of a 16-bit table: found, 4 bits of count, and a symbol or the distance from this entry to the next table.
FOUND = 0x8000
COUNT_SHIFT = 11
LARGEST_DISTANCE = 0x7FF
WIDEST = 10  # bits of a table; the format allows 16, but wider ones never were the smaller for 256 symbols

Tree = int | tuple["Tree", "Tree"]  # a symbol, or what follows a bit of 0 and of 1


@dataclass(frozen=True)
class Code:
    """A complete prefix code.

    Attributes:
      tree: its binary tree, at least one bit deep.
      codes: symbol → (length in bits, its bits as a number).
    """

    tree: Tree
    codes: dict[int, tuple[int, int]]


def best_code(counts: np.ndarray) -> Code:
    """Return the code of fewest bits.

    Args:
      counts: how often each symbol occurs, int [256]; at least two occur.
    """
    heap: list[tuple[int, int, Tree]] = [(int(counts[s]), int(s), int(s)) for s in np.flatnonzero(counts)]
    heapq.heapify(heap)
    number = len(counts)
    while len(heap) > 1:
        (less, _, zero), (more, _, one) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (less + more, number, (zero, one)))
        number += 1
    tree = heap[0][2]
    return Code(tree, dict(_codes(tree, 0, 0)))


def _codes(tree: Tree, length: int, bits: int) -> list[tuple[int, tuple[int, int]]]:
    if isinstance(tree, int):
        return [(tree, (length, bits))]
    return [*_codes(tree[0], length + 1, 2 * bits), *_codes(tree[1], length + 1, 2 * bits + 1)]


def bits_of(symbols: np.ndarray, code: Code) -> np.ndarray:
    """Return the bits of a sequence of symbols, uint8 [N] of 0 and 1."""
    lengths, values = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for symbol, (length, bits) in code.codes.items():
        lengths[symbol], values[symbol] = length, bits
    length, value = lengths[symbols], values[symbols]
    starts = np.cumsum(length) - length
    stream = np.zeros(int(length.sum()), np.uint8)
    for place in range(int(length.max())):
        longer = length > place
        stream[starts[longer] + place] = (value[longer] >> (length[longer] - 1 - place)) & 1
    return stream


def tables(code: Code) -> tuple[np.ndarray, int, int]:
    """Return the smallest tables that decode a code.

    Returns:
      The entries, uint16 [E], tables one after another; the width of the first table and of the widest, in bits.
    """
    entries: list[int] = []
    widths: list[int] = []
    _lay(code.tree, entries, widths)
    return np.array(entries, np.uint16), widths[0], max(widths)


def _lay(tree: Tree, entries: list[int], widths: list[int]) -> None:
    """Append the table of an inner node, then those of the nodes it leads to."""
    width = _fewest_entries(tree)[1]
    start = len(entries)
    widths.append(width)
    entries.extend([0] * (1 << width))
    for node, depth, first in _reached(tree, width):
        if isinstance(node, int):
            span = 1 << (width - depth)
            entries[start + first : start + first + span] = [FOUND | depth << COUNT_SHIFT | node] * span
        else:
            distance = len(entries) - (start + first)
            assert distance <= LARGEST_DISTANCE, "256 symbols need at most 510 entries"
            entries[start + first] = (_fewest_entries(node)[1] - 1) << COUNT_SHIFT | distance
            _lay(node, entries, widths)


def _reached(tree: Tree, width: int) -> list[tuple[Tree, int, int]]:
    """Return what a table of `width` bits leads to: node, bits used, and the first index that leads there."""
    reached: list[tuple[Tree, int, int]] = [(tree, 0, 0)]
    for depth in range(1, width + 1):
        half = 1 << (width - depth)
        inner = [each for each in reached if not isinstance(each[0], int)]
        reached = [each for each in reached if isinstance(each[0], int)]
        for node, _, first in inner:
            assert not isinstance(node, int)
            reached += [(node[0], depth, first), (node[1], depth, first + half)]
    return sorted(reached, key=lambda each: each[2])


@cache
def _fewest_entries(tree: Tree) -> tuple[int, int]:
    """Return how many entries an inner node needs at least, and the width of its own table (of equals the wider)."""
    best = (1 << 30, 0)
    for width in range(1, WIDEST + 1):
        reached = _reached(tree, width)
        inner = [node for node, _, _ in reached if not isinstance(node, int)]
        total = (1 << width) + sum(_fewest_entries(node)[0] for node in inner)
        if total <= best[0]:
            best = (total, width)
        if not inner:
            break
    return best
