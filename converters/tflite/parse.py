"""From the bytes of a `.tflite` file to frozen values, every offset, length and index checked on the way.

Format: the public schema `tensorflow/compiler/mlir/lite/schema/schema.fbs`, version 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
KEPT = 4  # the models read last: one run asks for the same two or three again and again
LARGEST_KEPT = 1 << 24  # bytes of a file; what is read of it takes as much again
NOT_A_MODEL = "expected a .tflite file (a FlatBuffer with identifier TFL3)"
NUMPY_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool")
NUMPY_DTYPES = (*NUMPY_INTEGERS, "float16", "float32", "float64", "complex64", "complex128")
INTEGER_DTYPES = (*NUMPY_INTEGERS, "int2", "int4", "uint4")


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_TENSOR_TYPES = {number: name.lower() for number, name in _names(schema.TensorType).items()}
_OPERATORS = _names(schema.BuiltinOperator)
_ACTIVATIONS = _names(schema.ActivationFunctionType)
_PADDINGS = _names(schema.Padding)
_OPTIONS = _names(schema.BuiltinOptions)


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor: real = scale * (q - zero_point).

    `scale` and `zero_point` are empty where the tensor is not quantized, of length 1 per tensor, of length
    `shape[quantized_dimension]` per channel. `data` is read-only, of `shape` and `dtype`; None for activations
    and for constants of a dtype NumPy lacks (int4, string). `shape_signature` holds -1 for unknown sizes.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    quantized_dimension: int = 0
    is_constant: bool = False
    data: np.ndarray | None = None
    shape_signature: tuple[int, ...] = ()
    is_variable: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def per_channel(self) -> bool:
        """Whether each channel has a scale of its own."""
        return len(self.scale) > 1


@dataclass(frozen=True)
class Op:
    """One operator; `inputs` holds -1 for an optional input left out.

    `options` by operator (height before width): convolutions `padding` (SAME, VALID), `stride`, `dilation`,
    `fused_activation` (NONE, RELU, RELU6, ...), depthwise also `depth_multiplier`; pools `padding`, `stride`,
    `filter`, `fused_activation`; CONCATENATION `axis`, `fused_activation`; ADD, SUB, MUL `fused_activation`;
    FULLY_CONNECTED `fused_activation`, `weights_format`, `keep_num_dims`; MEAN `keep_dims`; SOFTMAX `beta`;
    RESHAPE `new_shape`. Others have none.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """The main (and only) subgraph; `ops` in execution order, `op_names` in order of first use."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    op_names: tuple[str, ...]
    description: str = ""

    def tensor(self, index: int) -> Tensor:
        """Return a tensor by index."""
        return self.tensors[index]

    def input_tensors(self) -> tuple[Tensor, ...]:
        """Return the graph's inputs."""
        return tuple(self.tensors[index] for index in self.inputs)

    def output_tensors(self) -> tuple[Tensor, ...]:
        """Return the graph's outputs."""
        return tuple(self.tensors[index] for index in self.outputs)


class Invalid(ValueError):
    """A fault found by a check of ours; its message is already clear."""


def check(condition: object, message: str) -> None:
    """Raise `Invalid` unless the condition holds."""
    if not condition:
        raise Invalid(message)


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
    buffers = [_buffer(buffer, data) for buffer in _tables(root, "Buffers", data)]
    codes = [_op_code(code) for code in _tables(root, "OperatorCodes", data)]
    graph = root.Subgraphs(0)
    tensors = tuple(_tensor(i, t, buffers, data) for i, t in enumerate(_tables(graph, "Tensors", data)))
    ops = tuple(_op(i, op, codes, len(tensors), data) for i, op in enumerate(_tables(graph, "Operators", data)))
    inputs = _indices(graph, "Inputs", len(tensors), data, "the graph's inputs")
    outputs = _indices(graph, "Outputs", len(tensors), data, "the graph's outputs")
    check(ops and inputs and outputs, f"{len(ops)} ops, {len(inputs)} inputs, {len(outputs)} outputs; expected some")
    _check_order(tensors, ops, inputs, outputs)
    names = tuple(dict.fromkeys(op.name for op in ops))
    return Model(tensors, ops, inputs, outputs, names, _text(root.Description()))


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8")


