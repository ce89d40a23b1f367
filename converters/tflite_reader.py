"""Read a `.tflite` file into frozen values, without TensorFlow.

Every offset, length and index in the file is checked, so that what `read_model` returns can be
used without further care; a damaged file is a ValueError that says what is wrong.
Format: the public schema `tensorflow/compiler/mlir/lite/schema/schema.fbs`, version 3.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
NOT_A_MODEL = "expected a .tflite file (a FlatBuffer with identifier TFL3)"
INTEGER_DTYPES = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "bool"})


def _names(enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


_TENSOR_TYPES = {number: name.lower() for number, name in _names(schema.TensorType).items()}
_OPERATORS = _names(schema.BuiltinOperator)
_ACTIVATIONS = _names(schema.ActivationFunctionType)
_PADDINGS = _names(schema.Padding)
_OPTIONS = _names(schema.BuiltinOptions)


@dataclass(frozen=True)
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
    options: MappingProxyType[str, Any]
    version: int = 1


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


class _Invalid(ValueError):
    """A fault found by a check of ours; its message is already clear."""


def _check(condition: object, message: str) -> None:
    if not condition:
        raise _Invalid(message)


def read_model(data: bytes) -> Model:
    """Read the bytes of a `.tflite` file.

    Args:
      data: the whole file; anything appended to the FlatBuffer (a zip) is ignored.

    Returns:
      The model; array data are views of `data`.

    Raises:
      ValueError: the bytes are not a `.tflite` file, are damaged, or hold what this kit does not read
        (several subgraphs, sparse encodings).
    """
    require_identifier(data)
    try:
        return _model(schema.Model.GetRootAs(data, 0), data)
    except _Invalid:
        raise
    except (struct.error, IndexError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        # The generated accessors trust the file; this is the one place where their faults surface.
        raise ValueError(f"the .tflite file is damaged ({type(error).__name__}: {error})") from error


def require_identifier(data: bytes) -> None:
    """Check that bytes begin like a `.tflite` file.

    Raises:
      ValueError: they do not.
    """
    _check(isinstance(data, bytes), f"received {type(data).__name__}, expected bytes")
    _check(len(data) >= 8, f"received {len(data)} bytes; {NOT_A_MODEL}")
    _check(data[4:8] == IDENTIFIER, f"bytes 4-8 are {data[4:8]!r}; {NOT_A_MODEL}")
    (root,) = struct.unpack_from("<I", data, 0)
    _check(8 <= root <= len(data) - 4, f"the .tflite file is damaged: its root is at {root} of {len(data)} bytes")


def _model(root: Any, data: bytes) -> Model:
    _check(root.Version() == SCHEMA_VERSION, f"schema version {root.Version()}, expected {SCHEMA_VERSION}")
    _check(root.SubgraphsLength() == 1, f"{root.SubgraphsLength()} subgraphs, expected 1")
    buffers = [_buffer(buffer, data) for buffer in _tables(root, "Buffers", data)]
    codes = [_op_code(code) for code in _tables(root, "OperatorCodes", data)]
    graph = root.Subgraphs(0)
    tensors = tuple(_tensor(i, t, buffers, data) for i, t in enumerate(_tables(graph, "Tensors", data)))
    ops = tuple(_op(i, op, codes, len(tensors), data) for i, op in enumerate(_tables(graph, "Operators", data)))
    inputs = _indices(graph, "Inputs", len(tensors), data, "the graph's inputs")
    outputs = _indices(graph, "Outputs", len(tensors), data, "the graph's outputs")
    _check_order(tensors, ops, inputs, outputs)
    names = tuple(dict.fromkeys(op.name for op in ops))
    return Model(tensors, ops, inputs, outputs, names, _text(root.Description()))


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8")


def _tables(owner: Any, field: str, data: bytes) -> Iterable[Any]:
    """Yield the tables of a vector, whose length is checked against the file before the first is read."""
    length = getattr(owner, f"{field}Length")()
    _check(length * 4 <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    return (getattr(owner, field)(i) for i in range(length))


def _numbers(owner: Any, field: str, data: bytes) -> list[Any]:
    """Return a vector of numbers."""
    length = getattr(owner, f"{field}Length")()
    _check(length <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    values = getattr(owner, f"{field}AsNumpy")() if length else []
    return [value.item() for value in values]


def _indices(owner: Any, field: str, count: int, data: bytes, what: str, lowest: int = 0) -> tuple[int, ...]:
    indices = tuple(_numbers(owner, field, data))
    for index in indices:
        _check(lowest <= index < count, f"{what} name tensor {index}, expected one of {count}")
    return indices


def _buffer(buffer: Any, data: bytes) -> np.ndarray | None:
    """Return a buffer's bytes as uint8 [N], or None if it is empty."""
    if buffer.Offset() > 1:  # large models keep their data behind the FlatBuffer
        end = buffer.Offset() + buffer.Size()
        _check(end <= len(data), f"the .tflite file is damaged: a buffer ends at {end} of {len(data)} bytes")
        return np.frombuffer(data, np.uint8, buffer.Size(), buffer.Offset())
    length = buffer.DataLength()
    _check(length <= len(data), f"the .tflite file is damaged: a buffer of {length} bytes does not fit in it")
    return buffer.DataAsNumpy() if length else None


