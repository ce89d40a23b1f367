"""Pack a `.tflite` without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from converters.packs import container, general, numbers, table, weights
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
    located = replace(located, parts=located.parts[: table.MOST_PARTS])
    sections = [
        _general(Kind.GRAPH, take_out(model, located.parts)),
        _general(Kind.TABLE, table.write(located.parts)),
        *_numbers(model, located),
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


def _numbers(model: bytes, located: Located) -> list[Section]:
    """Return the sections of scales and biases."""
    scales, biases = ([part for part in located.parts if part.kind == kind] for kind in (Kind.SCALES, Kind.BIASES))
    vectors = [np.frombuffer(content, "<f4") for content in _contents(model, scales)]
    values = [np.frombuffer(content, "<i4") for content in _contents(model, biases)]
    number = {part.start: place for place, part in enumerate(scales)}
    rules, links = dict[int, numbers.Rule](), dict[int, int]()
    for layer in located.layers:
        if layer.weight_scales in number and layer.bias_scales in number:
            rules[number[layer.bias_scales]] = (number[layer.weight_scales], layer.input_scale)
            links[layer.biases] = number[layer.bias_scales]
    linked = [links.get(part.start, -1) for part in biases]
    return [
        *_better(model, located, Kind.SCALES, numbers.CODING, lambda: numbers.encode_scales(vectors, rules)),
        *_better(model, located, Kind.BIASES, numbers.CODING, lambda: numbers.encode_biases(values, vectors, linked)),
    ]


def _better(model: bytes, located: Located, kind: Kind, coding: int, encode: Callable[[], bytes]) -> Iterator[Section]:
    """Yield the section of all parts of a kind, in the coding that takes fewer bytes; nothing if there are none."""
    for plain in _arrays(model, located, kind):
        stored = encode() if plain.size <= numbers.LARGEST else plain.stored
        better = len(stored) < len(plain.stored)
        yield Section(kind, coding, plain.parts, stored, plain.size) if better else plain


def _blocks(model: bytes, located: Located) -> Iterator[Section]:
    """Yield the weights, block by block; those beyond what a pack may hold of them are coded generally."""
    layers = [part for part in located.parts if part.kind == Kind.WEIGHTS]
    left = weights.LARGEST if weights.places(layers) <= weights.MOST_PLACES else 0
    for parts in _grouped(layers):
        contents = _contents(model, parts)
        plain = _general(Kind.WEIGHTS, b"".join(contents), len(parts))
        stored = weights.encode(parts, contents) if plain.size <= left else plain.stored
        better = len(stored) < len(plain.stored)
        left -= plain.size if better else 0
        yield Section(Kind.WEIGHTS, weights.CODING, len(parts), stored, plain.size) if better else plain


def _grouped(parts: list[Part]) -> Iterator[list[Part]]:
    """Yield the layers of each block."""
    block: list[Part] = []
    for part in parts:
        if block and sum(each.size for each in [*block, part]) > _BLOCK:
            yield block
            block = []
        block.append(part)
    if block:
        yield block
