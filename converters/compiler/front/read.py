"""Read a `.tflite` model as a `Graph`: every layer that the compiler knows, its options and constants checked.

What cannot be compiled is a ValueError that names the layer, its operator and the reason.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converters.compiler.faults import Unsupported, check
from converters.compiler.front import network as net
from converters.compiler.limits import LARGEST_SIDE, LARGEST_STEP
from converters.tflite.reader import Model, Op, Tensor, layer_names, read_model

EDGE_DTYPES = ("int8", "uint8", "float32")


def read_graph(data: bytes) -> net.Graph:
    """Read the bytes of a `.tflite` file.

    Raises:
      ValueError: the file is damaged, or holds what cannot be compiled.
    """
    model = read_model(data)
    check(
        len(model.inputs) == 1 and len(model.outputs) == 1,
        f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; expected one of each",
    )
    return _Reader(model).graph()


class _Reader:
    """Numbers the maps in order of first use and reads layer after layer."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.maps: list[net.FeatureMap] = []
        self.numbers: dict[int, int] = {}

    def graph(self) -> net.Graph:
        source = self.number(self.model.inputs[0], "the input")
        names = layer_names(self.model)
        named = zip(self.model.ops, names, strict=True)
        layers = tuple(self.layer(op, name) for op, name in named if not _computes_shape(self.model, op))
        target = self.number(self.model.outputs[0], "the output")
        return net.Graph(tuple(self.maps), layers, source, target, tuple(range(len(self.maps))))

    def number(self, index: int, where: str) -> int:
        if index not in self.numbers:
            self.numbers[index] = len(self.maps)
            self.maps.append(_feature_map(self.model.tensors[index], where))
        return self.numbers[index]

    def layer(self, op: Op, name: str) -> net.Layer:
        where = f"layer {name} ({op.name})"
        reader = _READERS.get(op.name)
        if reader is None:
            raise Unsupported(f"{where}: the operator is not supported; expected {', '.join(sorted(_READERS))}")
        activations, kind_of = reader
        taken = op.inputs if activations is None else op.inputs[:activations]
        check(
            len(op.outputs) == 1 and taken and min(taken) >= 0 and len(taken) >= (activations or 1),
            f"{where} has inputs {list(op.inputs)}, outputs {list(op.outputs)}; one is missing or too many",
        )
        inputs = tuple(self.number(index, where) for index in taken)
        output = self.number(op.outputs[0], where)
        layer = _Layer(self.model, op, where, tuple(self.maps[i] for i in inputs), self.maps[output])
        return net.Layer(name, op.name, inputs, output, kind_of(layer))


def _computes_shape(model: Model, op: Op) -> bool:
    """Whether an operator only computes sizes, for a RESHAPE of an unknown batch; the file has those sizes."""
    return op.name in ("SHAPE", "STRIDED_SLICE", "PACK") and all(
        model.tensors[index].dtype == "int32" for index in op.outputs
    )


def _feature_map(tensor: Tensor, where: str) -> net.FeatureMap:
    what = f"{where}: tensor {tensor.name[:80]!r}"
    check(not tensor.is_constant, f"{what} is a constant; expected an activation")
    check(not tensor.is_variable, f"{what} is a variable; state between runs is not supported")
    fixed = tensor.shape_signature[1:] == tensor.shape[1:]  # the batch, often unknown, is 1
    check(fixed, f"{what} has dynamic shape {tensor.shape_signature}; expected fixed sizes")
    check(tensor.dtype in EDGE_DTYPES, f"{what} is {tensor.dtype}; expected int8")
    check(1 <= len(tensor.shape) <= 4, f"{what} has shape {tensor.shape}; expected 1 to 4 dimensions")
    check(tensor.shape[0] == 1, f"{what} has shape {tensor.shape}; expected a batch of 1")
    height, width, channels = (1, 1, 1, *tensor.shape[1:])[-3:]
    fits = all(1 <= side <= LARGEST_SIDE for side in (height, width, channels))
    check(fits, f"{what} has shape {tensor.shape}; expected sizes from 1 to {LARGEST_SIDE}")
    scale, zero_point = _quantization(tensor, what)
    return net.FeatureMap(tensor.index, tensor.name, tensor.dtype, height, width, channels, scale, zero_point)


