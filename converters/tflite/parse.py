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

from converters.tflite.flatbuffer import File, Invalid, Unread, check, names, numbers, tables, text
from converters.tflite.model import NUMPY_DTYPES, Model, Op, Tensor
from converters.tflite.operators import INPUTS, SPLITTING, options

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
KEPT = 4  # the models read last: one run asks for the same two or three again and again
LARGEST_KEPT = 1 << 24  # bytes of a file; what is read of it takes as much again
NOT_A_MODEL = "expected a .tflite file (a FlatBuffer with identifier TFL3)"

# What a file may ask for. The largest models for phones have a few thousand of each.
MOST_TENSORS = 1 << 16
MOST_OPERATORS = 1 << 14
MOST_DIMENSIONS = 8
# Bytes of the tensors that the file itself does not hold: a few numbers in it decide how much memory they take.
LARGEST_TENSOR = 256 << 20
LARGEST_IN_ALL = 768 << 20

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
        (several subgraphs, sparse encodings), or asks for more than the limits above.
    """
    require_identifier(data)
    return _kept(data) if len(data) <= LARGEST_KEPT else _parsed(data)


@lru_cache(maxsize=KEPT)
def _kept(data: bytes) -> Model:
    return _parsed(data)


def _parsed(data: bytes) -> Model:
    try:
        return _model(schema.Model.GetRootAs(data, 0), File(data))
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


def _model(root: Any, file: File) -> Model:
    check(root.Version() == SCHEMA_VERSION, f"schema version {root.Version()}, expected {SCHEMA_VERSION}")
    _readable(root.SubgraphsLength() == 1, f"{root.SubgraphsLength()} subgraphs, expected 1")
    buffers = [_buffer(buffer, file) for buffer in tables(root, "Buffers", file, 2 * MOST_TENSORS)]
    codes = [_op_code(code, file) for code in tables(root, "OperatorCodes", file, MOST_OPERATORS)]
    graph = root.Subgraphs(0)
    operators = tables(graph, "Operators", file, MOST_OPERATORS)  # counted before the tensors are read
    tensors = tuple(_tensor(i, t, buffers, file) for i, t in enumerate(tables(graph, "Tensors", file, MOST_TENSORS)))
    _check_sizes(tensors)
    ops = tuple(_op(i, op, codes, len(tensors), file) for i, op in enumerate(operators))
    inputs = _indices(graph, "Inputs", len(tensors), file, "the graph's inputs")
    outputs = _indices(graph, "Outputs", len(tensors), file, "the graph's outputs")
    check(ops and inputs and outputs, f"{len(ops)} ops, {len(inputs)} inputs, {len(outputs)} outputs; expected some")
    _check_order(tensors, ops, inputs, outputs)
    used = tuple(dict.fromkeys(op.name for op in ops))
    return Model(tensors, ops, inputs, outputs, used, text(root.Description(), file))


def _readable(condition: object, message: str) -> None:
    """Raise `Unread` unless the condition holds: the file may be whole, but is not for this kit."""
    if not condition:
        raise Unread(message)


def _check_sizes(tensors: Sequence[Tensor]) -> None:
    """Check how much memory the tensors take that the file does not hold, before anyone takes it."""
    sizes = {t.index: t.size * _item_size(t.dtype) for t in tensors if not t.is_constant}
    for index, size in sizes.items():
        check(
            size <= LARGEST_TENSOR,
            f"tensor {index} ({tensors[index].name[:80]!r}) of shape {tensors[index].shape} takes {size:,} bytes, "
            f"expected at most {LARGEST_TENSOR:,}",
        )
    total = sum(sizes.values())
    check(total <= LARGEST_IN_ALL, f"the model's tensors take {total:,} bytes, expected at most {LARGEST_IN_ALL:,}")


def _item_size(dtype: str) -> int:
    return np.dtype(dtype).itemsize if dtype in NUMPY_DTYPES else 1


def _indices(owner: Any, field: str, count: int, file: File, what: str, lowest: int = 0) -> tuple[int, ...]:
    indices = tuple(numbers(owner, field, file))
    for index in indices:
        check(lowest <= index < count, f"{what} name tensor {index}, expected one of {count}")
    return indices


def _buffer(buffer: Any, file: File) -> bytes | None:
    """Return a copy of a buffer's bytes, because the file need not keep its data aligned; None if it is empty."""
    if buffer.Offset() > 1:  # large models keep their data behind the FlatBuffer
        start, end = buffer.Offset(), buffer.Offset() + buffer.Size()
        check(end <= len(file.data), f"the .tflite file is damaged: a buffer ends at {end} of {len(file.data)} bytes")
        file.read(end - start, "bytes of a buffer")
        return file.data[start:end]
    length = buffer.DataLength()
    file.read(length, "bytes of a buffer")
    return buffer.DataAsNumpy().tobytes() if length else None