def _op_code(code: Any) -> str:
    # Old files have the code in an int8 field only, new ones in both.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    _check(number in _OPERATORS, f"operator code {number} is unknown")
    name = _OPERATORS[number]
    return f"CUSTOM:{_text(code.CustomCode())}" if name == "CUSTOM" else name


def _tensor(index: int, tensor: Any, buffers: Sequence[np.ndarray | None], data: bytes) -> Tensor:
    name = _text(tensor.Name())
    where = f"tensor {index} ({name[:80]!r})"
    dtype = _TENSOR_TYPES.get(tensor.Type())
    _check(dtype is not None, f"{where} has unknown type {tensor.Type()}")
    shape = tuple(_numbers(tensor, "Shape", data))
    _check(all(size >= 0 for size in shape), f"{where} has shape {shape}")
    signature = tuple(_numbers(tensor, "ShapeSignature", data)) or shape
    _check(len(signature) == len(shape), f"{where} has shape {shape} but signature {signature}")
    _check(tensor.Sparsity() is None, f"{where} is stored sparse, which this kit does not read")
    _check(tensor.Buffer() < len(buffers), f"{where} names buffer {tensor.Buffer()} of {len(buffers)}")
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
    try:
        kind = np.dtype(dtype).newbyteorder("<")
    except TypeError:
        return None
    _check(dtype != "string", "") if dtype == "string" else None
    expected = math.prod(shape) * kind.itemsize
    _check(raw.size == expected, f"{where} has {raw.size} bytes of data, expected {expected} for {dtype} {shape}")
    array = np.frombuffer(raw.tobytes(), kind).reshape(shape)
    array.flags.writeable = False
    return array


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
    _check(all(math.isfinite(s) and s >= 0 for s in scale), f"{where} has a scale that is not a positive number")
    _check(len(zero_point) == len(scale), f"{where} has {len(scale)} scales and {len(zero_point)} zero points")
    if len(scale) > 1:
        _check(0 <= dimension < len(shape), f"{where} is quantized along dimension {dimension} of {len(shape)}")
        channels = shape[dimension]
        _check(len(scale) == channels, f"{where} has {len(scale)} scales for {channels} channels")
    return scale, zero_point, dimension


