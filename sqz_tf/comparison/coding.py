"""Deep Compression's storage (Han et al. 2016, arXiv:1510.00149): shared weights and the gaps before them, coded.

A layer is its codebook, its biases and two streams of as many entries: which shared weight stands there, 0 for none,
and how many zeros stand before it. Longer runs of zeros than a gap can say are bridged by entries of no weight. All
numbers are little-endian; the layers' shapes are known to the reader, as in the papers' files.

    uint32      entries
    uint16      k, shared weights
    float32 [k] their values
    float32 [O] biases
    stream      number of each entry's shared weight, from 1, or 0
    stream      gap of each entry

    stream: uint16 n, symbols; n lengths of 5 bits, 0 for a symbol that does not occur; canonical Huffman codes, first
    bit highest; lengths and codes are filled up to whole bytes.
"""

from __future__ import annotations

import heapq
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LENGTH_BITS = 5  # of a code's length


@dataclass(frozen=True, eq=False)
class Layer:
    """A kernel, any shape, and its biases [O], both float32."""

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class Entries:
    """The stored entries of a kernel, int64 [n] each: the zeros before it, and 1 for a weight or 0 for a filler."""

    gaps: np.ndarray
    real: np.ndarray


def entries_of(kernel: np.ndarray, gap_bits: int) -> Entries:
    """Return the entries that hold a kernel's non-zero weights, fillers among them.

    Args:
      kernel: any shape, flattened in C order.
      gap_bits: bits of a gap: so many zeros at most stand before an entry, less one.
    """
    places = np.flatnonzero(kernel)
    gaps = np.diff(places, prepend=-1) - 1
    fillers = gaps >> gap_bits
    last = np.cumsum(fillers + 1) - 1  # where each weight's own entry stands among the fillers
    real = np.zeros(len(places) + int(fillers.sum()), np.int64)
    stored = np.full(len(real), (1 << gap_bits) - 1, np.int64)
    real[last], stored[last] = 1, gaps & ((1 << gap_bits) - 1)
    return Entries(stored, real)


def sparse_bytes(layer: Layer, gap_bits: int) -> int:
    """Return what a pruned layer takes: four bytes for each entry and bias, and the gaps, uncoded."""
    count = len(entries_of(layer.kernel, gap_bits).real)
    return 4 * (count + layer.bias.size) + -(-gap_bits * count // 8)


def encode(layers: Mapping[str, Layer], gap_bits: Mapping[str, int]) -> tuple[bytes, dict[str, int]]:
    """Return layers that hold few values each as bytes, and how many of these each part takes."""
    data: list[bytes] = []
    parts = {"codebooks": 0, "biases": 0, "weights": 0, "gaps": 0, "counts": 0}
    for name, layer in layers.items():
        entries = entries_of(layer.kernel, gap_bits[name])
        codebook, numbers = np.unique(layer.kernel[layer.kernel != 0], return_inverse=True)
        symbols = np.zeros(len(entries.real), np.int64)
        symbols[entries.real == 1] = numbers + 1
        pieces = {
            "counts": struct.pack("<IH", len(symbols), len(codebook)),
            "codebooks": codebook.astype("<f4").tobytes(),
            "biases": layer.bias.astype("<f4").tobytes(),
            "weights": huffman(symbols),
            "gaps": huffman(entries.gaps),
        }
        data += pieces.values()
        parts = {part: size + len(pieces[part]) for part, size in parts.items()}
    return b"".join(data), parts


def decode(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Layer]:
    """Return the layers that `encode` wrote, float32.

    Args:
      shapes: of the kernels by name, in the same order; the last number is the number of biases.
    """
    at, found = 0, {}
    for name, shape in shapes.items():
        count, shared = struct.unpack_from("<IH", data, at)
        values = np.frombuffer(data, "<f4", shared, at + 6)
        bias = np.frombuffer(data, "<f4", shape[-1], at + 6 + 4 * shared)
        symbols, at = unhuffman(data, at + 6 + 4 * (shared + shape[-1]), count)
        gaps, at = unhuffman(data, at, count)
        flat = np.zeros(math.prod(shape), np.float32)
        flat[np.cumsum(gaps + 1) - 1] = np.concatenate([[np.float32(0)], values])[symbols]
        found[name] = Layer(flat.reshape(shape), bias)
    return found


def huffman(symbols: np.ndarray) -> bytes:
    """Return a stream of non-negative integers [n]."""
    lengths = code_lengths(np.bincount(symbols))
    codes = canonical_codes(lengths)
    head = struct.pack("<H", len(lengths)) + _bits(lengths, np.full(len(lengths), LENGTH_BITS))
    return head + _bits(codes[symbols], lengths[symbols])


def unhuffman(data: bytes, at: int, count: int) -> tuple[np.ndarray, int]:
    """Return the `count` integers of the stream that begins at byte `at`, and where the next thing begins."""
    (alphabet,) = struct.unpack_from("<H", data, at)
    at += 2
    head = -(-LENGTH_BITS * alphabet // 8)
    bits = np.unpackbits(np.frombuffer(data, np.uint8, head, at), count=LENGTH_BITS * alphabet)
    lengths = bits.reshape(alphabet, LENGTH_BITS).astype(np.int64) @ (1 << np.arange(LENGTH_BITS)[::-1])
    pairs = zip(lengths.tolist(), canonical_codes(lengths).tolist(), strict=True)
    meaning = {pair: symbol for symbol, pair in enumerate(pairs) if pair[0]}
    at += head
    most = -(-count * int(lengths.max(initial=0)) // 8)
    symbols, used = _walk(np.unpackbits(np.frombuffer(data[at : at + most], np.uint8)).tobytes(), meaning, count)
    return np.array(symbols, np.int64), at + -(-used // 8)


def _walk(bits: bytes, meaning: Mapping[tuple[int, int], int], count: int) -> tuple[list[int], int]:
    """Return so many symbols of a row of bits, a byte each, and how many bits they take."""
    symbols: list[int] = []
    length = code = used = 0
    while len(symbols) < count:
        code, length = 2 * code + bits[used], length + 1
        used += 1
        if (length, code) in meaning:
            symbols.append(meaning[length, code])
            length = code = 0
    return symbols, used


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Return the length in bits of each symbol's Huffman code, 0 for one that does not occur; int64."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (int(count), symbol, (symbol,)) for symbol, count in enumerate(counts) if count
    ]
    lengths = np.zeros(len(counts), np.int64)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (few, first, left), (more, second, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[[*left, *right]] += 1
        heapq.heappush(heap, (few + more, min(first, second), left + right))
    return lengths


def canonical_codes(lengths: np.ndarray) -> np.ndarray:
    """Return the code of each symbol, int64: in order of length, then of symbol, each as small as can be."""
    codes = np.zeros(len(lengths), np.int64)
    code = previous = 0
    for symbol in np.lexsort((np.arange(len(lengths)), lengths)):
        if length := int(lengths[symbol]):
            code <<= length - previous
            codes[symbol], previous = code, length
            code += 1
    return codes


def _bits(values: np.ndarray, widths: np.ndarray) -> bytes:
    """Return numbers [n] of so many bits each, one after the other, the highest bit first."""
    start = np.cumsum(widths) - widths
    found = np.zeros(int(widths.sum()), np.uint8)
    for bit in range(int(widths.max(initial=0))):
        there = widths > bit
        found[start[there] + bit] = values[there] >> (widths[there] - 1 - bit) & 1
    return np.packbits(found).tobytes()
