"""From the bytes of a `.tflite` file to frozen values, every offset, length and index checked on the way.

Format: the public schema `tensorflow/compiler/mlir/lite/schema/schema.fbs`, version 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.flatbuffer import Invalid, check, names, numbers, tables, text
from converters.tflite.model import NUMPY_DTYPES, Model, Op, Tensor
from converters.tflite.operators import INPUTS, options

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
KEPT = 4  # the models read last: one run asks for the same two or three again and again
LARGEST_KEPT = 1 << 24  # bytes of a file; what is read of it takes as much again
NOT_A_MODEL = "expected a .tflite file (a FlatBuffer with identifier TFL3)"

_TENSOR_TYPES = {number: name.lower() for number, name in names(schema.TensorType).items()}
_OPERATORS = names(schema.BuiltinOperator)


def read_model(data: bytes) -> Model:
    """Read the bytes of a `.tflite` file.

    Args:
      data: the whole file; anything appended to the FlatBuffer (a zip) is ignored.

    Returns:
      The model; for bytes that were read just before, the same one again. Nothing in it can be changed.

    Raises:
      ValueError: the bytes are not a `.tflite` file, are damaged, or hold what this kit does not read
        (several subgraphs, sparse encodings).
    """
    require_identifier(data)
    return _kept(data) if len(data) <= LARGEST_KEPT else _parsed(data)


@lru_cache(maxsize=KEPT)
def _kept(data: bytes) -> Model:
    return _parsed(data)


def _parsed(data: bytes) -> Model:
    try:
        return _model(schema.Model.GetRootAs(data, 0), data)
    except Invalid:
        raise
    except (struct.error, IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        # The generated accessors trust the file; this is the one place where their faults surface.
        raise ValueError(f"the .tflite file is damaged or cut short ({error})") from error


def require_identifier(data: bytes) -> None:
    """Check that bytes begin like a `.tflite` file.

    Raises:
      ValueError: they do not.
    """
    check(isinstance(data, bytes), f"received {type(data).__name__}, expected bytes")
    check(len(data) >= 8, f"received {len(data)} bytes; {NOT_A_MODEL}")
    check(data[4:8] == IDENTIFIER, f"bytes 4-8 are {data[4:8]!r}; {NOT_A_MODEL}")
    (root,) = struct.unpack_from("<I", data, 0)
    check(8 <= root <= len(data) - 4, f"the .tflite file is damaged: its root is at {root} of {len(data)} bytes")


def _model(root: Any, data: bytes) -> Model:
    check(root.Version() == SCHEMA_VERSION, f"schema version {root.Version()}, expected {SCHEMA_VERSION}")
    check(root.SubgraphsLength() == 1, f"{root.SubgraphsLength()} subgraphs, expected 1")
    buffers = [_buffer(buffer, data) for buffer in tables(root, "Buffers", data)]
    codes = [_op_code(code) for code in tables(root, "OperatorCodes", data)]
    graph = root.Subgraphs(0)
    tensors = tuple(_tensor(i, t, buffers, data) for i, t in enumerate(tables(graph, "Tensors", data)))
    ops = tuple(_op(i, op, codes, len(tensors), data) for i, op in enumerate(tables(graph, "Operators", data)))
    inputs = _indices(graph, "Inputs", len(tensors), data, "the graph's inputs")
    outputs = _indices(graph, "Outputs", len(tensors), data, "the graph's outputs")
    check(ops and inputs and outputs, f"{len(ops)} ops, {len(inputs)} inputs, {len(outputs)} outputs; expected some")
    _check_order(tensors, ops, inputs, outputs)
    used = tuple(dict.fromkeys(op.name for op in ops))
    return Model(tensors, ops, inputs, outputs, used, text(root.Description()))


def _indices(owner: Any, field: str, count: int, data: bytes, what: str, lowest: int = 0) -> tuple[int, ...]:
    indices = tuple(numbers(owner, field, data))
    for index in indices:
        check(lowest <= index < count, f"{what} name tensor {index}, expected one of {count}")
    return indices


def _buffer(buffer: Any, data: bytes) -> np.ndarray | None:
    """Return a buffer's bytes as uint8 [N], or None if it is empty."""
    if buffer.Offset() > 1:  # large models keep their data behind the FlatBuffer
        end = buffer.Offset() + buffer.Size()
        check(end <= len(data), f"the .tflite file is damaged: a buffer ends at {end} of {len(data)} bytes")
        return np.frombuffer(data, np.uint8, buffer.Size(), buffer.Offset())
    length = buffer.DataLength()
    check(length <= len(data), f"the .tflite file is damaged: a buffer of {length} bytes does not fit in it")
    return buffer.DataAsNumpy() if length else None


