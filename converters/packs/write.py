"""Pack a `.tflite` without loss."""

from __future__ import annotations

from collections.abc import Iterator

from converters.packs import container, general, table, weights
from converters.packs.container import LARGEST, Section
from converters.packs.locate import Located, locate
from converters.packs.parts import Kind, Part, take_out

_IDENTIFIER = b"TFL3"
_BLOCK = 400_000  # weights of a block of several layers


def pack(model: bytes) -> bytes:
    """Return the pack of a `.tflite`; `unpack` returns the same bytes.

    Args:
      model: the whole file, with whatever is appended to its FlatBuffer.

    Raises:
      ValueError: the bytes are no `.tflite`, or too many.
    """
    if model[4:8] != _IDENTIFIER:
        raise ValueError(f"bytes 4-8 are {model[4:8]!r}; expected a .tflite file (a FlatBuffer with identifier TFL3)")
    if len(model) > LARGEST:
        raise ValueError(f"the .tflite has {len(model):,} bytes; expected at most {LARGEST:,}")
    located = locate(model)
    sections = [
        _general(Kind.GRAPH, take_out(model, located.parts)),
        _general(Kind.TABLE, table.write(located.parts)),
        *_arrays(model, located, Kind.SCALES),
        *_arrays(model, located, Kind.BIASES),
        *_blocks(model, located),
        *_arrays(model, located, Kind.LABELS),
        *_arrays(model, located, Kind.PREPROCESSING),
    ]
    return container.write(sections, model)


def _general(kind: Kind, data: bytes, parts: int = 0) -> Section:
    coding, stored = general.encode(data)
    return Section(kind, coding, parts, stored, len(data))


def _arrays(model: bytes, located: Located, kind: Kind) -> list[Section]:
    parts = [part for part in located.parts if part.kind == kind]
    return [_general(kind, b"".join(_contents(model, parts)), len(parts))] if parts else []


def _contents(model: bytes, parts: list[Part]) -> list[bytes]:
    return [model[part.start : part.end] for part in parts]


def _blocks(model: bytes, located: Located) -> Iterator[Section]:
    """Yield the weights, block by block."""
    block: list[Part] = []
    for part in located.parts:
        if part.kind == Kind.WEIGHTS:
            if block and sum(each.size for each in [*block, part]) > _BLOCK:
                yield _block(model, block)
                block = []
            block.append(part)
    if block:
        yield _block(model, block)


def _block(model: bytes, parts: list[Part]) -> Section:
    contents = _contents(model, parts)
    plain = _general(Kind.WEIGHTS, b"".join(contents), len(parts))
    if plain.size > weights.LARGEST:
        return plain
    stored = weights.encode(parts, contents)
    better = len(stored) < len(plain.stored)
    return Section(Kind.WEIGHTS, weights.CODING, len(parts), stored, plain.size) if better else plain
