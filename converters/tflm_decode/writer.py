"""Write a `.tflite` whose weights are held compressed, with a DECODE operator before each layer that reads them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import add_buffer, drop_unused_buffers, pack, unpack
from converters.tflite.model import Model, Op, Tensor
from converters.tflite.reader import read_model
from converters.tflm_decode.encodings import Encoded, encodings

OPERATOR = b"TFLM_DECODE"
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# What is added to the FlatBuffer at most, alignment of data included. No tensor is compressed that saves less.
FIRST = 64  # once: the operator's code and name
EACH = 128  # a reader: its operator, the decoded tensor; with the first two tensors and a buffer
CHANNEL = 12  # a reader after the first: the decoded tensor's scale and zero point, for each channel


@dataclass(frozen=True)
class Choice:
    """How a weight tensor is held.

    Attributes:
      tensor: its index in the model given.
      name: its name, perhaps empty.
      readers: the operators that read it; each has a DECODE of its own.
      dense: its bytes as they were.
      encoded: the smallest encoding, None where the tensor stays dense.
    """

    tensor: int
    name: str
    readers: tuple[int, ...]
    dense: int
    encoded: Encoded | None

    @property
    def encoding(self) -> str:
        """`dense`, `lut`, `huffman` or `prune`."""
        return "dense" if self.encoded is None else self.encoded.encoding

    @property
    def bytes(self) -> int:
        """What the tensor takes in the file, its table included."""
        return self.dense if self.encoded is None else self.encoded.bytes


def choices(model: bytes, largest: int | None = None) -> tuple[Choice, ...]:
    """Choose for each int8 weight tensor whether it stays dense or which encoding is the smallest.

    A tensor stays dense where no encoding saves more than the operator adds, or where its bytes are another's too.

    Args:
      model: `.tflite` bytes.
      largest: bytes of the largest tensor to compress. A decoded tensor lies in the arena while its layer runs.

    Raises:
      ValueError: not a `.tflite` file.
    """
    info = read_model(model)
    buffers = [tensor.buffer for tensor in unpack(model).subgraphs[0].tensors]
    chosen: list[Choice] = []
    gain = -FIRST
    for tensor, readers in _weights(info):
        shared = buffers.count(buffers[tensor.index]) > 1
        choice = _choice(tensor, readers, largest, shared)
        gain += choice.dense - choice.bytes - (_overhead(readers, tensor) if choice.encoded else 0)
        chosen.append(choice)
    return tuple(chosen if gain > 0 else [replace(choice, encoded=None) for choice in chosen])


def with_decode(model: bytes, largest: int | None = None) -> bytes:
    """Return the model with every weight tensor that gains by it compressed; what is appended to it is dropped.

    Only TFLite Micro runs it, with its DECODE operator registered (`AddDecode`).

    Args:
      model: `.tflite` bytes.
      largest: as for `choices`.

    Raises:
      ValueError: not a `.tflite` file.
    """
    return insert(model, {each.tensor: each.encoded for each in choices(model, largest) if each.encoded})


def insert(model: bytes, encoded: Mapping[int, Encoded]) -> bytes:
    """Return the model with these weight tensors held as given, and a DECODE operator before each of their readers.

    Args:
      model: `.tflite` bytes.
      encoded: by tensor; the decoded bytes must be the tensor's.

    Raises:
      ValueError: not a `.tflite` file.
    """
    editable = unpack(model)
    if encoded:
        _insert(editable, encoded)
        drop_unused_buffers(editable)
    return pack(editable)


def _weights(info: Model) -> list[tuple[Tensor, tuple[int, ...]]]:
    """Return the int8 constants that are layers' weights and nothing else, with their readers, in order."""
    uses: dict[int, list[tuple[Op, int]]] = {}
    for op in info.ops:
        for place, index in enumerate(op.inputs):
            uses.setdefault(index, []).append((op, place))
    found = []
    for index, users in uses.items():
        tensor = info.tensors[index]
        plain = index >= 0 and tensor.dtype == "int8" and tensor.data is not None and tensor.scale
        if plain and index not in info.outputs and all(op.name in LAYERS and place == 1 for op, place in users):
            found.append((tensor, tuple(op.index for op, _ in users)))
    return found


def _choice(tensor: Tensor, readers: tuple[int, ...], largest: int | None, shared: bool) -> Choice:
    found: Sequence[Encoded] = ()
    if not shared and (largest is None or tensor.size <= largest):
        found = encodings(tensor)
    best = min(found, key=lambda encoded: encoded.bytes, default=None)
    gains = best is not None and best.bytes + _overhead(readers, tensor) < tensor.size
    return Choice(tensor.index, tensor.name, readers, tensor.size, best if gains else None)


def _overhead(readers: tuple[int, ...], tensor: Tensor) -> int:
    return EACH * len(readers) + CHANNEL * len(tensor.scale) * (len(readers) - 1)


def _insert(model: Any, encoded: Mapping[int, Encoded]) -> None:
    graph = model.subgraphs[0]
    operators: list[Any] = []
    originals = {index: graph.tensors[index] for index in encoded}
    sources = {index: _hold(model, index, each) for index, each in encoded.items()}
    code = _operator_code(model)
    for op in graph.operators:
        for place, index in enumerate(op.inputs):
            if int(index) in encoded:
                decoded = _add_tensor(graph, _decoded(originals[int(index)]))
                operators.append(_decode(code, sources[int(index)], decoded))
                op.inputs = [*op.inputs[:place], decoded, *op.inputs[place + 1 :]]
        operators.append(op)
    graph.operators = operators


def _hold(model: Any, index: int, encoded: Encoded) -> list[int]:
    """Put a weight tensor's encoded bytes in its place and add its table; return the indices of both."""
    graph = model.subgraphs[0]
    graph.tensors[index] = _bytes_tensor(model, encoded.data)
    return [index, _add_tensor(graph, _bytes_tensor(model, encoded.table))]


def _bytes_tensor(model: Any, data: bytes) -> Any:
    tensor = schema.TensorT()
    tensor.type, tensor.shape, tensor.buffer = schema.TensorType.UINT8, [len(data)], add_buffer(model, data)
    return tensor


def _decoded(original: Any) -> Any:
    """Return the tensor that a layer reads instead: all is as it was, but for its data."""
    tensor = copy.copy(original)
    tensor.buffer = 0
    if len(tensor.quantization.scale) == 1:
        tensor.quantization = copy.copy(tensor.quantization)
        tensor.quantization.quantizedDimension = 0  # it means nothing, but the kernels refuse others
    return tensor


def _add_tensor(graph: Any, tensor: Any) -> int:
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator_code(model: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = OPERATOR, 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _decode(code: int, sources: list[int], decoded: int) -> Any:
    op = schema.OperatorT()
    op.opcodeIndex = code
    op.inputs, op.outputs = np.array(sources, np.int32), np.array([decoded], np.int32)
    return op