def _op(index: int, op: Any, codes: Sequence[str], tensors: int, data: bytes) -> Op:
    _check(op.OpcodeIndex() < len(codes), f"op {index} names operator code {op.OpcodeIndex()} of {len(codes)}")
    name = codes[op.OpcodeIndex()]
    where = f"op {index} ({name})"
    return Op(
        index,
        name,
        _indices(op, "Inputs", tensors, data, f"{where}'s inputs", lowest=-1),
        _indices(op, "Outputs", tensors, data, f"{where}'s outputs"),
        MappingProxyType(_options(op, name, where, data)),
    )


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
        _check(name in _MAY_LACK_OPTIONS, f"{where} has no options, expected {table_name}")
        return {"new_shape": ()} if name == "RESHAPE" else {"fused_activation": "NONE"}
    _check(found == table_name, f"{where} has {found}, expected {table_name}")
    options = getattr(schema, table_name)()
    options.Init(table.Bytes, table.Pos)
    values = reader(options, data)
    for key in ("stride", "dilation", "filter"):
        _check(all(number > 0 for number in values.get(key, ())), f"{where} has {key} {values.get(key)}")
    return values


def _check_order(
    tensors: Sequence[Tensor], ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]
) -> None:
    """Check that each tensor is written once, before it is read."""
    known = {t.index for t in tensors if t.is_constant or t.is_variable} | set(inputs)
    for op in ops:
        for index in op.inputs:
            _check(index == -1 or index in known, f"op {op.index} ({op.name}) reads tensor {index} before it is written")
        for index in op.outputs:
            _check(index not in known, f"op {op.index} ({op.name}) writes tensor {index}, which has a value already")
            known.add(index)
    for index in outputs:
        _check(index in known, f"output tensor {index} is never written")


# Questions about a model.


def macs(model: Model) -> int:
    """Count multiply-accumulates of one inference: convolutions, depthwise convolutions, fully connected layers.

    Raises:
      ValueError: a layer's shapes do not fit together.
    """
    return sum(_op_macs(model, op) for op in model.ops)


def _op_macs(model: Model, op: Op) -> int:
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights, output = weights_of(model, op), model.tensors[op.outputs[0]]
    per_output = weights.shape[1:] if op.name != "DEPTHWISE_CONV_2D" else weights.shape[1:3]
    return output.size * math.prod(per_output)


_WEIGHT_RANK = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 2}


def weights_of(model: Model, op: Op) -> Tensor:
    """Return the weights of a convolution (OHWI), depthwise convolution (1HWC) or fully connected layer (OI).

    Raises:
      ValueError: the op has no weights, or of another rank.
    """
    rank = _WEIGHT_RANK.get(op.name)
    _check(rank is not None, f"op {op.index} ({op.name}) has no weights")
    _check(len(op.inputs) >= 2 and op.inputs[1] >= 0 and op.outputs, f"op {op.index} ({op.name}) has no weights")
    weights = model.tensors[op.inputs[1]]
    _check(len(weights.shape) == rank, f"op {op.index} ({op.name}) has weights {weights.shape}, expected rank {rank}")
    return weights


def non_integer_tensors(model: Model) -> list[Tensor]:
    """Return the tensors whose dtype is not an integer type."""
    return [tensor for tensor in model.tensors if tensor.dtype not in INTEGER_DTYPES]


def weight_zero_fraction(model: Model, names: Iterable[str] | None = None) -> dict[str, float]:
    """Return the fraction of weights with q == zero_point of each CONV_2D with an int8 kernel.

    Args:
      model: the model.
      names: the layers' names, as for `match_layers`; without it `layer_names` are the keys.

    Returns:
      Layer name → fraction in [0, 1], in execution order.
    """
    if names is None:
        named = dict(zip(layer_names(model), range(len(model.ops)), strict=True))
    else:
        named = match_layers(model, names)
    convolutions = {name: model.ops[index] for name, index in named.items() if model.ops[index].name == "CONV_2D"}
    kernels = {name: weights_of(model, op) for name, op in convolutions.items()}
    return {name: zero_fraction(kernel) for name, kernel in kernels.items() if kernel.dtype == "int8"}


