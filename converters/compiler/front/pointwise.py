"""Read the operators that compute pixel by pixel: sums, scalings, clamps and softmax."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import COMPUTED, Readers, ReadLayer


def _binary(layer: ReadLayer) -> net.Binary:
    """Read an operator of two maps, of a map and a pixel that meets all of its pixels, or of a map and a constant."""
    layer.int8()
    operator, output = layer.op.name, layer.output
    if operator in ("MINIMUM", "MAXIMUM"):
        layer.same_quantization()
    if len(layer.inputs) == 1:
        position = int(layer.model.tensors[layer.op.inputs[0]].data is None)
        layer.shape(layer.inputs[0].shape)
        return net.Binary(operator, layer.activation, _constant(layer, position), swapped=position == 0)
    first, second = layer.inputs
    swapped = first.shape != output.shape
    wide, other = (second, first) if swapped else (first, second)
    layer.check(
        wide.shape == output.shape and other.shape in (output.shape, (1, 1, output.channels)),
        f"its inputs have shapes {first.shape} and {second.shape}, its output {output.shape}; expected two of that "
        f"shape, or one of it and one pixel, {(1, 1, output.channels)}",
    )
    return net.Binary(operator, layer.activation, swapped=swapped)


def _constant(layer: ReadLayer, position: int) -> net.Constant:
    """Return a constant input, of one value or one for each channel."""
    tensor = layer.constant(position, "constant", "int8")
    values, channels = np.asarray(tensor.data).reshape(-1), layer.output.channels
    one_each = values.size == channels and tensor.shape[-1:] == (channels,)
    layer.check(
        values.size == 1 or one_each,
        f"its constant has shape {tensor.shape}; expected one value, or one for each of {channels} channels",
    )
    layer.check(len(tensor.scale) == 1 and tensor.scale[0] > 0, f"its constant has scales {tensor.scale}; expected one")
    if layer.op.name in ("MINIMUM", "MAXIMUM"):
        found, wanted = (*tensor.scale, *tensor.zero_point), (layer.output.scale, layer.output.zero_point)
        layer.check(found == wanted, f"its constant has scale and zero point {found}; expected its output's, {wanted}")
    return net.Constant(values, tensor.scale[0], tensor.zero_point[0])


def _elementwise(layer: ReadLayer) -> net.Elementwise:
    layer.int8()
    layer.shape(layer.inputs[0].shape)
    fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(layer.op.name)
    found = (layer.output.scale, layer.output.zero_point)
    layer.check(fixed in (None, found), f"the output has scale, zero point {found}; expected {fixed}")
    return net.Elementwise(layer.op.name, float(layer.op.options.get("alpha", 0.0)))


def _prelu(layer: ReadLayer) -> net.PRelu:
    layer.int8()
    layer.shape(layer.inputs[0].shape)
    return net.PRelu(_constant(layer, 1))


def _softmax(layer: ReadLayer) -> net.Softmax:
    layer.int8()
    (source,) = layer.inputs
    layer.shape(source.shape)
    logarithm = layer.op.name == "LOG_SOFTMAX"
    wanted, found = (1 / 16, 127) if logarithm else (1 / 256, -128), (layer.output.scale, layer.output.zero_point)
    layer.check(
        found == wanted,
        f"the output has scale {found[0]}, zero point {found[1]}; expected 1/{1 / wanted[0]:g}, {wanted[1]}",
    )
    return net.Softmax(float(layer.op.options.get("beta", 1.0)), logarithm)


def _requantize(layer: ReadLayer) -> net.Requantize:
    (source,) = layer.inputs
    layer.shape(source.shape)
    return net.Requantize()


def _relu(layer: ReadLayer) -> net.Requantize:
    layer.int8()
    layer.shape(layer.inputs[0].shape)
    return net.Requantize(layer.op.name)


READERS: Readers = {
    "ADD": (COMPUTED, _binary),
    "DEQUANTIZE": (1, _requantize),
    "EXP": (1, _elementwise),
    "HARD_SWISH": (1, _elementwise),
    "LEAKY_RELU": (1, _elementwise),
    "LOGISTIC": (1, _elementwise),
    "LOG_SOFTMAX": (1, _softmax),
    "MAXIMUM": (COMPUTED, _binary),
    "MINIMUM": (COMPUTED, _binary),
    "MUL": (COMPUTED, _binary),
    "PRELU": (1, _prelu),
    "QUANTIZE": (1, _requantize),
    "RELU": (1, _relu),
    "RELU6": (1, _relu),
    "RELU_N1_TO_1": (1, _relu),
    "SOFTMAX": (1, _softmax),
    "SUB": (COMPUTED, _binary),
    "TANH": (1, _elementwise),
}
