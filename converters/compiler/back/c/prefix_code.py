"""Canonical prefix codes of bounded length, and sequences of codes as bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Code:
    """A canonical prefix code: shorter codes first, equal ones in order of their symbols.

    Attributes:
      lengths: bits of each symbol's code, int64 [symbols]; 0 for a symbol that is alone, -1 for one that is not there.
      codes: the codes, int64 [symbols], in the low bits.
    """

    lengths: np.ndarray
    codes: np.ndarray

    @property
    def longest(self) -> int:
        """Bits of the longest code."""
        return int(max(self.lengths.max(initial=0), 0))

    @property
    def symbols(self) -> np.ndarray:
        """The symbols there are, in the order of their codes."""
        there = np.flatnonzero(self.lengths >= 0)
        return there[np.argsort(self.lengths[there], kind="stable")]


def shortest(counts: np.ndarray, longest: int) -> Code:
    """Return the code that takes the fewest bits of those whose codes are not longer than `longest`.

    Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", J. ACM 37 (1990).

    Args:
      counts: how often each symbol comes, [symbols].
      longest: in bits.

    Raises:
      ValueError: there are more symbols than codes so short.
    """
    there = np.flatnonzero(counts)
    if len(there) > 1 << longest:
        raise ValueError(f"{len(there)} symbols have no codes of {longest} bits")
    lengths = np.full(len(counts), -1, np.int64)
    lengths[there] = _lengths([int(counts[symbol]) for symbol in there], longest)
    return Code(lengths, _canonical(lengths))


def _lengths(counts: list[int], longest: int) -> list[int]:
    """Return the bits of each symbol's code by merging packages; symbols of one count stay in order."""
    if len(counts) < 2:
        return [0] * len(counts)
    coins = sorted((count, (symbol,)) for symbol, count in enumerate(counts))
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(longest):
        merged = sorted([*coins, *packages])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2], strict=False)]
    chosen = [symbol for _, symbols in packages[: len(counts) - 1] for symbol in symbols]
    return np.bincount(chosen, minlength=len(counts)).tolist()


def _canonical(lengths: np.ndarray) -> np.ndarray:
    codes, code, before = np.zeros(len(lengths), np.int64), 0, 0
    there = np.flatnonzero(lengths >= 0)
    for symbol in there[np.argsort(lengths[there], kind="stable")].tolist():
        code <<= int(lengths[symbol]) - before
        codes[symbol], before = code, int(lengths[symbol])
        code += 1
    return codes


def to_bytes(values: np.ndarray, lengths: np.ndarray) -> bytes:
    """Return numbers one after another, `lengths` bits of each, the highest first; the last byte is filled up with 0.

    Args:
      values: not negative, int64 [N].
      lengths: int64 [N]; 0 for a number that is left out.
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    place = np.repeat(ends, lengths) - 1 - np.arange(total)  # of each bit in its number, from the lowest
    return np.packbits((np.repeat(values, lengths) >> place & 1).astype(np.uint8)).tobytes()