def zero_fraction(tensor: Tensor) -> float:
    """Return the fraction of a constant's values that stand for 0.0.

    Raises:
      ValueError: the tensor is not a constant.
    """
    _check(tensor.data is not None, f"tensor {tensor.index} ({tensor.name!r}) is not a constant")
    assert tensor.data is not None
    zero_point = np.asarray(tensor.zero_point or (0,), np.int64)
    if tensor.per_channel:
        shape = [1] * len(tensor.shape)
        shape[tensor.quantized_dimension] = -1
        zero_point = zero_point.reshape(shape)
    return float(np.mean(tensor.data == zero_point)) if tensor.size else 0.0


# Names. The converter calls a tensor after the Keras operations fused into it, joined by `;`, for instance
# `model/quant_fire2_expand1x1/Relu;model/quant_fire2_expand1x1/BiasAdd;...`; equal constants are merged.

_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")


def _unwrapped(part: str) -> str:
    for prefix in _WRAPPERS:
        part = part.removeprefix(prefix)
    return part


def layer_names(model: Model) -> list[str]:
    """Return one readable, distinct name for each op: the Keras layer its output is named after.

    An output without such a name (`StatefulPartitionedCall:0`) is called after its operator.
    """
    seen: dict[str, int] = {}
    result = []
    for op in model.ops:
        name = _layer_name(model, op)
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return result


def _layer_name(model: Model, op: Op) -> str:
    output = model.tensors[op.outputs[0]].name if op.outputs else ""
    parts = output.split(";")[0].split("/")
    return _unwrapped(parts[-2]) if len(parts) >= 2 else op.name.lower()


def match_layers(model: Model, names: Iterable[str]) -> dict[str, int]:
    """Find the convolution (CONV_2D or DEPTHWISE_CONV_2D) that each named Keras layer became.

    A layer is recognised by its name as a whole part of the path in the names of the op's output, weights or
    bias, in this order (equal weights of two layers are stored once, under one layer's name).

    Args:
      model: the model.
      names: every convolution layer's name, without `quant_`.

    Returns:
      Name → op index, in execution order.

    Raises:
      ValueError: a name has no convolution, a convolution has no name, or the names do not decide.
    """
    wanted = list(names)
    ops = [op for op in model.ops if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    open_ops = {op.index: _candidates(model, op, wanted) for op in ops}
    found: dict[int, str] = {}
    while open_ops:
        decided = {index: next(iter(names)) for index, names in open_ops.items() if len(names) == 1}
        if not decided:
            index, candidates = next(iter(open_ops.items()))
            raise ValueError(_unmatched(model, index, candidates))
        for index, name in decided.items():
            _check(name not in found.values(), f"two convolutions are named after layer {name!r}")
            found[index] = name
            del open_ops[index]
        open_ops = {index: [n for n in names if n not in found.values()] for index, names in open_ops.items()}
    missing = [name for name in wanted if name not in found.values()]
    _check(not missing, f"no convolution in the .tflite is named after layer {', '.join(map(repr, missing))}")
    return {found[index]: index for index in sorted(found)}


def _unmatched(model: Model, index: int, candidates: Sequence[str]) -> str:
    op = model.ops[index]
    what = f"could be any of {', '.join(candidates)}" if candidates else "matches none of the layers given"
    return f"op {index} ({op.name}, output {model.tensors[op.outputs[0]].name!r}) {what}"


def _candidates(model: Model, op: Op, names: Sequence[str]) -> list[str]:
    """Return the names an op may stand for, the fewest that its output's, weights' and bias's names allow."""
    best: list[str] = []
    for index in (op.outputs[0], *op.inputs[1:]):
        here = [name for name in names if index >= 0 and _mentions(model.tensors[index].name, name)]
        both = [name for name in here if name in best]
        best = both or best or here
    # Of `a/b` and `b`, both parts of a path, the longer is meant.
    return [name for name in best if not any(name != other and f"/{other}/".endswith(f"/{name}/") for other in best)]


def _mentions(tensor_name: str, layer: str) -> bool:
    paths = ("/".join(_unwrapped(part) for part in path.split("/")) for path in tensor_name.split(";"))
    return any(f"/{layer}/" in f"/{path}/" for path in paths)
