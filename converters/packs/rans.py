"""Many interleaved rANS coders that advance together, so that NumPy decodes a symbol in each at once.

A lane's state lies in [2^16, 2^32). Symbol s of context c has the share edges[c, s] … edges[c, s + 1] of 2^14. Only
integers decide; all fit in 63 bits.
"""

from __future__ import annotations

import numpy as np

from converters.packs.container import require

BITS = 14
WHOLE = 1 << BITS
_LOWEST = 1 << 16  # of a state; where an encoder begins and a decoder ends
_WORD = 16
MOST_LANES_LOG2 = 10


class Encoder:
    """Keeps what is coded, for a decoder reads it in the opposite order."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []

    def code(self, edges: np.ndarray, contexts: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Code a symbol for each context.

        Args:
          edges: integers [contexts, symbols + 1], rising from 0 to 2^14 in each row.
          contexts, symbols: integers [N].

        Returns:
          The symbols.
        """
        low, high = edges[contexts, symbols], edges[contexts, symbols + 1]
        for start in range(0, len(symbols), self.lanes):
            batch = slice(start, start + self.lanes)
            self._batches.append((low[batch], high[batch] - low[batch]))
        return symbols

    def finish(self) -> bytes:
        """Return the states, uint32 each, and the words that flow into them, uint16 each."""
        states = np.full(self.lanes, _LOWEST, np.int64)
        words: list[np.ndarray] = []
        for low, share in reversed(self._batches):
            x = states[: len(low)]
            full = x >= share << (2 * _WORD - BITS)
            words.append(x[full] & 0xFFFF)
            x = np.where(full, x >> _WORD, x)
            states[: len(low)] = ((x // share) << BITS) + x % share + low
        flow = np.concatenate([np.zeros(0, np.int64), *reversed(words)])
        return states.astype("<u4").tobytes() + flow.astype("<u2").tobytes()


class Decoder:
    """Reads what an `Encoder` of as many lanes wrote."""

    def __init__(self, lanes: int, data: bytes) -> None:
        self.lanes = lanes
        require(len(data) >= 4 * lanes and len(data) % 2 == 0, f"{len(data):,} bytes hold no {lanes} states and words")
        self._states = np.frombuffer(data, "<u4", lanes).astype(np.int64)
        self._words = np.frombuffer(data, "<u2", offset=4 * lanes).astype(np.int64)
        self._next = 0
        require(bool((self._states >= _LOWEST).all()), "a state of the coder is too small")

    def code(self, edges: np.ndarray, contexts: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Return the next symbol of each context, written to `symbols`; see `Encoder.code`.

        Raises:
          PackError: there are too few words.
        """
        flat, width, above = edges.ravel(), edges.shape[1], np.ascontiguousarray(edges[:, 1:-1].T)
        rows = contexts * width
        for start in range(0, len(symbols), self.lanes):
            batch = slice(start, start + self.lanes)
            context = contexts[batch]
            x = self._states[: len(context)]
            slot = x & (WHOLE - 1)
            symbol = (above.take(context, 1) <= slot).sum(0)
            place = rows[batch] + symbol
            low = flat.take(place)
            x = (flat.take(place + 1) - low) * (x >> BITS) + slot - low
            self._refill(x)
            self._states[: len(context)] = x
            symbols[batch] = symbol
        return symbols

    @property
    def at(self) -> int:
        """How many bytes of words were read."""
        return 2 * self._next

    def _refill(self, x: np.ndarray) -> None:
        short = (x < _LOWEST).nonzero()[0]
        words = self._words[self._next : self._next + len(short)]
        require(len(words) == len(short), "the coded weights end too early")
        x[short] = x[short] << _WORD | words
        self._next += len(short)

    def finish(self) -> None:
        """Check that the end is where the encoder began.

        Raises:
          PackError: it is not.
        """
        require(self._next == len(self._words), "the coded weights are longer than the weights")
        require(bool((self._states == _LOWEST).all()), "the coded weights end in another state")


_LONGEST_RUN = 4096  # symbols
_STEP = 20  # what a symbol counts


class Table:
    """The symbols' shares in each context, which follow what was coded.

    Shares are computed again after a run of symbols, at first short, then a sixteenth of what was seen.
    """

    def __init__(self, prior: np.ndarray, belief: int, ordered: bool) -> None:
        """Begin with nothing seen.

        Args:
          prior: integers [contexts, symbols], in proportion to the shares of symbols.
          belief: what all counts that are believed beforehand sum up to.
          ordered: whether neighbouring contexts are alike.
        """
        self.prior, self.belief, self.ordered = prior, belief, ordered
        self.counts = np.zeros_like(prior)
        self.seen = 0

    def code(self, coder: Encoder | Decoder, contexts: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Code a symbol for each context and learn from it; return the symbols, which a decoder writes there."""
        start = 0
        while start < len(symbols):
            run = slice(start, start + coder.lanes * max(1, min(self.seen >> 4, _LONGEST_RUN) // coder.lanes))
            found = coder.code(shares(self.counts + self._borrowed()), contexts[run], symbols[run])
            self._learn(contexts[run], found)
            start = run.stop
        return symbols

    def _borrowed(self) -> np.ndarray:
        """Return what is believed of each context before it was seen: the mean of its prior and its neighbours."""
        near = self.prior.copy()
        if self.ordered:
            near[1:] += self.counts[:-1]
            near[:-1] += self.counts[1:]
        return near * self.belief // near.sum(1, keepdims=True) + 1

    def _learn(self, contexts: np.ndarray, symbols: np.ndarray) -> None:
        size = self.counts.size
        places = (contexts * self.counts.shape[1] + symbols).astype(np.intp)  # which 32-bit hosts insist on
        found = np.bincount(places, minlength=size)
        self.counts += _STEP * found.reshape(self.counts.shape)
        self.seen += len(symbols)

    def age(self, most: int) -> None:
        """Let what was learned count for at most so much in each context, for the next layer may be another."""
        total = self.counts.sum(1, keepdims=True)
        self.counts = np.where(total > most, self.counts * most // np.maximum(total, 1), self.counts)
        self.seen = 0


def shares(counts: np.ndarray) -> np.ndarray:
    """Return the edges of shares in proportion to counts [contexts, symbols], each at least 1 of 2^14."""
    symbols = counts.shape[1]
    total = np.cumsum(counts, 1)
    edges = np.zeros((len(counts), symbols + 1), np.int64)
    edges[:, 1:] = total * (WHOLE - symbols) // total[:, -1:] + np.arange(1, symbols + 1)
    return edges


def uniform(symbols: int) -> np.ndarray:
    """Return the edges of equal shares in one context; `symbols` is a power of two."""
    return np.arange(symbols + 1, dtype=np.int64)[None] * (WHOLE // symbols)