def _quantization(tensor: Tensor, what: str) -> tuple[float, int]:
    if tensor.dtype == "float32":
        return 0.0, 0
    check(len(tensor.scale) == 1, f"{what} has {len(tensor.scale)} scales; expected one")
    (scale,), (zero_point,) = tensor.scale, tensor.zero_point
    check(scale > 0, f"{what} has scale {scale}; expected a positive one")
    lowest = 0 if tensor.dtype == "uint8" else -128
    check(
        lowest <= zero_point <= lowest + 255,
        f"{what} has zero point {zero_point}; expected {lowest}…{lowest + 255}",
    )
    return scale, zero_point


class _Layer:
    """What the readers below need of one layer."""

    def __init__(self, model: Model, op: Op, where: str, inputs: tuple[net.FeatureMap, ...], output: net.FeatureMap):
        self.model, self.op, self.where, self.inputs, self.output = model, op, where, inputs, output

    def check(self, condition: object, message: str) -> None:
        check(condition, f"{self.where}: {message}")

    @property
    def activation(self) -> str:
        return str(self.op.options.get("fused_activation", "NONE"))

    def int8(self) -> None:
        """Check that the layer computes in int8."""
        for each in (*self.inputs, self.output):
            self.check(each.dtype == "int8", f"{each.name[:80]!r} is {each.dtype}; expected an int8 model")

    def same_quantization(self) -> None:
        """Check that the layer only moves or compares bytes: nothing is scaled."""
        for each in self.inputs:
            self.check(
                (each.scale, each.zero_point) == (self.output.scale, self.output.zero_point),
                f"input {each.name[:80]!r} has scale {each.scale}, zero point {each.zero_point}, the output "
                f"{self.output.scale}, {self.output.zero_point}; expected the same",
            )

    def shape(self, expected: tuple[int, ...]) -> None:
        """Check that the output has the shape that the options and inputs give."""
        self.check(self.output.shape == expected, f"the output is {self.output.shape}; expected {expected}")

    def constant(self, position: int, what: str, dtype: str) -> Tensor:
        tensor = self.model.tensors[self.op.inputs[position]]
        self.check(tensor.data is not None, f"it computes its {what}; expected constants of the model")
        self.check(tensor.dtype == dtype, f"it has {tensor.dtype} {what}; expected {dtype}")
        return tensor

    def weights(self, rank: int, dimension: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights and their scales, one or one for each output channel."""
        tensor = self.constant(1, "weights", "int8")
        self.check(len(tensor.shape) == rank and tensor.size, f"its weights have shape {tensor.shape}")
        self.check(tensor.scale, "its weights have no scale")
        self.check(not any(tensor.zero_point), "its weights have a zero point other than 0")
        if tensor.per_channel:
            self.check(
                tensor.quantized_dimension == dimension,
                f"its weights have a scale along dimension {tensor.quantized_dimension}; expected {dimension}",
            )
        self.check(
            tensor.shape[dimension] == channels,
            f"its weights have shape {tensor.shape}, its output {channels} channels",
        )
        return np.asarray(tensor.data), np.asarray(tensor.scale, np.float64)

    def bias(self, channels: int) -> np.ndarray:
        if len(self.op.inputs) < 3 or self.op.inputs[2] == -1:
            return np.zeros(channels, np.int32)
        tensor = self.constant(2, "bias", "int32")
        self.check(tensor.size == channels, f"its bias has shape {tensor.shape}; expected {channels} values")
        return np.asarray(tensor.data).reshape(-1)

    def window(self, kernel: tuple[int, int]) -> net.Window:
        """Return the window, with the padding that the options and the sizes give."""
        options, (source,) = self.op.options, self.inputs
        stride, dilation = options["stride"], options.get("dilation", (1, 1))
        for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
            self.check(all(1 <= n <= LARGEST_STEP for n in values), f"{name} {values}; expected 1…{LARGEST_STEP}")
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        sides = list(zip(source.shape[:2], spans, stride, strict=True))
        sizes = [_output_size(options["padding"], *side) for side in sides]
        self.shape((*sizes, self.output.channels))
        pads = [0, 0]
        if options["padding"] == "SAME":
            pads = [_before(out, *side) for out, side in zip(sizes, sides, strict=True)]
        self.check(max(pads) <= LARGEST_STEP, f"padding {pads}; expected at most {LARGEST_STEP}")
        return net.Window(*kernel, *stride, *pads, *dilation)


def _before(out: int, size: int, span: int, step: int) -> int:
    """Return SAME's padding above or to the left."""
    return max(0, (out - 1) * step + span - size) // 2


def _output_size(padding: str, size: int, span: int, step: int) -> int:
    return -(-size // step) if padding == "SAME" else max(0, (size - span) // step + 1)


def _convolution(layer: _Layer) -> net.Convolution:
    layer.int8()
    channels = layer.output.channels
    weights, scale = layer.weights(4, 0, channels)
    (source,) = layer.inputs
    layer.check(
        weights.shape[3] == source.channels,
        f"its weights take {weights.shape[3]} channels, its input has {source.channels}; groups are not supported",
    )
    window = layer.window(weights.shape[1:3])
    return net.Convolution(weights, scale, layer.bias(channels), window, layer.activation)


def _depthwise(layer: _Layer) -> net.Convolution:
    layer.int8()
    channels, multiplier = layer.output.channels, layer.op.options["depth_multiplier"]
    weights, scale = layer.weights(4, 3, channels)
    (source,) = layer.inputs
    layer.check(weights.shape[0] == 1, f"its weights have shape {weights.shape}; expected 1 first")
    layer.check(
        channels == source.channels * multiplier,
        f"{source.channels} channels times depth multiplier {multiplier} are not its output's {channels}",
    )
    window = layer.window(weights.shape[1:3])
    return net.Convolution(weights, scale, layer.bias(channels), window, layer.activation, depthwise=True)


def _pool(layer: _Layer) -> net.Pool:
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    layer.check(source.channels == layer.output.channels, "its input and output differ in channels")
    average = layer.op.name == "AVERAGE_POOL_2D"
    return net.Pool(layer.window(layer.op.options["filter"]), layer.activation, average)


def _mean(layer: _Layer) -> net.Mean:
    layer.int8()
    axes = layer.constant(1, "list of axes", "int32")
    (source,) = layer.inputs
    rank = len(layer.model.tensors[source.tensor].shape)
    wanted = np.asarray(axes.data).ravel().tolist()
    given = sorted({axis % rank for axis in wanted if -rank <= axis < rank})
    layer.check(rank == 4 and given == [1, 2], f"it averages axes {wanted}; expected height and width")
    layer.shape((1, 1, source.channels))
    return net.Mean()


def _concatenation(layer: _Layer) -> net.Concatenation:
    layer.int8()
    layer.same_quantization()
    axis = layer.op.options["axis"]
    rank = len(layer.model.tensors[layer.op.outputs[0]].shape)
    layer.check(axis in (-1, rank - 1), f"axis {axis}; expected the channels")
    layer.check(layer.activation == "NONE", f"activation {layer.activation}; expected none")
    layer.shape((*layer.output.shape[:2], sum(each.channels for each in layer.inputs)))
    for each in layer.inputs:
        layer.check(each.shape[:2] == layer.output.shape[:2], f"input {each.name[:80]!r} has shape {each.shape}")
    return net.Concatenation()


def _add(layer: _Layer) -> net.Add:
    layer.int8()
    for each in layer.inputs:
        layer.check(
            each.shape == layer.output.shape,
            f"input {each.name[:80]!r} has shape {each.shape}, the output {layer.output.shape}; "
            "broadcasting is not supported",
        )
    return net.Add(layer.activation)


def _pad(layer: _Layer) -> net.Pad:
    layer.int8()
    layer.same_quantization()
    constant = layer.constant(1, "padding", layer.model.tensors[layer.op.inputs[1]].dtype)
    layer.check(constant.dtype in ("int32", "int64"), f"it has {constant.dtype} padding; expected int32")
    values = np.asarray(constant.data)
    layer.check(values.shape == (4, 2), f"its padding has shape {values.shape}; expected (4, 2)")
    layer.check(not values[0].any() and not values[3].any(), "it pads batch or channels; expected height and width")
    layer.check(((values >= 0) & (values <= LARGEST_STEP)).all(), f"it pads by {values[1:3].tolist()}")
    top, bottom, left, right = (int(value) for value in values[1:3].ravel())
    (source,) = layer.inputs
    layer.shape((source.height + top + bottom, source.width + left + right, source.channels))
    return net.Pad(top, bottom, left, right, _pad_value(layer))


def _pad_value(layer: _Layer) -> int:
    """Return PADV2's constant; PAD's is the zero point."""
    if layer.op.name == "PAD":
        return layer.output.zero_point
    constant = layer.constant(2, "value", "int8")
    value = np.asarray(constant.data)
    layer.check(value.size == 1, f"it pads with {value.size} values; expected 1")
    wanted = (layer.output.scale, layer.output.zero_point)
    found = (*constant.scale, *constant.zero_point)
    layer.check(found == wanted, f"its value has scale and zero point {found}, its output {wanted}; expected the same")
    return int(value.ravel()[0])


def _fully_connected(layer: _Layer) -> net.FullyConnected:
    layer.int8()
    channels = layer.output.channels
    weights, scale = layer.weights(2, 0, channels)
    (source,) = layer.inputs
    form = layer.op.options["weights_format"]
    layer.check(form == "DEFAULT", f"its weights have format {form}; expected DEFAULT")
    layer.check(
        weights.shape[1] == source.size,
        f"its weights take {weights.shape[1]} values, its input has {source.size}; one result a picture is expected",
    )
    layer.shape((1, 1, channels))
    return net.FullyConnected(weights, scale, layer.bias(channels), layer.activation)


def _reshape(layer: _Layer) -> net.Reshape:
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    layer.check(source.size == layer.output.size, f"{source.shape} does not become {layer.output.shape}")
    return net.Reshape()


def _softmax(layer: _Layer) -> net.Softmax:
    layer.int8()
    (source,) = layer.inputs
    layer.shape(source.shape)
    scale, zero_point = layer.output.scale, layer.output.zero_point
    layer.check(
        scale == 1 / 256 and zero_point == -128,
        f"the output has scale {scale}, zero point {zero_point}; expected 1/256, -128",
    )
    return net.Softmax(float(layer.op.options["beta"]))


def _requantize(layer: _Layer) -> net.Requantize:
    (source,) = layer.inputs
    layer.shape(source.shape)
    return net.Requantize()


def _relu(layer: _Layer) -> net.Requantize:
    layer.int8()
    layer.shape(layer.inputs[0].shape)
    return net.Requantize(layer.op.name)


# Operator → how many of its inputs are activations (None: all), and what reads it.
_READERS: dict[str, tuple[int | None, Callable[[_Layer], net.LayerKind]]] = {
    "ADD": (2, _add),
    "AVERAGE_POOL_2D": (1, _pool),
    "CONCATENATION": (None, _concatenation),
    "CONV_2D": (1, _convolution),
    "DEPTHWISE_CONV_2D": (1, _depthwise),
    "DEQUANTIZE": (1, _requantize),
    "FULLY_CONNECTED": (1, _fully_connected),
    "MAX_POOL_2D": (1, _pool),
    "MEAN": (1, _mean),
    "PAD": (1, _pad),
    "PADV2": (1, _pad),
    "QUANTIZE": (1, _requantize),
    "RELU": (1, _relu),
    "RELU6": (1, _relu),
    "RESHAPE": (1, _reshape),
    "SOFTMAX": (1, _softmax),
    "SQUEEZE": (1, _reshape),
}