def _tables(owner: Any, field: str, data: bytes) -> Iterable[Any]:
    """Yield the tables of a vector, whose length is checked against the file before the first is read."""
    length = getattr(owner, f"{field}Length")()
    check(length * 4 <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    return (getattr(owner, field)(i) for i in range(length))


def _numbers(owner: Any, field: str, data: bytes) -> list[Any]:
    """Return a vector of numbers."""
    length = getattr(owner, f"{field}Length")()
    check(length <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    values = getattr(owner, f"{field}AsNumpy")() if length else []
    return [value.item() for value in values]


def _indices(owner: Any, field: str, count: int, data: bytes, what: str, lowest: int = 0) -> tuple[int, ...]:
    indices = tuple(_numbers(owner, field, data))
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
    return f"CUSTOM:{_text(code.CustomCode())}" if name == "CUSTOM" else name


def _tensor(index: int, tensor: Any, buffers: Sequence[np.ndarray | None], data: bytes) -> Tensor:
    name = _text(tensor.Name())
    where = f"tensor {index} ({name[:80]!r})"
    dtype = _TENSOR_TYPES.get(tensor.Type())
    check(dtype is not None, f"{where} has unknown type {tensor.Type()}")
    shape = tuple(_numbers(tensor, "Shape", data))
    check(all(size >= 0 for size in shape), f"{where} has shape {shape}")
    signature = tuple(_numbers(tensor, "ShapeSignature", data)) or shape
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
    scale = tuple(_numbers(params, "Scale", data))
    zero_point = tuple(_numbers(params, "ZeroPoint", data))
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


# Operator → how many inputs it needs and may have; each of these has one output. Others are not checked.
_INPUTS = {
    "ADD": (2, 2),
    "AVERAGE_POOL_2D": (1, 1),
    "CONCATENATION": (1, None),
    "CONV_2D": (2, 3),
    "DEPTHWISE_CONV_2D": (2, 3),
    "DEQUANTIZE": (1, 1),
    "FULLY_CONNECTED": (2, 3),
    "MAX_POOL_2D": (1, 1),
    "MEAN": (2, 2),
    "MUL": (2, 2),
    "PAD": (2, 2),
    "QUANTIZE": (1, 1),
    "RESHAPE": (1, 2),
    "SOFTMAX": (1, 1),
    "SUB": (2, 2),
}


def _op(index: int, op: Any, codes: Sequence[str], tensors: int, data: bytes) -> Op:
    check(op.OpcodeIndex() < len(codes), f"op {index} names operator code {op.OpcodeIndex()} of {len(codes)}")
    name = codes[op.OpcodeIndex()]
    where = f"op {index} ({name})"
    inputs = _indices(op, "Inputs", tensors, data, f"{where}'s inputs", lowest=-1)
    outputs = _indices(op, "Outputs", tensors, data, f"{where}'s outputs")
    least, most = _INPUTS.get(name, (0, None))
    given = f"{where} has {len(inputs)} inputs and {len(outputs)} outputs"
    check(least <= len(inputs) <= (most or len(inputs)) and -1 not in inputs[:least], f"{given}, or lacks one")
    check(len(outputs) == 1 or name not in _INPUTS, f"{given}, expected 1 output")
    return Op(index, name, inputs, outputs, MappingProxyType(_options(op, name, where, data)))


def _conv(o: Any, data: bytes) -> dict[str, Any]:
    return {
        "padding": _PADDINGS[o.Padding()],
        "stride": (o.StrideH(), o.StrideW()),
        "dilation": (o.DilationHFactor(), o.DilationWFactor()),
        **_activation(o, data),
    }


def _depthwise(o: Any, data: bytes) -> dict[str, Any]:
    return {**_conv(o, data), "depth_multiplier": o.DepthMultiplier()}


def _pool(o: Any, data: bytes) -> dict[str, Any]:
    return {
        "padding": _PADDINGS[o.Padding()],
        "stride": (o.StrideH(), o.StrideW()),
        "filter": (o.FilterHeight(), o.FilterWidth()),
        **_activation(o, data),
    }


def _activation(o: Any, data: bytes) -> dict[str, Any]:
    return {"fused_activation": _ACTIVATIONS[o.FusedActivationFunction()]}


def _concatenation(o: Any, data: bytes) -> dict[str, Any]:
    return {"axis": o.Axis(), **_activation(o, data)}


def _fully_connected(o: Any, data: bytes) -> dict[str, Any]:
    names = _names(schema.FullyConnectedOptionsWeightsFormat)
    return {"weights_format": names[o.WeightsFormat()], "keep_num_dims": bool(o.KeepNumDims()), **_activation(o, data)}


def _reducer(o: Any, data: bytes) -> dict[str, Any]:
    return {"keep_dims": bool(o.KeepDims())}


def _softmax(o: Any, data: bytes) -> dict[str, Any]:
    return {"beta": o.Beta()}


def _reshape(o: Any, data: bytes) -> dict[str, Any]:
    return {"new_shape": tuple(_numbers(o, "NewShape", data))}


# Operator → the table that holds its options and what to take from it. RESHAPE may have its shape as an input.
_READERS: dict[str, tuple[str, Callable[[Any, bytes], dict[str, Any]]]] = {
    "CONV_2D": ("Conv2DOptions", _conv),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _depthwise),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _pool),
    "CONCATENATION": ("ConcatenationOptions", _concatenation),
    "ADD": ("AddOptions", _activation),
    "SUB": ("SubOptions", _activation),
    "MUL": ("MulOptions", _activation),
    "FULLY_CONNECTED": ("FullyConnectedOptions", _fully_connected),
    "MEAN": ("ReducerOptions", _reducer),
    "SOFTMAX": ("SoftmaxOptions", _softmax),
    "RESHAPE": ("ReshapeOptions", _reshape),
}
_MAY_LACK_OPTIONS = ("RESHAPE", "ADD", "SUB", "MUL")


def _options(op: Any, name: str, where: str, data: bytes) -> dict[str, Any]:
    if name not in _READERS:
        return {}
    table_name, reader = _READERS[name]
    found = _OPTIONS.get(op.BuiltinOptionsType(), str(op.BuiltinOptionsType()))
    table = op.BuiltinOptions()
    if found == "NONE" or table is None:
        check(name in _MAY_LACK_OPTIONS, f"{where} has no options, expected {table_name}")
        return {"new_shape": ()} if name == "RESHAPE" else {"fused_activation": "NONE"}
    check(found == table_name, f"{where} has {found}, expected {table_name}")
    options = getattr(schema, table_name)()
    options.Init(table.Bytes, table.Pos)
    values = reader(options, data)
    for key in ("stride", "dilation", "filter"):
        check(all(number > 0 for number in values.get(key, ())), f"{where} has {key} {values.get(key)}")
    return values


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