def _op_code(code: Any, file: File) -> str:
    # Old files have the code in an int8 field only, new ones in both.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    _readable(number in _OPERATORS, f"operator code {number} is unknown")
    name = _OPERATORS[number]
    return f"CUSTOM:{text(code.CustomCode(), file)}" if name == "CUSTOM" else name


def _tensor(index: int, tensor: Any, buffers: Sequence[bytes | None], file: File) -> Tensor:
    name = text(tensor.Name(), file)
    where = f"tensor {index} ({name[:80]!r})"
    dtype = _TENSOR_TYPES.get(tensor.Type())
    check(dtype is not None, f"{where} has unknown type {tensor.Type()}")
    check(tensor.ShapeLength() <= MOST_DIMENSIONS, f"{where} has {tensor.ShapeLength()} dimensions")
    shape = tuple(numbers(tensor, "Shape", file))
    check(all(size >= 0 for size in shape), f"{where} has shape {shape}")
    signature = tuple(numbers(tensor, "ShapeSignature", file)) or shape
    check(len(signature) == len(shape), f"{where} has shape {shape} but signature {signature}")
    _readable(tensor.Sparsity() is None, f"{where} is stored sparse, which this kit does not read")
    check(tensor.Buffer() < len(buffers), f"{where} names buffer {tensor.Buffer()} of {len(buffers)}")
    raw = buffers[tensor.Buffer()]
    return Tensor(
        index,
        name,
        shape,
        str(dtype),
        *_quantization(tensor.Quantization(), shape, where, file),
        is_constant=raw is not None,
        data=None if raw is None else _array(raw, shape, str(dtype), where),
        shape_signature=signature,
        is_variable=bool(tensor.IsVariable()),
    )


def _array(raw: bytes, shape: tuple[int, ...], dtype: str, where: str) -> np.ndarray | None:
    if dtype not in NUMPY_DTYPES:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    expected = math.prod(shape) * kind.itemsize
    check(len(raw) == expected, f"{where} has {len(raw)} bytes of data, expected {expected} for {dtype} {shape}")
    return np.frombuffer(raw, kind).reshape(shape)


def _quantization(
    params: Any, shape: tuple[int, ...], where: str, file: File
) -> tuple[tuple[float, ...], tuple[int, ...], int]:
    if params is None:
        return (), (), 0
    scale = tuple(numbers(params, "Scale", file))
    zero_point = tuple(numbers(params, "ZeroPoint", file))
    dimension = params.QuantizedDimension()
    if not scale:
        return (), (), 0
    check(all(math.isfinite(s) and s >= 0 for s in scale), f"{where} has a scale below zero or not finite")
    check(len(zero_point) == len(scale), f"{where} has {len(scale)} scales and {len(zero_point)} zero points")
    if len(shape) == 1:
        dimension = 0  # there is no other; TFLite Micro's converter once named the weights' for a bias
    if len(scale) > 1:
        check(0 <= dimension < len(shape), f"{where} is quantized along dimension {dimension} of {len(shape)}")
        channels = shape[dimension]
        check(len(scale) == channels, f"{where} has {len(scale)} scales for {channels} channels")
    return scale, zero_point, dimension


def _op(index: int, op: Any, codes: Sequence[str], tensors: int, file: File) -> Op:
    check(op.OpcodeIndex() < len(codes), f"op {index} names operator code {op.OpcodeIndex()} of {len(codes)}")
    name = codes[op.OpcodeIndex()]
    where = f"op {index} ({name})"
    inputs = _indices(op, "Inputs", tensors, file, f"{where}'s inputs", lowest=-1)
    outputs = _indices(op, "Outputs", tensors, file, f"{where}'s outputs")
    least, most = INPUTS.get(name, (0, None))
    given = f"{where} has {len(inputs)} inputs and {len(outputs)} outputs"
    check(least <= len(inputs) <= (most or len(inputs)) and -1 not in inputs[:least], f"{given}, or lacks one")
    check(len(outputs) == 1 or name not in INPUTS or (outputs and name in SPLITTING), f"{given}, expected 1 output")
    return Op(index, name, inputs, outputs, MappingProxyType(options(op, name, where, file)))


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
