"""Deep Compression's storage gives back what it was given, in no more bytes than Huffman's code needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqz_tf.comparison import coding
from sqz_tf.comparison.coding import Layer, decode, encode, entries_of, huffman, sparse_bytes, unhuffman


def layer(shape: tuple[int, ...], density: float, values: int) -> Layer:
    rng = np.random.default_rng(len(shape) + values)
    kernel = rng.normal(size=values).astype(np.float32)[rng.integers(0, values, shape)]
    kernel[rng.random(shape) >= density] = 0
    return Layer(kernel, rng.normal(size=shape[-1]).astype(np.float32))


LAYERS = {
    "conv": layer((3, 3, 8, 16), 0.4, 256),
    "fc": layer((300, 40), 0.02, 32),  # gaps of more than 31 zeros
    "full": layer((4, 4), 1, 1),
    "empty": layer((4, 4), 0, 3),
}
BITS = {"conv": 8, "fc": 5, "full": 5, "empty": 5}
SHAPES = {name: each.kernel.shape for name, each in LAYERS.items()}


def test_a_network_is_what_its_file_decodes_to() -> None:
    data, parts = encode(LAYERS, BITS)
    found = decode(data, SHAPES)
    assert sum(parts.values()) == len(data)
    for name, each in LAYERS.items():
        np.testing.assert_array_equal(found[name].kernel, each.kernel)
        np.testing.assert_array_equal(found[name].bias, each.bias)


def test_long_runs_of_zeros_are_bridged() -> None:
    kernel = np.zeros(100, np.float32)
    kernel[[0, 8, 99]] = 1
    entries = entries_of(kernel, 3)
    assert entries.real.tolist() == [1, 1, *[0] * 11, 1]
    assert (entries.gaps + 1).cumsum()[entries.real == 1].tolist() == [1, 9, 100]
    assert entries.gaps.max() == 7
    assert sparse_bytes(Layer(kernel, np.zeros(2)), 3) == 4 * (14 + 2) + 6  # 14 gaps of 3 bits


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [([], []), ([7], [1]), ([0, 3, 0, 1], [0, 1, 0, 1]), ([5, 9, 12, 13, 16, 45], [4, 4, 3, 3, 3, 1])],
)
def test_codes_are_as_long_as_huffmans(counts: list[int], lengths: list[int]) -> None:
    assert coding.code_lengths(np.array(counts, np.int64)).tolist() == lengths


@given(st.lists(st.integers(0, 300), min_size=1, max_size=80))
def test_any_stream_comes_back_and_its_code_is_complete(symbols: list[int]) -> None:
    data = huffman(np.array(symbols))
    found, end = unhuffman(b"x" + data + b"rest", 1, len(symbols))
    assert (found.tolist(), end) == (symbols, 1 + len(data))
    lengths = coding.code_lengths(np.bincount(symbols))
    if np.count_nonzero(lengths) > 1:
        assert (0.5 ** lengths[lengths > 0]).sum() == 1  # Kraft: complete


def test_the_size_comes_near_the_entropy() -> None:
    symbols = np.random.default_rng(0).geometric(0.3, 20_000) - 1
    share = np.bincount(symbols) / len(symbols)
    entropy = -(share[share > 0] * np.log2(share[share > 0])).sum() * len(symbols) / 8
    assert entropy < len(huffman(symbols)) < 1.04 * entropy + 40


@pytest.mark.parametrize("cut", [lambda data: data[:-1], lambda data: data[:3], lambda data: b""])
def test_a_cut_file_is_no_network(cut: Callable[[bytes], bytes]) -> None:
    data, _ = encode({"conv": LAYERS["conv"]}, BITS)
    with pytest.raises((ValueError, IndexError, coding.struct.error)):
        decode(cut(data), {"conv": SHAPES["conv"]})
