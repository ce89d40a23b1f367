"""Random operators for the C library, each with the output of TFLite's reference kernel for a random input.

Every maker takes `draw(low, high)`, an integer in [low, high]: hypothesis's or a plain random generator's.
Multipliers are made here as TFLite makes them, float32 steps included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.helpers.c_library import EACH, LAST, WINDOW, Call, Case

Draw = Callable[[int, int], int]
Pair = tuple[int, int]
ACTIVATIONS = ("NONE", "RELU", "RELU6")
PADDINGS = ("SAME", "VALID")
UNIT = {"multiplier": np.array([2**30], np.int32), "shift": np.array([1], np.int8), "step": 0}
SOFTMAX_SCALE, SOFTMAX_ZERO_POINT = 1 / 256, -128


# Models of one operator.


@dataclass(frozen=True)
class Tensor:
    """Shape, scales (one, or one for each index of `axis`), zero point and, for constants, the integers."""

    shape: tuple[int, ...]
    scale: Any = None
    zero_point: int = 0
    data: np.ndarray | None = None
    axis: int = 0


def model(
    name: str, options: dict[str, Any], inputs: Sequence[Tensor], target: Tensor, kind: str = "", version: int = 3
) -> bytes:
    """Return a `.tflite` of one operator; tensors with data are constants, the others the model's inputs."""
    form, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    form.version, form.subgraphs, form.operatorCodes, form.buffers = 3, [graph], [code], [schema.BufferT()]
    graph.tensors = [_tensor(form, tensor) for tensor in (*inputs, target)]
    graph.inputs = [index for index, tensor in enumerate(inputs) if tensor.data is None]
    graph.outputs, graph.operators = [len(inputs)], [op]
    op.inputs, op.outputs = list(range(len(inputs))), [len(inputs)]
    if kind:
        op.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        op.builtinOptions = getattr(schema, f"{kind}T")()
        for key, value in options.items():
            assert hasattr(op.builtinOptions, key)
            setattr(op.builtinOptions, key, value)
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    builder = flatbuffers.Builder(1024)
    builder.Finish(form.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(form: Any, tensor: Tensor) -> Any:
    result = schema.TensorT()
    result.shape, result.type = list(tensor.shape), schema.TensorType.INT8
    result.name = f"tensor{len(form.subgraphs[0].tensors or [])}"
    if tensor.scale is not None:
        scales = np.atleast_1d(np.asarray(tensor.scale, np.float32))
        result.quantization = schema.QuantizationParametersT()
        result.quantization.scale = scales
        result.quantization.zeroPoint = np.full(len(scales), tensor.zero_point, np.int64)
        result.quantization.quantizedDimension = tensor.axis
    if tensor.data is not None:
        result.type, result.buffer = getattr(schema.TensorType, tensor.data.dtype.name.upper()), len(form.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
        form.buffers.append(buffer)
    return result


def reference(content: bytes, *inputs: np.ndarray) -> np.ndarray:
    """Return the output of TFLite's reference kernels."""
    engine = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    engine.allocate_tensors()
    for detail, values in zip(engine.get_input_details(), inputs, strict=True):
        engine.set_tensor(detail["index"], values)
    engine.invoke()
    result: np.ndarray = engine.get_tensor(engine.get_output_details()[0]["index"])
    return result


# Numbers.


def quantized_multiplier(real: float) -> Pair:
    """Return (multiplier, shift) with real = multiplier · 2^(shift − 31), multiplier in [2^30, 2^31)."""
    mantissa, shift = math.frexp(float(real))
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def requant(reals: Any, zero_point: int, limits: Pair = (-128, 127)) -> dict[str, Any]:
    """Return the fields of sqz_requant for one real factor or one per channel."""
    pairs = [quantized_multiplier(value) for value in np.atleast_1d(reals)]
    return {
        "multiplier": np.array([multiplier for multiplier, _ in pairs], np.int32),
        "shift": np.array([shift for _, shift in pairs], np.int8),
        "step": int(np.ndim(reals) > 0),
        "zero_point": zero_point,
        "lowest": limits[0],
        "highest": limits[1],
    }


def exact_requant(reals: Any, zero_point: int, limits: Pair = (-128, 127)) -> dict[str, Any]:
    """Return the fields of sqz_exact_requant: all 53 bits of one real factor or of one per channel."""
    fractions, exponents = np.frexp(np.atleast_1d(np.asarray(reals, np.float64)))
    mantissas = (fractions * 2**53).astype(np.int64)
    return {
        "high": (mantissas >> 31).astype(np.int32),
        "low": (mantissas & (2**31 - 1)).astype(np.int32),
        "shift": (53 - exponents).astype(np.int8),
        "step": int(np.ndim(reals) > 0),
        "zero_point": zero_point,
        "lowest": limits[0],
        "highest": limits[1],
    }


def limits(activation: str, scale: np.float32, zero_point: int) -> Pair:
    """Return the clamp of a fused activation, as CalculateActivationRangeQuantized does."""
    if activation == "NONE":
        return -128, 127
    top = zero_point + int(np.floor(np.float32(6) / scale + np.float32(0.5))) if activation == "RELU6" else 127
    return max(-128, zero_point), min(127, top)


def random_of(draw: Draw) -> np.random.Generator:
    return np.random.default_rng(draw(0, 2**32 - 1))


def int8s(rng: np.random.Generator, *shape: int, lowest: int = -128) -> np.ndarray:
    """Return random int8, sometimes crowded at the ends."""
    values = rng.integers(lowest, 128, shape)
    return np.where(rng.random(shape) < 0.1, np.where(values < 0, lowest, 127), values).astype(np.int8)


def scale_of(rng: np.random.Generator) -> np.float32:
    """Return a scale, one time in four a power of two."""
    value = 2.0 ** rng.uniform(-9, -3)
    return np.float32(2.0 ** round(math.log2(value)) if rng.random() < 0.25 else value)


def option(draw: Draw, choices: Sequence[str]) -> str:
    return choices[draw(0, len(choices) - 1)]


def activation_code(name: str) -> int:
    return int(getattr(schema.ActivationFunctionType, name))


# Windows.


@dataclass(frozen=True)
class Axis:
    """How a window moves along height or width."""

    size: int
    kernel: int
    stride: int
    dilation: int
    padding: str
    margins: Pair = (0, 0)  # a PAD before and after the image, with VALID

    @property
    def reach(self) -> int:
        return (self.kernel - 1) * self.dilation + 1

    @property
    def out(self) -> int:
        size = self.size + sum(self.margins)
        return -(-(size if self.padding == "SAME" else size - self.reach + 1) // self.stride)

    @property
    def before(self) -> int:
        """Rows or columns of padding before the image: of SAME the smaller half."""
        needed = (self.out - 1) * self.stride + self.reach - self.size
        return max(0, needed) // 2 if self.padding == "SAME" else self.margins[0]

    @property
    def ends(self) -> list[int]:
        """How many rows of the image have come when each output row can be made."""
        return [min(i * self.stride - self.before + self.reach, self.size) for i in range(self.out)]


def window(draw: Draw, padding: str, kernel: int = 4, stride: int = 3, dilation: int = 2) -> Axis:
    size = draw(1, 9)
    axis = Axis(size, draw(1, kernel), draw(1, stride), draw(1, dilation), padding)
    return axis if padding == "SAME" or axis.reach <= size else Axis(size, 1, axis.stride, 1, padding)


def margins(draw: Draw, axis: Axis, streaming: bool) -> Axis:
    """Return the axis with a PAD folded in: every window sees something of the image, and no two end together."""
    result = replace(axis, margins=(draw(0, axis.kernel - 1), draw(0, axis.kernel - 1)))
    last = (result.out - 1) * axis.stride - result.before
    fits = last < axis.size and (len(set(result.ends)) == result.out or not streaming)
    return result if fits else replace(axis, margins=(result.margins[0], 0))


def move_options(rows: Axis, columns: Axis, padding: str, activation: str, **more: int) -> dict[str, Any]:
    return {
        "padding": PADDINGS.index(padding),
        "strideH": rows.stride,
        "strideW": columns.stride,
        "fusedActivationFunction": activation_code(activation),
        **more,
    }


def ring(height: int, rows: int) -> int:
    return max(1, min(height, rows))


# Operators.


def convolution(draw: Draw, depthwise: bool = False) -> Case:
    """CONV_2D or DEPTHWISE_CONV_2D of any stride, padding, dilation and activation, per channel or per tensor."""
    padding, activation, per_channel = option(draw, PADDINGS), option(draw, ACTIVATIONS), draw(0, 1)
    rows, columns = window(draw, padding), window(draw, padding)
    c_in = draw(1, 6)
    c_out = c_in * draw(1, 3) if depthwise else draw(1, 9)
    zero_in, zero_out = draw(-128, 127), draw(-128, 127)
    rng = random_of(draw)
    shape = (1, rows.kernel, columns.kernel, c_out) if depthwise else (c_out, rows.kernel, columns.kernel, c_in)
    weights = int8s(rng, *shape, lowest=-127)
    bias = rng.integers(-4000, 4000, c_out).astype(np.int32)
    scale_in = scale_of(rng)
    scales = np.array([scale_of(rng) for _ in range(c_out if per_channel else 1)], np.float32)
    typical = float(scale_in) * float(scales.mean()) * 70 * 70 * math.sqrt(weights.size / c_out)
    scale_out = np.float32(typical / rng.uniform(10, 200))
    inputs = int8s(rng, 1, rows.size, columns.size, c_in)
    axis = 3 if depthwise else 0
    content = model(
        "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D",
        move_options(
            rows, columns, padding, activation, dilationHFactor=rows.dilation, dilationWFactor=columns.dilation
        )
        | ({"depthMultiplier": c_out // c_in} if depthwise else {}),
        [
            Tensor(inputs.shape, scale_in, zero_in),
            Tensor(weights.shape, scales, 0, weights, axis),
            Tensor(bias.shape, scale_in * scales, 0, bias),
        ],
        Tensor((1, rows.out, columns.out, c_out), scale_out, zero_out),
        "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
    )
    reals: Any = np.float64(scale_in) * scales.astype(np.float64) / np.float64(scale_out)
    others = tuple(i for i in range(4) if i != axis)
    conv = {
        "weights": weights,
        "bias": (bias - zero_in * weights.sum(axis=others, dtype=np.int64)).astype(np.int32),
        "requant": requant(reals if per_channel else reals[0], zero_out, limits(activation, scale_out, zero_out)),
        "in_width": columns.size,
        "in_channels": c_in,
        "out_width": columns.out,
        "out_channels": c_out,
        "out_stride": c_out,
        "kernel_h": rows.kernel,
        "kernel_w": columns.kernel,
        "stride_w": columns.stride,
        "pad_left": columns.before,
        "dilation_h": rows.dilation,
        "dilation_w": columns.dilation,
        "input_zero_point": zero_in,
    }
    call = Call(
        "sqz_depthwise_row" if depthwise else "sqz_conv_row",
        ("sqz_conv", conv),
        output=1,
        fires=rows.out,
        kernel_h=rows.reach,
        stride_h=rows.stride,
        pad_top=rows.before,
    )
    return _single(call, inputs, reference(content, inputs))


def _single(call: Call, inputs: np.ndarray, expected: np.ndarray, window_rows: int | None = None) -> Case:
    """Return the case of one operator on a map [1, H, W, C], its input ring no longer than its window."""
    height, out_height = inputs.shape[1], expected.shape[1] if expected.ndim == 4 else 1
    rows = ring(height, call.kernel_h if window_rows is None else window_rows)
    streams = ((height, inputs[0, 0].size, rows), (out_height, expected.size // out_height, out_height))
    return Case(streams, (call,), inputs, expected)


def depthwise(draw: Draw) -> Case:
    return convolution(draw, depthwise=True)


def convolution_mean(draw: Draw) -> Case:
    """CONV_2D and the MEAN after it, fused."""
    case = convolution(draw)
    conv = case.calls[0].params[1]
    rng = random_of(draw)
    scale_in, scale_out = scale_of(rng), scale_of(rng)
    zero_in, zero_out = conv["requant"]["zero_point"], draw(-128, 127)
    height, pixels = case.expected.shape[1], case.expected.shape[1] * case.expected.shape[2]
    expected = reference(_mean_model(case.expected.shape, scale_in, zero_in, scale_out, zero_out), case.expected)
    both = {
        "conv": conv,
        "mean": _mean_requant(scale_in, scale_out, zero_out, pixels),
        "zero_sum": zero_in * pixels,
    }
    call = Call(
        "sqz_conv_mean_row",
        ("sqz_conv_mean", both),
        output=1,
        fires=height,
        yields=LAST,
        kernel_h=case.calls[0].kernel_h,
        stride_h=case.calls[0].stride_h,
        pad_top=case.calls[0].pad_top,
        state=4 * conv["out_channels"],
    )
    return _single(call, case.input, expected)


def _mean_model(shape: Sequence[int], scale_in: Any, zero_in: int, scale_out: Any, zero_out: int) -> bytes:
    axes = Tensor((2,), None, 0, np.array([1, 2], np.int32))
    target = Tensor((1, shape[3]), scale_out, zero_out)
    return model("MEAN", {}, [Tensor(tuple(shape), scale_in, zero_in), axes], target, "ReducerOptions")


def _mean_requant(scale_in: Any, scale_out: Any, zero_out: int, pixels: int) -> dict[str, Any]:
    multiplier, shift = quantized_multiplier(np.float64(scale_in) / np.float64(scale_out))
    extra = min(pixels.bit_length() - 1, 32, 31 + shift)
    return requant(1.0, zero_out) | {
        "multiplier": np.array([(multiplier << extra) // pixels], np.int32),
        "shift": np.array([shift - extra], np.int8),
    }


def mean(draw: Draw) -> Case:
    """MEAN over height and width."""
    rng = random_of(draw)
    inputs = int8s(rng, 1, draw(1, 9), draw(1, 20), draw(1, 11))
    zero_in, zero_out, scale_in = draw(-128, 127), draw(-128, 127), scale_of(rng)
    scale_out = np.float32(scale_in * rng.choice([1.0, 0.5, rng.uniform(0.01, 2)]))
    _, height, width, channels = inputs.shape
    params = {
        "requant": _mean_requant(scale_in, scale_out, zero_out, height * width),
        "zero_sum": zero_in * height * width,
        "width": width,
        "channels": channels,
    }
    call = Call("sqz_mean_row", ("sqz_mean", params), output=1, fires=height, yields=LAST, state=4 * channels)
    content = _mean_model(inputs.shape, scale_in, zero_in, scale_out, zero_out)
    return _single(call, inputs, reference(content, inputs))


def pooling(draw: Draw, name: str, streaming: bool) -> Case:
    """MAX_POOL_2D or AVERAGE_POOL_2D; `streaming` with kernels that one open window is enough for."""
    padding, activation = option(draw, PADDINGS), option(draw, ACTIVATIONS)
    spare = 1 if name == "MAX_POOL_2D" else 0
    rows, columns = window(draw, padding, dilation=1), window(draw, padding, dilation=1)
    if streaming:
        stride = max(rows.stride, rows.kernel - spare, 2 if spare else 1)
        rows = Axis(rows.size, rows.kernel, stride, 1, padding)
    if padding == "VALID" and spare:
        rows, columns = margins(draw, rows, streaming), margins(draw, columns, False)
    rng = random_of(draw)
    inputs = int8s(rng, 1, rows.size, columns.size, draw(1, 21))
    padded = np.pad(inputs, ((0, 0), rows.margins, columns.margins, (0, 0)), constant_values=-128)
    channels = inputs.shape[3]
    scale, zero_point = scale_of(rng), draw(-128, 127)
    content = model(
        name,
        move_options(rows, columns, padding, activation, filterHeight=rows.kernel, filterWidth=columns.kernel),
        [Tensor(padded.shape, scale, zero_point)],
        Tensor((1, rows.out, columns.out, channels), scale, zero_point),
        "Pool2DOptions",
    )
    lowest, highest = limits(activation, scale, zero_point)
    pool = {
        "in_width": columns.size,
        "channels": channels,
        "out_width": columns.out,
        "out_stride": channels,
        "kernel_h": rows.kernel,
        "kernel_w": columns.kernel,
        "stride_h": rows.stride,
        "stride_w": columns.stride,
        "pad_top": rows.before,
        "pad_left": columns.before,
        "lowest": lowest,
        "highest": highest,
    }
    call = Call(
        f"sqz_{'max' if spare else 'average'}_pool_{'window' if streaming else 'row'}",
        ("sqz_pool", pool),
        output=1,
        fires=rows.ends[-1] if streaming else rows.out,
        yields=WINDOW if streaming else EACH,
        kernel_h=rows.kernel,
        stride_h=rows.stride,
        pad_top=rows.before,
        state=columns.out * channels * (1 if spare else 4) if streaming else 0,
    )
    return _single(call, inputs, reference(content, padded), 1 if streaming else None)


def max_pool_row(draw: Draw) -> Case:
    return pooling(draw, "MAX_POOL_2D", streaming=False)


def max_pool_window(draw: Draw) -> Case:
    return pooling(draw, "MAX_POOL_2D", streaming=True)


def average_pool_row(draw: Draw) -> Case:
    return pooling(draw, "AVERAGE_POOL_2D", streaming=False)


def average_pool_window(draw: Draw) -> Case:
    return pooling(draw, "AVERAGE_POOL_2D", streaming=True)


def add(draw: Draw) -> Case:
    """ADD: two operators cut the input's channels in halves, the third adds them."""
    rng, activation = random_of(draw), option(draw, ACTIVATIONS)
    a, b = int8s(rng, 2, 1, draw(1, 5), draw(1, 7), draw(1, 9))
    scales = [scale_of(rng) for _ in range(2)]
    scale_out = np.float32((scales[0] + scales[1]) * rng.uniform(0.2, 1.5))
    zeros = [draw(-128, 127) for _ in range(3)]
    content = model(
        "ADD",
        {"fusedActivationFunction": activation_code(activation)},
        [Tensor(a.shape, scales[0], zeros[0]), Tensor(b.shape, scales[1], zeros[1])],
        Tensor(a.shape, scale_out, zeros[2]),
        "AddOptions",
    )
    twice = np.float64(np.float32(2) * max(scales))
    reals = [scales[0] / twice, scales[1] / twice, twice / np.float64(np.float32(2**20) * scale_out)]
    pairs = dict(zip(["a", "b", "out"], map(quantized_multiplier, reals), strict=True))
    _, height, width, channels = a.shape
    params: dict[str, Any] = {"width": width, "channels": channels, "out_stride": channels}
    params["second"] = {"constant": None, "step": channels}
    params["lowest"], params["highest"] = limits(activation, scale_out, zeros[2])
    for (name, (multiplier, shift)), zero in zip(pairs.items(), zeros, strict=True):
        params |= {f"multiplier_{name}": multiplier, f"shift_{name}": shift, f"zero_point_{name}": zero}
    row = width * channels
    calls = (
        cut(2, 0, width, channels, output=1, fires=height),
        cut(2, 1, width, channels, output=2, fires=height),
        Call("sqz_add_row", ("sqz_add", params), output=3, fires=height, input=1, input_b=2),
    )
    streams = ((height, 2 * row, 1), (height, row, 1), (height, row, 1), (height, row, height))
    return Case(streams, calls, np.concatenate([a, b], axis=3), reference(content, a, b))


def cut(parts: int, part: int, width: int, channels: int, output: int, fires: int) -> Call:
    """Return an operator that copies one of `parts` equal slices of the channels: a convolution with ones."""
    weights = np.zeros((channels, parts * channels), np.int8)
    weights[np.arange(channels), part * channels + np.arange(channels)] = 1
    conv = {
        "weights": weights,
        "bias": np.zeros(channels, np.int32),
        "requant": UNIT | {"zero_point": 0, "lowest": -128, "highest": 127},
        "in_width": width,
        "in_channels": parts * channels,
        "out_width": width,
        "out_channels": channels,
        "out_stride": channels,
        **dict.fromkeys(("kernel_h", "kernel_w", "stride_w", "dilation_h", "dilation_w"), 1),
        "pad_left": 0,
        "input_zero_point": 0,
    }
    return Call("sqz_conv_row", ("sqz_conv", conv), output=output, fires=fires)


def quantize(draw: Draw) -> Case:
    """QUANTIZE from int8 to int8, RELU, RELU6."""
    rng, name = random_of(draw), option(draw, ("QUANTIZE", "RELU", "RELU6"))
    inputs = int8s(rng, 1, draw(1, 4), draw(1, 9), draw(1, 9))
    scale_in, scale_out = scale_of(rng), scale_of(rng)
    zero_in, zero_out = draw(-128, 127), draw(-128, 127)
    tensors = Tensor(inputs.shape, scale_in, zero_in), Tensor(inputs.shape, scale_out, zero_out)
    content = model(name, {}, [tensors[0]], tensors[1], "QuantizeOptions" if name == "QUANTIZE" else "")
    ratio = np.float64(scale_in) / np.float64(scale_out) if name == "QUANTIZE" else scale_in / scale_out
    activation = "NONE" if name == "QUANTIZE" else name
    _, height, width, channels = inputs.shape
    params = {
        "requant": requant(float(ratio), zero_out, limits(activation, scale_out, zero_out)),
        "width": width,
        "channels": channels,
        "out_stride": channels,
        "input_zero_point": zero_in,
    }
    call = Call("sqz_quantize_row", ("sqz_quantize", params), output=1, fires=height)
    return _single(call, inputs, reference(content, inputs))


def pad(draw: Draw) -> Case:
    """PAD of height and width."""
    rng = random_of(draw)
    inputs = int8s(rng, 1, draw(1, 4), draw(1, 5), draw(1, 5))
    margins = np.array([[0, 0], [draw(0, 3), draw(0, 3)], [draw(0, 3), draw(0, 3)], [0, 0]], np.int32)
    zero_point, (_, height, width, channels) = draw(-128, 127), inputs.shape
    out_height, out_width = height + int(margins[1].sum()), width + int(margins[2].sum())
    content = model(
        "PAD",
        {},
        [Tensor(inputs.shape, 0.1, zero_point), Tensor((4, 2), None, 0, margins)],
        Tensor((1, out_height, out_width, channels), 0.1, zero_point),
        "PadOptions",
    )
    params = {
        "in_width": width,
        "channels": channels,
        "out_width": out_width,
        "out_stride": channels,
        "pad_left": int(margins[2, 0]),
        "value": zero_point,
    }
    top = int(margins[1, 0])  # so many rows lie waiting while the margin is made, one row a step
    call = Call("sqz_pad_row", ("sqz_pad", params), output=1, fires=out_height, pad_top=top)
    return _single(call, inputs, reference(content, inputs), top + 1)


def reshape(draw: Draw) -> Case:
    """RESHAPE to other rows, of as many as are more than the engine's stack has room for."""
    rng, rows, out_rows = random_of(draw), draw(1, 20), draw(1, 5)
    width, channels = draw(1, 4), draw(1, 4)
    inputs = int8s(rng, 1, rows, out_rows, width * channels)
    shape = (1, out_rows, rows * width, channels)
    params = {"width": rows * width, "channels": channels, "out_stride": channels}
    kernel = ("sqz_reshape_row", ("sqz_reshape", params))
    call = Call(*kernel, output=1, fires=out_rows, kernel_h=rows, stride_h=0)
    return _single(call, inputs, inputs.reshape(shape), rows)


def fully_connected(draw: Draw) -> Case:
    """FULLY_CONNECTED after a map, per tensor or per channel."""
    rng, activation, per_channel = random_of(draw), option(draw, ACTIVATIONS), draw(0, 1)
    inputs = int8s(rng, 1, draw(1, 5), draw(1, 5), draw(1, 6))
    outputs, zero_in, zero_out = draw(1, 9), draw(-128, 127), draw(-128, 127)
    weights = int8s(rng, outputs, inputs.size, lowest=-127)
    bias = rng.integers(-4000, 4000, outputs).astype(np.int32)
    scale_in, scales = scale_of(rng), np.array([scale_of(rng) for _ in range(outputs if per_channel else 1)])
    typical = float(scale_in) * float(scales.mean()) * 70 * 70 * math.sqrt(inputs.size)
    scale_out = np.float32(typical / rng.uniform(10, 200))
    content = model(
        "FULLY_CONNECTED",
        {"fusedActivationFunction": activation_code(activation)},
        [
            Tensor((1, inputs.size), scale_in, zero_in),
            Tensor(weights.shape, scales, 0, weights),
            Tensor(bias.shape, scale_in * scales, 0, bias),
        ],
        Tensor((1, outputs), scale_out, zero_out),
        "FullyConnectedOptions",
    )
    reals: Any = np.float64(scale_in) * scales.astype(np.float64) / np.float64(scale_out)
    height = inputs.shape[1]
    params = {
        "weights": weights,
        "bias": (bias - zero_in * weights.sum(axis=1, dtype=np.int64)).astype(np.int32),
        "requant": exact_requant(reals if per_channel else reals[0], zero_out, limits(activation, scale_out, zero_out)),
        "row_bytes": inputs[0, 0].size,
        "height": height,
        "out_channels": outputs,
    }
    call = Call(
        "sqz_fully_connected_row",
        ("sqz_fully_connected", params),
        output=1,
        fires=height,
        yields=LAST,
        state=4 * outputs if height > 1 else 0,
    )
    return _single(call, inputs, reference(content, inputs.reshape(1, -1)))


def softmax(draw: Draw, logarithm: bool = False) -> Case:
    """SOFTMAX over the channels of one pixel or of several."""
    rng = random_of(draw)
    height, width = (draw(1, 3), draw(1, 3)) if draw(0, 1) else (1, 1)
    channels = draw(1, 400)
    spread = rng.choice([4, 30, 128])
    inputs = np.clip(rng.normal(0, spread, (1, height, width, channels)), -128, 127).astype(np.int8)
    scale, beta = scale_of(rng) * np.float32(rng.choice([1, 8])), float(rng.choice([1.0, 0.5]))
    source = Tensor(inputs.shape, scale, draw(-128, 127))
    if logarithm:
        target = Tensor(inputs.shape, 1 / 16, 127)
        content = model("LOG_SOFTMAX", {}, [source], target, "LogSoftmaxOptions", 2)
    else:
        target = Tensor(inputs.shape, SOFTMAX_SCALE, SOFTMAX_ZERO_POINT)
        content = model("SOFTMAX", {"beta": beta}, [source], target, "SoftmaxOptions")
    function = "sqz_log_softmax_row" if logarithm else "sqz_softmax_row"
    params = softmax_params(scale, 1.0 if logarithm else beta, width, channels)
    return _single(Call(function, params, output=1, fires=height), inputs, reference(content, inputs))


def log_softmax(draw: Draw) -> Case:
    return softmax(draw, logarithm=True)


def softmax_params(scale: Any, beta: float, width: int, channels: int) -> tuple[str, dict[str, Any]]:
    """Return sqz_softmax as PreprocessSoftmaxScaling sets it, with a shift that C defines."""
    multiplier, shift = quantized_multiplier(min(beta * float(scale) * 2**26, 2**31 - 1))
    radius = math.floor(31 * 2**26 / 2**shift)
    return "sqz_softmax", {
        "multiplier": multiplier,
        "shift": min(shift, 30),
        "diff_min": -min(radius, 256),
        "width": width,
        "channels": channels,
    }


MAKERS: tuple[Callable[[Draw], Case], ...] = (
    *(convolution, depthwise, convolution_mean, mean),
    *(max_pool_row, max_pool_window, average_pool_row, average_pool_window),
    *(add, quantize, pad, reshape, fully_connected, softmax, log_softmax),
)
