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
        constant = _constant(layer, position)
        if constant.values.size not in (1, output.channels):
            return _with_map(layer, constant, swapped=position == 0)
        return net.Binary(operator, layer.activation, constant, swapped=position == 0)
    first, second = layer.inputs
    swapped = first.shape != output.shape
    wide, other = (second, first) if swapped else (first, second)
    fits = all(mine in (1, whole) for mine, whole in zip(other.shape, output.shape, strict=True))
    layer.check(
        wide.shape == output.shape and fits,
        f"its inputs have shapes {first.shape} and {second.shape}, its output {output.shape}; expected one of that "
        "shape, and another with sides of that or of 1",
    )
    if other.shape[1:] not in (output.shape[1:], (1, output.channels)):
        place, shape = int(not swapped), (other.height, *output.shape[1:])
        spread = layer.step(net.Broadcast(), shape, place, quantization=(other.scale, other.zero_point))
        layer.reads = (spread, 1) if swapped else (0, spread)
    return net.Binary(operator, layer.activation, swapped=swapped)


def _with_map(layer: ReadLayer, constant: net.Constant, swapped: bool) -> net.Binary:
    """Return an operator of a map and a constant for each of its values, which becomes a map."""
    values = constant.values.reshape(layer.output.shape)
    given = (constant.scale, constant.zero_point)
    made = layer.step(net.ConstantMap(values), layer.output.shape, 0, quantization=given)
    layer.reads = (made, 0) if swapped else (0, made)
    return net.Binary(layer.op.name, layer.activation)


def _constant(layer: ReadLayer, position: int) -> net.Constant:
    """Return a constant input, of one value, one for each channel, or one for each value of the output."""
    tensor = layer.constant(position, "constant", "int8")
    values, shape = np.asarray(tensor.data), layer.output.shape
    sides = (1, 1, 1, *values.shape)[-3:]
    fits = values.size == np.prod(sides) and all(mine in (1, whole) for mine, whole in zip(sides, shape, strict=True))
    layer.check(fits, f"its constant has shape {tensor.shape}; expected sides of its output's, {shape}, or of 1")
    if values.size > 1:
        one_each = sides[:2] == (1, 1) and sides[2] == shape[2]
        values = values if one_each else np.broadcast_to(values.reshape(sides), shape)
    values = values.reshape(-1)
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
    options = layer.op.options
    return net.Elementwise(layer.op.name, float(options.get("alpha", 0.0)), bool(options.get("approximate", False)))


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
    "ABS": (1, _elementwise),
    "ADD": (COMPUTED, _binary),
    "DEQUANTIZE": (1, _requantize),
    "EXP": (1, _elementwise),
    "GELU": (1, _elementwise),
    "HARD_SWISH": (1, _elementwise),
    "LEAKY_RELU": (1, _elementwise),
    "LOGISTIC": (1, _elementwise),
    "LOG": (1, _elementwise),
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
