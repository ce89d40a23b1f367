"""Restore the `.tflite` that a pack stands for."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from converters.packs import container, general, numbers, table, weights
from converters.packs.container import Container, Section, require
from converters.packs.parts import PART_KINDS, Kind, Part, put_back


def unpack(data: bytes) -> bytes:
    """Return the `.tflite` that a pack stands for, the same bytes that were packed.

    Raises:
      PackError: the pack is damaged or of another version.
    """
    found = container.read(data)
    parts = table.read(_only(found, Kind.TABLE), found.size)
    graph = _only(found, Kind.GRAPH)
    total = len(graph) + sum(part.size for part in parts)
    require(total == found.size, f"its parts make {total:,} bytes, expected {found.size:,}")
    model = put_back(graph, parts, _contents(found, parts))
    require(hashlib.sha256(model).digest() == found.digest, "the .tflite it unpacks to has another sha256")
    return model


def _only(found: Container, kind: Kind) -> bytes:
    sections = found.of(kind)
    require(len(sections) == 1, f"it has {len(sections)} sections of kind {kind.name.lower()}, expected 1")
    return general.decode(sections[0].coding, sections[0].stored, sections[0].size)


def _contents(found: Container, parts: Sequence[Part]) -> list[bytes]:
    """Return the bytes of each part."""
    of = {kind: [part for part in parts if part.kind == kind] for kind in PART_KINDS}
    scales = list(_of_kind(found.of(Kind.SCALES), of[Kind.SCALES], []))
    vectors = [np.frombuffer(content, "<f4") for content in scales]
    contents = {
        kind: iter(scales) if kind == Kind.SCALES else _of_kind(found.of(kind), of[kind], vectors) for kind in of
    }
    restored = [next(contents[part.kind]) for part in parts]
    for rest in contents.values():
        deque(rest, maxlen=0)  # what is checked at a section's end
    return restored


def _of_kind(sections: Sequence[Section], parts: Sequence[Part], scales: list[np.ndarray]) -> Iterator[bytes]:
    covered = sum(section.parts for section in sections)
    require(covered == len(parts), f"its sections hold {covered:,} parts of a kind, expected {len(parts):,}")
    at = 0
    for section in sections:
        yield from _decoded(section, parts[at : at + section.parts], scales)
        at += section.parts


def _decoded(section: Section, parts: Sequence[Part], scales: list[np.ndarray]) -> Iterator[bytes]:
    size = sum(part.size for part in parts)
    require(section.size == size, f"a section stands for {section.size:,} bytes, expected {size:,}")
    counts = [part.rows for part in parts]
    if (section.kind, section.coding) == (Kind.WEIGHTS, weights.CODING):
        require(size <= weights.LARGEST, f"a block holds {size:,} weights, expected at most {weights.LARGEST:,}")
        yield from weights.decode(parts, section.stored)
    elif (section.kind, section.coding) == (Kind.SCALES, numbers.CODING):
        yield from (values.tobytes() for values in numbers.decode_scales(counts, section.stored))
    elif (section.kind, section.coding) == (Kind.BIASES, numbers.CODING):
        yield from (values.tobytes() for values in numbers.decode_biases(counts, scales, section.stored))
    else:
        yield from _split(general.decode(section.coding, section.stored, size), parts)


def _split(content: bytes, parts: Sequence[Part]) -> Iterator[bytes]:
    at = 0
    for part in parts:
        yield content[at : at + part.size]
        at += part.size
