"""Write an int8 `.tflite` operator by operator, as TensorFlow's converter writes one, without TensorFlow.

For networks whose shapes are known and whose weights are numbers at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

ZERO_POINT = -128  # of every map: what RELU puts out uses the whole range
SOFTMAX_SCALE = 1 / 256
_VERSIONS = {"CONV_2D": 3, "PAD": 2, "MAX_POOL_2D": 2, "CONCATENATION": 2, "ADD": 2, "MEAN": 2, "SOFTMAX": 2}


@dataclass(frozen=True)
class Map:
    """An int8 map of a network that is being written: its tensor, [1, H, W, C] or [1, C], and what a step means."""

    tensor: int
    shape: tuple[int, ...]
    scale: float


class Builder:
    """A network that is being written; each method adds an operator and returns what that puts out."""

    def __init__(self) -> None:
        self._graph, self._model = schema.SubGraphT(), schema.ModelT()
        self._graph.tensors, self._graph.operators = [], []
        self._graph.inputs, self._graph.outputs = [], []
        self._model.version, self._model.subgraphs = 3, [self._graph]
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._codes: dict[str, int] = {}

    def input(self, height: int, width: int, channels: int, scale: float) -> Map:
        """Add the network's input."""
        found = self._map((1, height, width, channels), scale)
        self._graph.inputs.append(found.tensor)
        return found

    def conv(
        self,
        x: Map,
        weights: np.ndarray,
        bias: np.ndarray,
        weight_scales: np.ndarray,
        scale: float,
        *,
        stride: int = 1,
        padding: str = "VALID",
    ) -> Map:
        """Add CONV_2D with RELU.

        Args:
          weights: int8 [O, KH, KW, I].
          bias: int32 [O], in steps of the input's scale times the weights'.
          weight_scales: float32 [O].
          scale: of what it puts out.
          stride: along both sides.
          padding: VALID or SAME.
        """
        channels, *kernel, _ = weights.shape
        constants = [
            self._tensor(weights.shape, "INT8", weight_scales, 0, weights),
            self._tensor((channels,), "INT32", x.scale * weight_scales, 0, bias),
        ]
        sides = _sides(x.shape[1:3], kernel, stride, padding)
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.padding = getattr(schema.Padding, padding)
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        result = self._map((1, *sides, channels), scale)
        return self._op("CONV_2D", [x.tensor, *constants], result, options, "Conv2DOptions")

    def max_pool(self, x: Map, size: int, stride: int, padding: str) -> Map:
        """Add MAX_POOL_2D over squares of `size` pixels."""
        options = schema.Pool2DOptionsT()
        options.strideH = options.strideW = stride
        options.filterHeight = options.filterWidth = size
        options.padding = getattr(schema.Padding, padding)
        sides = _sides(x.shape[1:3], (size, size), stride, padding)
        return self._op(
            "MAX_POOL_2D", [x.tensor], self._map((1, *sides, x.shape[3]), x.scale), options, "Pool2DOptions"
        )

    def pad(self, x: Map, pixels: int) -> Map:
        """Add PAD: so many pixels of zero on each side of the picture."""
        widths = np.array([[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]], np.int32)
        result = self._map((1, x.shape[1] + 2 * pixels, x.shape[2] + 2 * pixels, x.shape[3]), x.scale)
        return self._op("PAD", [x.tensor, self._constant(widths)], result, schema.PadOptionsT(), "PadOptions")

    def concatenation(self, maps: Sequence[Map]) -> Map:
        """Add CONCATENATION of the channels of maps of one scale."""
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        first = maps[0]
        result = self._map((*first.shape[:3], sum(each.shape[3] for each in maps)), first.scale)
        return self._op("CONCATENATION", [each.tensor for each in maps], result, options, "ConcatenationOptions")

    def add(self, first: Map, second: Map, scale: float) -> Map:
        """Add ADD of two maps of one shape."""
        result = self._map(first.shape, scale)
        return self._op("ADD", [first.tensor, second.tensor], result, schema.AddOptionsT(), "AddOptions")

    def mean(self, x: Map, scale: float) -> Map:
        """Add MEAN over both sides of a map: [1, H, W, C] to [1, C]."""
        axes = self._constant(np.array([1, 2], np.int32))
        result = self._map((1, x.shape[3]), scale)
        return self._op("MEAN", [x.tensor, axes], result, schema.ReducerOptionsT(), "ReducerOptions")

    def softmax(self, x: Map) -> Map:
        """Add SOFTMAX."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        return self._op("SOFTMAX", [x.tensor], self._map(x.shape, SOFTMAX_SCALE), options, "SoftmaxOptions")

    def finish(self, output: Map) -> bytes:
        """Return the `.tflite` that puts this map out."""
        self._graph.outputs = [output.tensor]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _map(self, shape: Sequence[int], scale: float) -> Map:
        scale = float(np.float32(scale))
        return Map(self._tensor(shape, "INT8", np.array([scale]), ZERO_POINT), tuple(shape), scale)

    def _constant(self, values: np.ndarray) -> int:
        return self._tensor(values.shape, "INT32", None, 0, values)

    def _tensor(
        self,
        shape: Sequence[int],
        dtype: str,
        scales: np.ndarray | None,
        zero_point: int,
        data: np.ndarray | None = None,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = f"t{len(self._graph.tensors)}"
        tensor.shape, tensor.type, tensor.buffer = list(map(int, shape)), getattr(schema.TensorType, dtype), 0
        if scales is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.astype(np.float32)
            tensor.quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            tensor.quantization.quantizedDimension = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _op(self, name: str, inputs: Sequence[int], output: Map, options: Any, kind: str) -> Map:
        if name not in self._codes:
            self._codes[name] = len(self._model.operatorCodes)
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
            entry.version = _VERSIONS[name]
            self._model.operatorCodes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._codes[name], list(inputs), [output.tensor]
        operator.builtinOptionsType, operator.builtinOptions = getattr(schema.BuiltinOptions, kind), options
        self._graph.operators.append(operator)
        return output


def _sides(sides: Sequence[int], kernel: Sequence[int], stride: int, padding: str) -> list[int]:
    """Return the sides of a map after a window has gone over it."""
    covered = [0 if padding == "SAME" else each - 1 for each in kernel]
    return [-(-(side - less) // stride) for side, less in zip(sides, covered, strict=True)]