def _op_code(code: Any) -> str:
    # Old files have the code in an int8 field only, new ones in both.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    check(number in _OPERATORS, f"operator code {number} is unknown")
    name = _OPERATORS[number]
    return f"CUSTOM:{text(code.CustomCode())}" if name == "CUSTOM" else name


def _tensor(index: int, tensor: Any, buffers: Sequence[np.ndarray | None], data: bytes) -> Tensor:
    name = text(tensor.Name())
    where = f"tensor {index} ({name[:80]!r})"
    dtype = _TENSOR_TYPES.get(tensor.Type())
    check(dtype is not None, f"{where} has unknown type {tensor.Type()}")
    shape = tuple(numbers(tensor, "Shape", data))
    check(all(size >= 0 for size in shape), f"{where} has shape {shape}")
    signature = tuple(numbers(tensor, "ShapeSignature", data)) or shape
    check(len(signature) == len(shape), f"{where} has shape {shape} but signature {signature}")
    check(tensor.Sparsity() is None, f"{where} is stored sparse, which this kit does not read")
    check(tensor.Buffer() < len(buffers), f"{where} names buffer {tensor.Buffer()} of {len(buffers)}")
    raw = buffers[tensor.Buffer()]
    return Tensor(
        index,
        name,
        shape,
        str(dtype),
        *_quantization(tensor.Quantization(), shape, where, data),
        is_constant=raw is not None,
        data=None if raw is None else _array(raw, shape, str(dtype), where),
        shape_signature=signature,
        is_variable=bool(tensor.IsVariable()),
    )


def _array(raw: np.ndarray, shape: tuple[int, ...], dtype: str, where: str) -> np.ndarray | None:
    if dtype not in NUMPY_DTYPES:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    expected = math.prod(shape) * kind.itemsize
    check(raw.size == expected, f"{where} has {raw.size} bytes of data, expected {expected} for {dtype} {shape}")
    # A copy, because the file need not keep its data aligned; read-only, because `bytes` are.
    return np.frombuffer(raw.tobytes(), kind).reshape(shape)


def _quantization(
    params: Any, shape: tuple[int, ...], where: str, data: bytes
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if params is None:
        return (), (), 0
    scale = tuple(numbers(params, "Scale", data))
    zero_point = tuple(numbers(params, "ZeroPoint", data))
    dimension = params.QuantizedDimension()
    if not scale:
        return (), (), 0
    check(all(math.isfinite(s) and s >= 0 for s in scale), f"{where} has a scale below zero or not finite")
    check(len(zero_point) == len(scale), f"{where} has {len(scale)} scales and {len(zero_point)} zero points")
    if len(scale) > 1:
        check(0 <= dimension < len(shape), f"{where} is quantized along dimension {dimension} of {len(shape)}")
        channels = shape[dimension]
        check(len(scale) == channels, f"{where} has {len(scale)} scales for {channels} channels")
    return scale, zero_point, dimension


def _op(index: int, op: Any, codes: Sequence[str], tensors: int, data: bytes) -> Op:
    check(op.OpcodeIndex() < len(codes), f"op {index} names operator code {op.OpcodeIndex()} of {len(codes)}")
    name = codes[op.OpcodeIndex()]
    where = f"op {index} ({name})"
    inputs = _indices(op, "Inputs", tensors, data, f"{where}'s inputs", lowest=-1)
    outputs = _indices(op, "Outputs", tensors, data, f"{where}'s outputs")
    least, most = INPUTS.get(name, (0, None))
    given = f"{where} has {len(inputs)} inputs and {len(outputs)} outputs"
    check(least <= len(inputs) <= (most or len(inputs)) and -1 not in inputs[:least], f"{given}, or lacks one")
    check(len(outputs) == 1 or name not in INPUTS, f"{given}, expected 1 output")
    return Op(index, name, inputs, outputs, MappingProxyType(options(op, name, where, data)))


def _check_order(tensors: Sequence[Tensor], ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Check that each tensor is written once, before it is read."""
    known = {t.index for t in tensors if t.is_constant or t.is_variable} | set(inputs)
    for op in ops:
        for index in op.inputs:
            check(index == -1 or index in known, f"op {op.index} ({op.name}) reads tensor {index} before it is written")
        for index in op.outputs:
            check(index not in known, f"op {op.index} ({op.name}) writes tensor {index}, which has a value already")
            known.add(index)
    for index in outputs:
        check(index in known, f"output tensor {index} is never written")
