"""What a weight costs in bits: whether it is zero by its row and its column, its size by its layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST = 127
_HALF = 0.5  # of a weight, added to each count


@dataclass(frozen=True, eq=False)
class Rate:
    """Bits of each integer of a layer [O, K].

    Attributes:
      rows: float64 [O], log-odds that a weight of this row is not zero, less half the layer's.
      columns: float64 [K], the same of a column.
      sizes: float64 [LARGEST + 1], bits of a magnitude, sign included, once it is known not to be zero; [0] is 0.
    """

    rows: np.ndarray
    columns: np.ndarray
    sizes: np.ndarray

    def column(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the bits of a zero and of a weight that is not, both float64 [O], sizes apart."""
        odds = self.rows + self.columns[index]
        return np.logaddexp(0, odds) / np.log(2), np.logaddexp(0, -odds) / np.log(2)

    def total(self, integers: np.ndarray) -> float:
        """Return the bits of a layer's integers [O, K]."""
        odds = self.rows[:, None] + self.columns
        zero = np.logaddexp(0, np.where(integers == 0, odds, -odds)).sum() / np.log(2)
        return float(zero + self.sizes[np.abs(integers)].sum())


def rate_of(integers: np.ndarray) -> Rate:
    """Return the rate that a layer's integers [O, K] have under their own frequencies."""
    used = integers != 0
    mean = _log_odds(used.sum(), used.size)
    rows = _log_odds(used.sum(1), used.shape[1]) - mean / 2
    columns = _log_odds(used.sum(0), used.shape[0]) - mean / 2
    counts = np.bincount(np.minimum(np.abs(integers[used]), LARGEST).astype(np.int64), minlength=LARGEST + 1) + _tail()
    sizes = -np.log2(counts / counts[1:].sum()) + 1
    sizes[0] = 0
    return Rate(rows, columns, sizes)


def _tail() -> np.ndarray:
    """Return a little for magnitudes not seen, falling so that larger ones cost more."""
    return _HALF * 0.9 ** np.arange(LARGEST + 1)


def _log_odds(count: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(np.log((count + _HALF) / (size - count + _HALF)), np.float64)
