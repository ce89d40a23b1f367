"""Restore the `.tflite` that a pack stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from converters.packs import container, general, numbers, table, weights
from converters.packs.container import Container, Section, require
from converters.packs.parts import PART_KINDS, Kind, Part, put_back

_OF_NUMBERS = (Kind.SCALES, Kind.BIASES)


@dataclass(frozen=True)
class Restored:
    """A part, its bytes, and how many bytes of the pack were read for them."""

    part: Part
    content: bytes
    spent: int


def unpack(data: bytes) -> bytes:
    """Return the `.tflite` that a pack stands for, the same bytes that were packed.

    Raises:
      PackError: the pack is damaged or of another version.
    """
    return restore(data)[0]


def restore(data: bytes) -> tuple[bytes, list[Restored]]:
    """Return the `.tflite` that a pack stands for, and its parts in the order of the file.

    Raises:
      PackError: the pack is damaged or of another version.
    """
    found = container.read(data)
    parts = table.read(_only(found, Kind.TABLE), found.size)
    graph = _only(found, Kind.GRAPH)
    total = len(graph) + sum(part.size for part in parts)
    require(total == found.size, f"its parts make {total:,} bytes, expected {found.size:,}")
    restored = _parts(found, parts)
    model = put_back(graph, parts, [each.content for each in restored])
    require(hashlib.sha256(model).digest() == found.digest, "the .tflite it unpacks to has another sha256")
    return model, restored


def _only(found: Container, kind: Kind) -> bytes:
    sections = found.of(kind)
    require(len(sections) == 1, f"it has {len(sections)} sections of kind {kind.name.lower()}, expected 1")
    return general.decode(sections[0].coding, sections[0].stored, sections[0].size)


def _parts(found: Container, parts: Sequence[Part]) -> list[Restored]:
    """Return the parts restored, in the order given: scales first, for biases follow from them."""
    _check_work(found, weights.places([part for part in parts if part.kind == Kind.WEIGHTS]))
    of = {kind: [part for part in parts if part.kind == kind] for kind in PART_KINDS}
    scales = list(_of_kind(found.of(Kind.SCALES), of[Kind.SCALES], []))
    vectors = [np.frombuffer(each.content, "<f4") for each in scales]
    rest = [each for kind in PART_KINDS if kind != Kind.SCALES for each in _of_kind(found.of(kind), of[kind], vectors)]
    return sorted([*scales, *rest], key=lambda each: each.part.start)


def _check_work(found: Container, places: int) -> None:
    """Refuse what would take minutes to decode."""
    blocks = [section for section in found.of(Kind.WEIGHTS) if section.coding == weights.CODING]
    most = weights.MOST_PLACES
    require(not blocks or places <= most, f"its kernels have {places:,} places, expected at most {most:,}")
    for kind, coding, most in (
        (Kind.WEIGHTS, weights.CODING, weights.LARGEST),
        *((kind, numbers.CODING, numbers.LARGEST) for kind in _OF_NUMBERS),
    ):
        size = sum(section.size for section in found.of(kind) if section.coding == coding)
        require(size <= most, f"it codes {size:,} bytes of {kind.name.lower()}, expected at most {most:,}")


def _of_kind(sections: Sequence[Section], parts: Sequence[Part], scales: list[np.ndarray]) -> Iterator[Restored]:
    covered = sum(section.parts for section in sections)
    require(covered == len(parts), f"its sections hold {covered:,} parts of a kind, expected {len(parts):,}")
    at = 0
    for section in sections:
        yield from _decoded(section, parts[at : at + section.parts], scales)
        at += section.parts


def _decoded(section: Section, parts: Sequence[Part], scales: list[np.ndarray]) -> Iterator[Restored]:
    size = sum(part.size for part in parts)
    require(section.size == size, f"a section stands for {section.size:,} bytes, expected {size:,}")
    counts = [part.rows for part in parts]
    if (section.kind, section.coding) == (Kind.WEIGHTS, weights.CODING):
        for part, (content, spent) in zip(parts, weights.decode(parts, section.stored), strict=True):
            yield Restored(part, content, spent)
    elif section.kind in _OF_NUMBERS and section.coding == numbers.CODING:
        coded = section.stored
        scaled = section.kind == Kind.SCALES
        vectors = numbers.decode_scales(counts, coded) if scaled else numbers.decode_biases(counts, scales, coded)
        for part, (values, spent) in zip(parts, vectors, strict=True):
            yield Restored(part, values.tobytes(), spent)
    else:
        yield from _split(general.decode(section.coding, section.stored, size), parts, len(section.stored))


def _split(content: bytes, parts: Sequence[Part], stored: int) -> Iterator[Restored]:
    at = 0
    for part in parts:
        yield Restored(part, content[at : at + part.size], stored * part.size // max(1, len(content)))
        at += part.size
