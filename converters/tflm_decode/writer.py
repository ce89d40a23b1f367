"""Write a `.tflite` whose weights are held compressed, with a DECODE operator before each layer that reads them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import add_buffer, drop_unused_buffers, pack, unpack
from converters.tflite.model import Model, Tensor
from converters.tflite.reader import read_model
from converters.tflm_decode.encodings import Encoded, encodings

OPERATOR = b"TFLM_DECODE"
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# What an operator, two more tensors and a buffer take in a FlatBuffer, alignment of their data in the worst case
# included; measured by the tests. A tensor that gains less stays as it is.
OVERHEAD = 128


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

    Args:
      model: `.tflite` bytes.
      largest: bytes of the largest tensor to compress. A decoded tensor lies in the arena while its layer runs.

    Raises:
      ValueError: not a `.tflite` file.
    """
    info = read_model(model)
    buffers = [tensor.buffer for tensor in unpack(model).subgraphs[0].tensors]
    return tuple(
        _choice(tensor, readers, largest, shared=buffers.count(buffers[tensor.index]) > 1)
        for tensor, readers in _weights(info)
    )


def with_decode(model: bytes, largest: int | None = None) -> bytes:
    """Return the model with every weight tensor that gains by it compressed; what is appended to it is dropped.

    Only TFLite Micro runs it, with its DECODE operator registered (`AddDecode`).

    Args:
      model: `.tflite` bytes.
      largest: as for `choices`.

    Raises:
      ValueError: not a `.tflite` file.
    """
    chosen = {choice.tensor: choice for choice in choices(model, largest) if choice.encoded is not None}
    editable = unpack(model)
    if chosen:
        _insert(editable, chosen)
        drop_unused_buffers(editable)
    return pack(editable)


def _weights(info: Model) -> list[tuple[Tensor, tuple[int, ...]]]:
    """Return the int8 constants that are layers' weights and nothing else, with their readers, in order."""
    uses = [(index, op, place) for op in info.ops for place, index in enumerate(op.inputs)]
    roles: dict[int, list[bool]] = {}
    readers: dict[int, list[int]] = {}
    for index, op, place in uses:
        roles.setdefault(index, []).append(op.name in LAYERS and place == 1)
        readers.setdefault(index, []).append(op.index)
    wanted = [
        info.tensors[i] for i, role in roles.items() if i >= 0 and all(role) and i not in (*info.inputs, *info.outputs)
    ]
    return [(t, tuple(readers[t.index])) for t in wanted if t.dtype == "int8" and t.data is not None and t.scale]


def _choice(tensor: Tensor, readers: tuple[int, ...], largest: int | None, shared: bool) -> Choice:
    found: Sequence[Encoded] = ()
    if not shared and (largest is None or tensor.size <= largest):
        found = encodings(tensor)
    best = min(found, key=lambda encoded: encoded.bytes, default=None)
    gains = best is not None and best.bytes + OVERHEAD * len(readers) < tensor.size
    return Choice(tensor.index, tensor.name, readers, tensor.size, best if gains else None)


def _insert(model: Any, chosen: Mapping[int, Choice]) -> None:
    graph = model.subgraphs[0]
    operators: list[Any] = []
    originals = {index: copy.copy(graph.tensors[index]) for index in chosen}
    sources = {index: _hold(model, index, choice) for index, choice in chosen.items()}
    code = _operator_code(model)
    for op in graph.operators:
        for place, index in enumerate(op.inputs):
            if int(index) in chosen:
                decoded = _add_tensor(graph, _decoded(originals[int(index)]))
                operators.append(_decode(code, sources[int(index)], decoded))
                op.inputs = [*op.inputs[:place], decoded, *op.inputs[place + 1 :]]
        operators.append(op)
    graph.operators = operators


def _hold(model: Any, index: int, choice: Choice) -> list[int]:
    """Turn a weight tensor into its encoded bytes and add its table; return the indices of both."""
    assert choice.encoded is not None
    graph = model.subgraphs[0]
    name = graph.tensors[index].name
    graph.tensors[index] = _bytes_tensor(model, choice.encoded.data, name and name + b"_encoded")
    table = _bytes_tensor(model, choice.encoded.table, name and name + b"_table")
    return [index, _add_tensor(graph, table)]


def _bytes_tensor(model: Any, data: bytes, name: bytes | None) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, schema.TensorType.UINT8, [len(data)]
    tensor.buffer = add_buffer(model, data)
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
