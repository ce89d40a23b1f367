"""Where the arrays of a `.tflite` lie in its bytes, read from the FlatBuffer's offsets; see the public `schema.fbs`.

Only what leads to arrays is read. A file in which anything is not as expected is still packed: whole, as graph.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from math import prod

from converters.packs.parts import Kind, Part, apart

# Positions of fields in the tables of TFLite's schema, and values of its enums.
_SUBGRAPHS, _BUFFERS = 2, 4
_TENSORS, _OPERATORS = 0, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTIZATION = 0, 1, 2, 3, 4
_SCALE, _QUANTIZED_DIMENSION = 2, 6
_INPUTS = 1
_INT32, _INT8 = 2, 9

FEWEST = 4  # values of an array that is coded apart
_LOCAL_HEADER = 30  # bytes before a zip member's name
_TEXTS = {"labels.txt": Kind.LABELS, "preprocess.json": Kind.PREPROCESSING}


@dataclass(frozen=True)
class Layer:
    """What belongs together in one layer: where vectors begin in the file, and the input's scale, a float32."""

    input_scale: float
    weight_scales: int
    bias_scales: int
    biases: int


@dataclass(frozen=True)
class Located:
    """The parts of a file in its order, and which scales belong together."""

    parts: tuple[Part, ...]
    layers: tuple[Layer, ...] = ()


class _Flat:
    """A FlatBuffer's bytes, read by position; whatever lies outside is a struct.error."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, form: str, at: int) -> int:
        if at < 0:
            raise struct.error("before the file")
        return int(struct.unpack_from(form, self.data, at)[0])

    def field(self, table: int, position: int) -> int:
        """Return where a table's field lies, 0 if it is absent."""
        vtable = table - self.number("<i", table)
        slot = 4 + 2 * position
        offset = self.number("<H", vtable + slot) if slot < self.number("<H", vtable) else 0
        return table + offset if offset else 0

    def scalar(self, table: int, position: int, form: str) -> int:
        at = self.field(table, position)
        return self.number(form, at) if at else 0

    def follow(self, at: int) -> int:
        return at + self.number("<I", at)

    def vector(self, table: int, position: int, item: int) -> tuple[int, int]:
        """Return where a vector's values begin and how many there are; all lie in the file."""
        at = self.field(table, position)
        if not at:
            return 0, 0
        start = self.follow(at) + 4
        count = self.number("<I", start - 4)
        if start + count * item > len(self.data):
            raise struct.error("beyond the file")
        return start, count

    def tables(self, table: int, position: int) -> list[int]:
        start, count = self.vector(table, position, 4)
        return [self.follow(at) for at in range(start, start + 4 * count, 4)]

    def integers(self, table: int, position: int) -> tuple[int, ...]:
        start, count = self.vector(table, position, 4)
        return struct.unpack_from(f"<{count}i", self.data, start)


def locate(data: bytes) -> Located:
    """Return the parts of a `.tflite`; none where its FlatBuffer cannot be followed."""
    texts = tuple(_texts(data))
    try:
        arrays, layers = _arrays(_Flat(data))
    except (struct.error, IndexError, OverflowError):
        arrays, layers = [], []
    return Located(tuple(apart([*arrays, *texts])), tuple(layers))


def _arrays(flat: _Flat) -> tuple[list[Part], list[Layer]]:
    model = flat.follow(0)
    buffers = [flat.vector(buffer, 0, 1) for buffer in flat.tables(model, _BUFFERS)]
    parts: list[Part] = []
    layers: list[Layer] = []
    for graph in flat.tables(model, _SUBGRAPHS):
        tensors = flat.tables(graph, _TENSORS)
        parts += [part for tensor in tensors for part in _of_tensor(flat, tensor, buffers)]
        layers += [
            layer for operator in flat.tables(graph, _OPERATORS) for layer in _layer(flat, operator, tensors, buffers)
        ]
    return parts, layers


def _of_tensor(flat: _Flat, tensor: int, buffers: list[tuple[int, int]]) -> Iterator[Part]:
    """Yield the arrays of a tensor that are coded apart."""
    start, size = buffers[flat.scalar(tensor, _BUFFER, "<I")]
    shape, kind = flat.integers(tensor, _SHAPE), flat.scalar(tensor, _TYPE, "<b")
    at, length = flat.vector(tensor, _NAME, 1)
    name = flat.data[at : at + length].decode("utf-8", "replace")
    scales, dimension = _scales(flat, tensor)
    if kind == _INT8 and size >= FEWEST and prod(shape) == size and all(side > 0 for side in shape):
        yield _weights(shape, start, dimension, name)
    if kind == _INT32 and size >= 4 * FEWEST and scales[1] and size % 4 == 0:
        yield Part(Kind.BIASES, start, size // 4, name=name)
    if scales[1] >= FEWEST:
        yield Part(Kind.SCALES, scales[0], scales[1], name=name)


def _scales(flat: _Flat, tensor: int) -> tuple[tuple[int, int], int]:
    """Return where a tensor's scales lie and how many there are, and the dimension that they go along."""
    quantization = flat.field(tensor, _QUANTIZATION)
    if not quantization:
        return (0, 0), 0
    table = flat.follow(quantization)
    return flat.vector(table, _SCALE, 4), flat.scalar(table, _QUANTIZED_DIMENSION, "<i")


def _weights(shape: tuple[int, ...], start: int, dimension: int, name: str) -> Part:
    if len(shape) == 4 and shape[0] == 1 and dimension == 3:
        return Part(Kind.WEIGHTS, start, shape[3], shape[1], shape[2], 1, True, name)
    if len(shape) == 4:
        return Part(Kind.WEIGHTS, start, *shape, name=name)
    inner = shape[-1] if len(shape) > 1 else 1
    return Part(Kind.WEIGHTS, start, prod(shape) // inner, inner=inner, name=name)


def _layer(flat: _Flat, operator: int, tensors: list[int], buffers: list[tuple[int, int]]) -> Iterator[Layer]:
    """Yield the scales of an operator with weights and a bias."""
    inputs = flat.integers(operator, _INPUTS)[:3]
    if len(inputs) < 3 or min(inputs) < 0:
        return
    source, weights, bias = (_scales(flat, tensors[index])[0] for index in inputs)
    if source[1] == 1 and weights[1] == bias[1] > 0:
        (scale,) = struct.unpack_from("<f", flat.data, source[0])
        yield Layer(scale, weights[0], bias[0], buffers[flat.scalar(tensors[inputs[2]], _BUFFER, "<I")][0])


def _texts(data: bytes) -> Iterator[Part]:
    """Yield the labels and preprocessing that a zip behind the FlatBuffer stores without compression."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
    except Exception:  # BadZipFile and whatever else a damaged one makes it raise
        return
    for member in members:
        kind, at = _TEXTS.get(member.filename), member.header_offset
        header = data[at : at + _LOCAL_HEADER] if at >= 0 else b""
        if kind and member.compress_type == zipfile.ZIP_STORED and len(header) == _LOCAL_HEADER:
            start = at + _LOCAL_HEADER + sum(struct.unpack("<HH", header[26:30]))
            if start + member.file_size <= len(data):
                yield Part(kind, start, member.file_size, name=member.filename)
