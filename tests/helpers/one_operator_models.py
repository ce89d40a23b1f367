"""int8 models of one operator, built field by field, for comparing arithmetic with TFLite's; no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

PADDINGS = {"same": 0, "valid": 1}
INTEGERS = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}


@dataclass(frozen=True)
class Tensor:
    """Shape, scales (one, or one for each index of the first axis) and, for constants, the integers."""

    shape: tuple[int, ...]
    scale: Any
    data: np.ndarray | None = None


def conv2d(
    source: Tensor, weights: Tensor, bias: Tensor, target: Tensor, strides: int, padding: str, relu: bool
) -> bytes:
    """Return a CONV_2D; weights are [O, H, W, I]."""
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = PADDINGS[padding], strides, strides
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = schema.ActivationFunctionType.RELU if relu else 0
    return _model("CONV_2D", options, "Conv2DOptions", [source, weights, bias], target)


def max_pool(source: Tensor, target: Tensor, size: int, strides: int, padding: str) -> bytes:
    """Return a MAX_POOL_2D."""
    options = schema.Pool2DOptionsT()
    options.padding, options.strideH, options.strideW = PADDINGS[padding], strides, strides
    options.filterHeight = options.filterWidth = size
    return _model("MAX_POOL_2D", options, "Pool2DOptions", [source], target)


def mean(source: Tensor, target: Tensor) -> bytes:
    """Return a MEAN over height and width."""
    axes = Tensor((2,), None, np.array([1, 2], np.int32))
    return _model("MEAN", schema.ReducerOptionsT(), "ReducerOptions", [source, axes], target)


def _model(name: str, options: Any, kind: str, inputs: list[Tensor], target: Tensor) -> bytes:
    form, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    form.version, form.subgraphs, form.operatorCodes, form.buffers = 3, [graph], [code], [schema.BufferT()]
    graph.tensors = [_tensor(form, tensor) for tensor in (*inputs, target)]
    graph.inputs, graph.outputs, graph.operators = [0], [len(inputs)], [op]
    op.inputs, op.outputs = list(range(len(inputs))), [len(inputs)]
    op.builtinOptionsType, op.builtinOptions = getattr(schema.BuiltinOptions, kind), options
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = 3
    builder = flatbuffers.Builder(1024)
    builder.Finish(form.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(form: Any, tensor: Tensor) -> Any:
    result = schema.TensorT()
    result.shape, result.type = list(tensor.shape), schema.TensorType.INT8
    result.name = f"tensor{len(form.buffers)}"
    if tensor.scale is not None:
        scales = np.atleast_1d(np.asarray(tensor.scale, np.float32))
        result.quantization = schema.QuantizationParametersT()
        result.quantization.scale, result.quantization.zeroPoint = scales, np.zeros(len(scales), np.int64)
    if tensor.data is not None:
        result.type, result.buffer = INTEGERS[str(tensor.data.dtype)], len(form.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
        form.buffers.append(buffer)
    return result
