"""A damaged pack is refused with a line, or unpacks to what its checksum says; nothing else, and in bounds."""

from __future__ import annotations

import hashlib
import lzma
import struct
import tracemalloc
from functools import lru_cache

import numpy as np
import pytest

from converters import packs
from converters.packs import general, weights
from converters.packs.bits import Encoder
from converters.packs.numbers import CODING
from converters.packs.parts import Kind, Part
from converters.packs.table import integer
from tests.helpers import damaged_packs as damaged
from tests.helpers import echo_models
from tests.helpers.int8_networks import Net
from tests.helpers.small_weights import small


@lru_cache
def model() -> bytes:
    """A network of three layers whose weights follow a kernel's form, as those of pictures do."""
    net = Net()
    x = net.conv(net.input(8, 8, 3, scale=1 / 255), 32, (3, 3))
    x = net.conv(net.conv(x, 24), 1, (3, 3), depthwise=True)
    scores = net.softmax(net.dense(net.mean(x, scale=x.scale, zero_point=x.zero_point), 5))
    return echo_models.described(small(net.bytes(scores)), list("abcde"))


@lru_cache
def whole() -> bytes:
    return packs.pack(model())


def kinds() -> dict[int, int]:
    return {entry[0]: entry[1] for entry in damaged.entries(whole())}


def refused(data: bytes) -> str:
    with pytest.raises(packs.PackError) as error:
        packs.unpack(data)
    return str(error.value)


def test_the_network_uses_every_coder() -> None:
    assert kinds()[Kind.WEIGHTS] == weights.CODING
    assert kinds()[Kind.SCALES] == kinds()[Kind.BIASES] == CODING
    assert kinds()[Kind.GRAPH] == general.LZMA


def test_sealing_changes_nothing() -> None:
    data = whole()
    assert damaged.sealed(data[: damaged.HEADER], damaged.entries(data), damaged.contents(data)) == data


@pytest.mark.parametrize("at", [0, 5, 8, 10, 12, 16, 47, 48, 60, -33, -1])
def test_a_flipped_byte_is_found(at: int) -> None:
    data = bytearray(whole())
    data[at] ^= 0x40
    assert refused(bytes(data))


def test_every_length_but_the_whole_is_refused() -> None:
    data = whole()
    for length in [*range(120), *range(120, len(data), 97), len(data) - 1]:
        assert refused(data[:length])
    assert "sha256" in refused(data + b"\0")


def test_the_crc_names_the_section() -> None:
    data = bytearray(whole())
    at = damaged.HEADER + len(damaged.entries(whole())) * damaged.ENTRY
    data[at] ^= 1
    body = bytes(data[: -damaged.DIGEST])
    assert refused(body + hashlib.sha256(body).digest()) == (
        "the pack is damaged: section 0 (graph) has another CRC-32"
    )


def test_another_model_of_the_same_form_is_refused() -> None:
    other = np.frombuffer(damaged.contents(whole())[0], np.uint8).copy()
    graph = general.decode(general.LZMA, other.tobytes(), damaged.entries(whole())[0][4])
    coding, stored = general.encode(graph[:-1] + b"!")
    assert "another sha256" in refused(damaged.with_section(whole(), Kind.GRAPH, stored, coding))


def test_a_newer_version_is_told() -> None:
    header = whole()[:8] + struct.pack("<H", 2) + whole()[10 : damaged.HEADER]
    said = refused(damaged.sealed(header, damaged.entries(whole()), damaged.contents(whole())))
    assert said == "the pack is of version 2; expected 1: unpack it with a newer sqz-tf"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.LABELS])
@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 40, bytes(range(256)) * 8])
def test_a_section_of_something_else_is_refused(kind: Kind, content: bytes) -> None:
    for coding in (None, 0, 1, weights.CODING, CODING, 99):
        assert refused(damaged.with_section(whole(), kind, content, coding))


def test_a_table_may_not_reach_beyond_the_file() -> None:
    parts = b"".join(map(integer, [Kind.WEIGHTS, 8, 1 << 34, 1 << 34, 1 << 34, 1 << 34]))
    assert "a part ends at" in refused(damaged.with_section(whole(), Kind.TABLE, parts, 0, len(parts)))
    endless = b"\xff" * 20
    assert "too long" in refused(damaged.with_section(whole(), Kind.TABLE, endless, 0, len(endless)))


def test_little_is_allocated_for_a_bomb() -> None:
    zeros = b"\0" * (1 << 23)
    bomb = general._lzma(zeros, 3, 0, 0)
    del zeros
    data = damaged.with_section(whole(), Kind.GRAPH, bomb, general.LZMA)
    tracemalloc.start()
    assert refused(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(model())


def test_impossible_numbers_are_refused() -> None:
    scales = Encoder()
    scales.integer(0, 2)
    scales.integer(1, 1 << 20)
    data = damaged.with_section(whole(), Kind.SCALES, scales.finish(), CODING)
    assert "scales follow from" in refused(data)


def test_what_takes_long_to_decode_is_refused() -> None:
    part = Part(Kind.WEIGHTS, 0, 400, 1, 1, 400)
    content = np.random.default_rng(0).integers(-3, 4, part.size).astype(np.int8).tobytes()
    block = bytearray(weights.encode([part], [content]))
    lanes = block[0] + 1
    assert block[lanes] == 6
    block[lanes] = 0
    with pytest.raises(packs.PackError, match="1 lanes, expected at least 64"):
        list(weights.decode([part], bytes(block)))
    kernels = [Part(Kind.WEIGHTS, 0, 64, 16, 16, 1)] * 65
    table = b"".join(integer(value) for each in kernels for value in (Kind.WEIGHTS, 0, 64, 16, 16, 1))
    assert weights.places(kernels) > weights.MOST_PLACES
    header = whole()[:12] + struct.pack("<I", 65 * 64 * 256) + whole()[16 : damaged.HEADER]
    sections = [
        [Kind.GRAPH, 0, 0, 0, 0, 0],
        [Kind.TABLE, 0, 0, 0, len(table), 0],
        [Kind.WEIGHTS, 16, 65, 0, 65 << 14, 0],
    ]
    assert "16,640 places" in refused(damaged.sealed(header, sections, [b"", table, b"\0" * 9]))


def attacked(count: int, seed: int) -> int:
    """Return how many of so many mutants still unpack; each unpacks to the model or is refused."""
    same = 0
    for data in damaged.mutants(whole(), count, seed):
        try:
            found = packs.unpack(data)
        except packs.PackError:
            continue
        assert hashlib.sha256(found).digest() == data[16:48]
        same += 1
    return same


def test_mutants_are_refused_or_unpack_to_what_their_checksum_says() -> None:
    assert attacked(150, seed=0) < 150


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_thousands_of_mutants(seed: int) -> None:
    attacked(2500, seed=100 + seed)


def test_unpacking_is_told_to_stop_by_lzma_errors_alone() -> None:
    with pytest.raises(packs.PackError):
        general.decode(general.LZMA, b"\x5d" + b"\xff" * 20, 100)
    with pytest.raises(packs.PackError, match="impossible properties"):
        general.decode(general.LZMA, b"\xff" + lzma.compress(b"x"), 100)
