"""Small int8 networks for tests, written as FlatBuffers layer by layer: no TensorFlow, a millisecond each.

Weights and scales are drawn so that values neither vanish nor all saturate: a map's int8 spread over the whole range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SPREAD = 40.0  # standard deviation of int8 inputs, weights and outputs

_OPERATORS = schema.BuiltinOperator
_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESHAPE": 1, "RELU_N1_TO_1": 1}
_VERSIONS |= {
    "HARD_SWISH": 1,
    "PRELU": 1,
    "LOG_SOFTMAX": 2,
    "TRANSPOSE_CONV": 3,
    "DEPTH_TO_SPACE": 1,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "SPACE_TO_BATCH_ND": 3,
    "BATCH_TO_SPACE_ND": 3,
}
_ACTIVATIONS = schema.ActivationFunctionType


@dataclass(frozen=True)
class Map:
    """A tensor of the network being built."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def channels(self) -> int:
        return self.shape[-1]


class Net:
    """A network under construction; each method adds a layer and returns its output."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = schema.ModelT()
        self.model.version = 3
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs, self.model.buffers, self.model.operatorCodes = [self.graph], [schema.BufferT()], []
        self.codes: dict[int, int] = {}

    def bytes(self, *outputs: Map) -> bytes:
        """Return the `.tflite` that ends with these outputs."""
        self.graph.outputs = [each.index for each in outputs]
        builder = flatbuffers.Builder(1 << 12)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    # Tensors.

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: Sequence[float] | np.ndarray = (),
        zero_point: Sequence[int] = (),
        data: np.ndarray | None = None,
        dimension: int = 0,
        name: str = "",
    ) -> int:
        """Add a tensor; with `data` it is a constant."""
        tensor = schema.TensorT()
        tensor.name = name or f"t{len(self.graph.tensors)}"
        tensor.shape, tensor.type = [int(side) for side in shape], getattr(schema.TensorType, dtype.upper())
        if len(scale):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scale, np.float32)
            tensor.quantization.zeroPoint = np.asarray(zero_point, np.int64)
            tensor.quantization.quantizedDimension = dimension
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def map(self, shape: Sequence[int], scale: float, zero_point: int, dtype: str = "int8") -> Map:
        """Add an activation."""
        scale = float(np.float32(scale))
        index = self.tensor(shape, dtype, *(() if dtype == "float32" else ((scale,), (zero_point,))))
        return Map(index, tuple(shape), scale, zero_point)

    def input(self, *shape: int, scale: float = 1 / 64, zero_point: int = -128, dtype: str = "int8") -> Map:
        """Add the network's input."""
        result = self.map((1, *shape), scale, zero_point, dtype)
        self.graph.inputs.append(result.index)
        return result

    # Layers.

    def op(self, name: str, inputs: Sequence[int], output: Map, options: Any = None, kind: str = "") -> Map:
        """Add an operator."""
        code = getattr(_OPERATORS, name)
        if code not in self.codes:
            self.codes[code] = len(self.model.operatorCodes)
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), _VERSIONS.get(name, 2)
            self.model.operatorCodes.append(entry)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes[code]
        operator.inputs, operator.outputs = list(inputs), [output.index]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return output

    def conv(
        self,
        x: Map,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "RELU",
        dilation: tuple[int, int] = (1, 1),
        *,
        depthwise: bool = False,
        per_channel: bool = True,
        bias: bool = True,
        zero_point: int | None = None,
        out: tuple[float, int] | None = None,
        power_of_two: bool = False,
        dead: bool = False,
        groups: int = 1,
    ) -> Map:
        """Add CONV_2D, or DEPTHWISE_CONV_2D with `channels` as the depth multiplier; `dead` as for `_kill`."""
        outputs = channels * x.channels if depthwise else channels
        shape = (1, *kernel, outputs) if depthwise else (outputs, *kernel, x.channels // groups)
        inputs = int(np.prod(kernel)) * (1 if depthwise else x.channels // groups)
        scales = self._weight_scales(outputs if per_channel else 1, power_of_two)
        dimension = 3 if depthwise else 0
        weights = self._weights(shape, dimension)
        biases = self._biases(outputs, inputs)
        sizes = [_out(padding, *each) for each in zip(x.shape[1:3], kernel, stride, dilation, strict=True)]
        if out is None:
            out = self._output_scale(x, scales, inputs, activation, zero_point, power_of_two)
        if dead:
            self._kill(x, scales, np.moveaxis(weights, dimension, 0), biases)
        constants = [self.tensor(shape, "int8", scales, [0] * len(scales), weights, dimension)]
        constants += [self._bias(x, scales, biases)] if bias else []
        result = self.map((x.shape[0], *sizes, outputs), *out)
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        options.strideH, options.strideW = stride
        options.dilationHFactor, options.dilationWFactor = dilation
        options.padding = getattr(schema.Padding, padding)
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        if depthwise:
            options.depthMultiplier = channels
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        kind = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
        return self.op(name, [x.index, *constants], result, options, kind)

    def dilated(self, x: Map, channels: int, block: tuple[int, int], padding: str = "SAME") -> Map:
        """Add a convolution of 3 x 3 with dilation as SPACE_TO_BATCH_ND, CONV_2D and BATCH_TO_SPACE_ND."""
        spans, sides = [2 * step for step in block], x.shape[1:3]
        before = [span // 2 if padding == "SAME" else 0 for span in spans]
        after = [span - first if padding == "SAME" else 0 for span, first in zip(spans, before, strict=True)]
        more = [-(a + b + side) % step for a, b, side, step in zip(before, after, sides, block, strict=True)]
        pads = np.array([[a, b + c] for a, b, c in zip(before, after, more, strict=True)], np.int32)
        inner = [(side + sum(pad)) // step for side, pad, step in zip(sides, pads.tolist(), block, strict=True)]
        blocks = self.tensor((2,), "int32", data=np.array(block, np.int32))
        split = self.map((block[0] * block[1], *inner, x.channels), x.scale, x.zero_point)
        inputs = [x.index, blocks, self.tensor((2, 2), "int32", data=pads)]
        y = self.conv(self.op("SPACE_TO_BATCH_ND", inputs, split), channels, padding="VALID")
        sizes = [side + a + b - span for side, a, b, span in zip(sides, before, after, spans, strict=True)]
        crops = self.tensor((2, 2), "int32", data=np.array([[0, each] for each in more], np.int32))
        joined = self.map((1, *sizes, channels), y.scale, y.zero_point)
        return self.op("BATCH_TO_SPACE_ND", [y.index, blocks, crops], joined)

    def _weight_scales(self, count: int, power_of_two: bool) -> np.ndarray:
        scales = 2.0 ** self.rng.uniform(-8, -5, count)
        return (2.0 ** np.round(np.log2(scales)) if power_of_two else scales).astype(np.float32)

    def _weights(self, shape: Sequence[int], dimension: int) -> np.ndarray:
        """Return weights whose mean is 0 for each output, so that what all inputs have in common cancels out."""
        values = np.moveaxis(self.rng.normal(0, SPREAD, shape), dimension, 0)
        if values[0].size > 1:
            values = values - values.mean(axis=tuple(range(1, values.ndim)), keepdims=True)
        return np.moveaxis(np.clip(np.round(values), -127, 127), 0, dimension).astype(np.int8)

    def _biases(self, outputs: int, inputs: int) -> np.ndarray:
        spread = SPREAD * SPREAD * np.sqrt(inputs)
        return np.round(self.rng.normal(0, spread, outputs)).astype(np.int32)

    def _bias(self, x: Map, scales: np.ndarray, values: np.ndarray) -> int:
        return self.tensor(values.shape, "int32", x.scale * scales, [0] * len(scales), values)

    def _kill(self, x: Map, scales: np.ndarray, weights: np.ndarray, biases: np.ndarray) -> None:
        """Take a channel's weights, as training does. With a scale of its own, it is as the official converter writes
        it: the bias is 2^30, and the scale so small that this is what the bias should be.
        """
        channel = int(self.rng.integers(len(biases)))
        weights[channel] = 0
        if len(scales) > 1:
            weights[channel] = self.rng.choice([-1, 0, 1], weights[channel].shape) * self.rng.integers(2)
            smaller = self.rng.choice([1.0, 1.0, 2.0**-9, 2.0**-30])
            scales[channel] *= max(abs(int(biases[channel])), 1) / 2**30 * smaller
            biases[channel] = 2**30 if biases[channel] > 0 else -(2**30)

    def _output_scale(
        self, x: Map, scales: np.ndarray, inputs: int, activation: str, zero_point: int | None, power_of_two: bool
    ) -> tuple[float, int]:
        """Return a scale in which the sums of random inputs spread over int8."""
        sums = x.scale * float(np.mean(scales)) * SPREAD * SPREAD * np.sqrt(inputs)
        scale = sums / SPREAD * 2.0 ** float(self.rng.uniform(-1, 0.5))
        if power_of_two:
            scale = 2.0 ** round(np.log2(scale))
        if zero_point is None:
            zero_point = -128 if activation.startswith("RELU") and not power_of_two else int(self.rng.integers(-20, 20))
        return scale, 0 if power_of_two else zero_point

    def pool(
        self,
        x: Map,
        filter_: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (2, 2),
        padding: str = "SAME",
        *,
        average: bool = False,
        activation: str = "NONE",
    ) -> Map:
        """Add MAX_POOL_2D or AVERAGE_POOL_2D."""
        sizes = [_out(padding, *each, 1) for each in zip(x.shape[1:3], filter_, stride, strict=True)]
        options = schema.Pool2DOptionsT()
        options.strideH, options.strideW = stride
        options.filterHeight, options.filterWidth = filter_
        options.padding = getattr(schema.Padding, padding)
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        result = self.map((1, *sizes, x.channels), x.scale, x.zero_point)
        return self.op("AVERAGE_POOL_2D" if average else "MAX_POOL_2D", [x.index], result, options, "Pool2DOptions")

    def concat(self, maps: Sequence[Map], axis: int = 3) -> Map:
        """Add CONCATENATION along an axis; all maps have one scale."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        shape = list(maps[0].shape)
        shape[axis % len(shape)] = sum(each.shape[axis % len(shape)] for each in maps)
        result = self.map(shape, maps[0].scale, maps[0].zero_point)
        return self.op("CONCATENATION", [each.index for each in maps], result, options, "ConcatenationOptions")

    def add(self, a: Map, b: Map, activation: str = "NONE", scale: float | None = None, zero_point: int = 3) -> Map:
        """Add ADD."""
        options = schema.AddOptionsT()
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        result = self.map(a.shape, scale or 1.3 * max(a.scale, b.scale), zero_point)
        return self.op("ADD", [a.index, b.index], result, options, "AddOptions")

    def binary(
        self,
        operator: str,
        a: Map | int,
        b: Map | int,
        like: Map,
        scale: float,
        zero_point: int = 3,
        activation: str = "NONE",
    ) -> Map:
        """Add ADD, SUB, MUL, MINIMUM or MAXIMUM of maps or the indices of constants, as wide as `like`."""
        kind = {"MINIMUM": "MaximumMinimum", "MAXIMUM": "MaximumMinimum"}.get(operator, operator.capitalize())
        options = getattr(schema, f"{kind}OptionsT")()
        if kind != "MaximumMinimum":
            options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        inputs = [each.index if isinstance(each, Map) else each for each in (a, b)]
        return self.op(operator, inputs, self.map(like.shape, scale, zero_point), options, f"{kind}Options")

    def constant(self, shape: Sequence[int], scale: float, zero_point: int) -> int:
        """Add random int8 constants; return their index."""
        values = self.rng.integers(-128, 128, tuple(shape)).astype(np.int8)
        return self.tensor(shape, "int8", (scale,), (zero_point,), values)

    def elementwise(self, operator: str, x: Map, scale: float, zero_point: int, slope: float = 0.1) -> Map:
        """Add LOGISTIC, TANH, EXP, HARD_SWISH, ABS, LOG, GELU or LEAKY_RELU."""
        scale, zero_point = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(operator, (scale, zero_point))
        result = self.map(x.shape, scale, zero_point)
        if operator in ("ABS", "GELU"):
            kind = f"{operator.capitalize()}Options"
            return self.op(operator, [x.index], result, getattr(schema, f"{kind}T")(), kind)
        if operator != "LEAKY_RELU":
            return self.op(operator, [x.index], result)
        options = schema.LeakyReluOptionsT()
        options.alpha = slope
        return self.op(operator, [x.index], result, options, "LeakyReluOptions")

    def prelu(self, x: Map, slopes: int, scale: float, zero_point: int) -> Map:
        """Add PRELU by the constant of this index."""
        return self.op("PRELU", [x.index, slopes], self.map(x.shape, scale, zero_point))

    def transpose(self, x: Map, *axes: int) -> Map:
        """Add TRANSPOSE."""
        order = self.tensor((len(axes),), "int32", data=np.array(axes, np.int32))
        result = self.map([x.shape[axis] for axis in axes], x.scale, x.zero_point)
        return self.op("TRANSPOSE", [x.index, order], result, schema.TransposeOptionsT(), "TransposeOptions")

    def reduce(self, operator: str, x: Map, axes: Sequence[int], keep_dims: bool = True) -> Map:
        """Add MEAN or REDUCE_MAX over axes, which stay as sides of 1 with `keep_dims`."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        order = self.tensor((len(axes),), "int32", data=np.array(axes, np.int32))
        shape = [1 if axis in axes else side for axis, side in enumerate(x.shape) if keep_dims or axis not in axes]
        scale, zero_point = (x.scale / 2, 5) if operator == "MEAN" else (x.scale, x.zero_point)
        result = self.map(shape, scale, zero_point)
        return self.op(operator, [x.index, order], result, options, "ReducerOptions")

    def pad(
        self,
        x: Map,
        top: int = 1,
        bottom: int = 1,
        left: int = 1,
        right: int = 1,
        *,
        channels: tuple[int, int] = (0, 0),
        value: int | None = None,
    ) -> Map:
        """Add PAD, or PADV2 with the byte `value`, of as many axes as the map has."""
        values = np.array([(0, 0), *[(top, bottom), (left, right), channels][4 - len(x.shape) :]], np.int32)
        amounts = self.tensor(values.shape, "int32", data=values)
        shape = [side + int(sum(pad)) for side, pad in zip(x.shape, values, strict=True)]
        result = self.map(shape, x.scale, x.zero_point)
        if value is None:
            return self.op("PAD", [x.index, amounts], result, schema.PadOptionsT(), "PadOptions")
        byte = self.tensor((), "int8", (x.scale,), (x.zero_point,), data=np.array(value, np.int8))
        return self.op("PADV2", [x.index, amounts, byte], result, schema.PadV2OptionsT(), "PadV2Options")

    def transposed(
        self,
        x: Map,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (2, 2),
        padding: str = "SAME",
        activation: str = "NONE",
        *,
        per_channel: bool = True,
        bias: bool = True,
        less: int = 0,
    ) -> Map:
        """Add TRANSPOSE_CONV; the output is `less` rows and columns smaller than it could be."""
        shape, inputs = (channels, *kernel, x.channels), int(np.prod(kernel)) * x.channels
        scales = self._weight_scales(channels if per_channel else 1, False)
        sizes = []
        for side, span, step in zip(x.shape[1:3], kernel, stride, strict=True):
            largest = side * step if padding == "SAME" else (side - 1) * step + span + step - 1
            smallest = (side - 1) * step + (1 if padding == "SAME" else span)
            sizes.append(max(largest - less, smallest))
        weights = self.tensor(shape, "int8", scales, [0] * len(scales), self._weights(shape, 0))
        result = self.map((1, *sizes, channels), *self._output_scale(x, scales, inputs, activation, None, False))
        constants = [self._bias(x, scales, self._biases(channels, inputs))] if bias else []
        options = schema.TransposeConvOptionsT()
        options.strideH, options.strideW = stride
        options.padding = getattr(schema.Padding, padding)
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        given = [self._numbers(result.shape), weights, x.index, *constants]
        return self.op("TRANSPOSE_CONV", given, result, options, "TransposeConvOptions")

    def blocks(self, operator: str, x: Map, block: int) -> Map:
        """Add DEPTH_TO_SPACE or SPACE_TO_DEPTH."""
        _, height, width, channels = x.shape
        shape = (1, height // block, width // block, channels * block * block)
        if operator == "DEPTH_TO_SPACE":
            shape = (1, height * block, width * block, channels // block // block)
        kind = "DepthToSpace" if operator == "DEPTH_TO_SPACE" else "SpaceToDepth"
        options = getattr(schema, f"{kind}OptionsT")()
        options.blockSize = block
        return self.op(operator, [x.index], self.map(shape, x.scale, x.zero_point), options, f"{kind}Options")

    def resize(
        self, operator: str, x: Map, size: tuple[int, int], align_corners: bool = False, half_pixels: bool = False
    ) -> Map:
        """Add RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""
        kind = "ResizeBilinear" if operator == "RESIZE_BILINEAR" else "ResizeNearestNeighbor"
        options = getattr(schema, f"{kind}OptionsT")()
        options.alignCorners, options.halfPixelCenters = align_corners, half_pixels
        result = self.map((1, *size, x.channels), x.scale, x.zero_point)
        return self.op(operator, [x.index, self._numbers(size)], result, options, f"{kind}Options")

    def strided_slice(
        self, x: Map, begin: Sequence[int], end: Sequence[int], step: Sequence[int], shrink: Sequence[int] = ()
    ) -> Map:
        """Add STRIDED_SLICE with Python's meaning of negative numbers; an end of 0 is the axis's; `shrink` axes go."""
        options = schema.StridedSliceOptionsT()
        options.shrinkAxisMask = sum(1 << axis for axis in shrink)
        options.endMask = sum(1 << axis for axis, each in enumerate(end) if each == 0)
        taken = [slice(*each) for each in zip(begin, [each or None for each in end], step, strict=True)]
        shape = [
            len(range(*part.indices(size)))
            for axis, (part, size) in enumerate(zip(taken, x.shape, strict=True))
            if axis not in shrink
        ]
        bounds = [self._numbers(each) for each in (begin, end, step)]
        result = self.map(shape, x.scale, x.zero_point)
        return self.op("STRIDED_SLICE", [x.index, *bounds], result, options, "StridedSliceOptions")

    def slice(self, x: Map, begin: Sequence[int], size: Sequence[int]) -> Map:
        """Add SLICE; a size of -1 is the rest."""
        shape = [side - first if each == -1 else each for first, each, side in zip(begin, size, x.shape, strict=True)]
        inputs = [x.index, self._numbers(begin), self._numbers(size)]
        return self.op("SLICE", inputs, self.map(shape, x.scale, x.zero_point), schema.SliceOptionsT(), "SliceOptions")

    def split(self, x: Map, parts: int | Sequence[int], axis: int) -> list[Map]:
        """Add SPLIT into equal parts, or SPLIT_V into parts of these sizes."""
        even = isinstance(parts, int)
        sizes = [x.shape[axis] // parts] * parts if isinstance(parts, int) else list(parts)
        shapes = [[*x.shape[:axis], size, *x.shape[axis % len(x.shape) + 1 :]] for size in sizes]
        results = [self.map(shape, x.scale, x.zero_point) for shape in shapes]
        where, kind = self._numbers([axis]), "Split" if even else "SplitV"
        options = getattr(schema, f"{kind}OptionsT")()
        options.numSplits = len(sizes)
        inputs = [where, x.index] if even else [x.index, self._numbers(sizes), where]
        self.op("SPLIT" if even else "SPLIT_V", inputs, results[0], options, f"{kind}Options")
        self.graph.operators[-1].outputs = [each.index for each in results]
        return results

    def pack(self, maps: Sequence[Map], axis: int) -> Map:
        """Add PACK: maps joined along a new axis."""
        options = schema.PackOptionsT()
        options.axis, options.valuesCount = axis, len(maps)
        shape = [*maps[0].shape[:axis], len(maps), *maps[0].shape[axis:]]
        result = self.map(shape, maps[0].scale, maps[0].zero_point)
        return self.op("PACK", [each.index for each in maps], result, options, "PackOptions")

    def unpack(self, x: Map, axis: int) -> list[Map]:
        """Add UNPACK: a map for each index of an axis, which goes."""
        shape = [*x.shape[:axis], *x.shape[axis + 1 :]]
        results = [self.map(shape, x.scale, x.zero_point) for _ in range(x.shape[axis])]
        options = schema.UnpackOptionsT()
        options.axis, options.num = axis, len(results)
        self.op("UNPACK", [x.index], results[0], options, "UnpackOptions")
        self.graph.operators[-1].outputs = [each.index for each in results]
        return results

    def _numbers(self, values: Sequence[int]) -> int:
        return self.tensor((len(values),), "int32", data=np.array(values, np.int32))

    def mean(
        self, x: Map, *, keep_dims: bool = False, scale: float | None = None, zero_point: int | None = None
    ) -> Map:
        """Add MEAN over height and width."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        axes = self.tensor((2,), "int32", data=np.array([1, 2], np.int32))
        shape = (1, 1, 1, x.channels) if keep_dims else (1, x.channels)
        default = -128 if x.zero_point == -128 else 5
        result = self.map(shape, scale or x.scale / 3, default if zero_point is None else zero_point)
        return self.op("MEAN", [x.index, axes], result, options, "ReducerOptions")

    def reshape(self, x: Map, *shape: int) -> Map:
        """Add RESHAPE."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        values = self.tensor((len(shape),), "int32", data=np.array(shape, np.int32))
        result = self.map(shape, x.scale, x.zero_point)
        return self.op("RESHAPE", [x.index, values], result, options, "ReshapeOptions")

    def dense(
        self,
        x: Map,
        channels: int,
        activation: str = "NONE",
        *,
        per_channel: bool = False,
        dead: bool = False,
        each: bool = False,
        so_many: int = 0,
    ) -> Map:
        """Add FULLY_CONNECTED of all values of `x`, of those of `each` pixel, or of `so_many` at a time."""
        size = int(np.prod(x.shape))
        inputs = x.channels if each else so_many or size
        scales = self._weight_scales(channels if per_channel else 1, False)
        weights = self._weights((channels, inputs), 0)
        biases = self._biases(channels, inputs)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = getattr(_ACTIVATIONS, activation)
        options.keepNumDims = each
        shape = (*x.shape[:-1], channels) if each else (size // inputs, channels)
        result = self.map(shape, *self._output_scale(x, scales, inputs, activation, None, False))
        if dead:
            self._kill(x, scales, weights, biases)
        constants = [self.tensor((channels, inputs), "int8", scales, [0] * len(scales), weights)]
        constants += [self._bias(x, scales, biases)]
        return self.op("FULLY_CONNECTED", [x.index, *constants], result, options, "FullyConnectedOptions")

    def softmax(self, x: Map, beta: float = 1.0) -> Map:
        """Add SOFTMAX."""
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        return self.op("SOFTMAX", [x.index], self.map(x.shape, 1 / 256, -128), options, "SoftmaxOptions")

    def log_softmax(self, x: Map) -> Map:
        """Add LOG_SOFTMAX."""
        result = self.map(x.shape, 1 / 16, 127)
        return self.op("LOG_SOFTMAX", [x.index], result, schema.LogSoftmaxOptionsT(), "LogSoftmaxOptions")

    def requantize(self, x: Map, scale: float, zero_point: int, dtype: str = "int8", operator: str = "QUANTIZE") -> Map:
        """Add QUANTIZE, DEQUANTIZE, RELU, RELU6 or RELU_N1_TO_1."""
        return self.op(operator, [x.index], self.map(x.shape, scale, zero_point, dtype))

    def fire(self, x: Map, squeeze: int, expand: int) -> Map:
        """Add a Fire module."""
        s = self.conv(x, squeeze, (1, 1))
        a = self.conv(s, expand, (1, 1))
        return self.concat([a, self.conv(s, expand, (3, 3), out=(a.scale, a.zero_point))])


def _out(padding: str, size: int, kernel: int, step: int, dilation: int) -> int:
    span = (kernel - 1) * dilation + 1
    return -(-size // step) if padding == "SAME" else (size - span) // step + 1


def squeezenet(size: int = 16, classes: int = 5, seed: int = 0) -> bytes:
    """Return a SqueezeNet of two Fire modules with a bypass: every operator that the kit's models have."""
    net = Net(seed)
    x = net.pool(net.conv(net.input(size, size, 3), 8, stride=(2, 2), padding="VALID"), padding="VALID")
    x = net.fire(x, 4, 6)
    x = net.add(x, net.fire(x, 4, 6), "RELU", zero_point=-128)
    x = net.pool(x)
    x = net.conv(net.pad(x), classes, (1, 1))
    return net.bytes(net.softmax(net.mean(x, scale=4 / 255)))


def pixels(shape: Sequence[int], count: int, seed: int = 1) -> np.ndarray:
    """Return int8 inputs [count, *shape]: noise, then blocks of both ends, then the ends alone."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-128, 128, (count, *shape))
    blocks = np.where(rng.random((1, *shape)) < 0.5, -128, 127)
    ends = np.stack([np.full(shape, -128), np.full(shape, 127)])
    return np.concatenate([noise, blocks, ends]).astype(np.int8)
