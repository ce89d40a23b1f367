"""Read the operators that compute pixel by pixel: sums, scalings, clamps and softmax."""

from __future__ import annotations

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer


def _add(layer: ReadLayer) -> net.Add:
    layer.int8()
    for each in layer.inputs:
        layer.check(
            each.shape == layer.output.shape,
            f"input {each.name[:80]!r} has shape {each.shape}, the output {layer.output.shape}; "
            "broadcasting is not supported",
        )
    return net.Add(layer.activation)


def _softmax(layer: ReadLayer) -> net.Softmax:
    layer.int8()
    (source,) = layer.inputs
    layer.shape(source.shape)
    scale, zero_point = layer.output.scale, layer.output.zero_point
    layer.check(
        scale == 1 / 256 and zero_point == -128,
        f"the output has scale {scale}, zero point {zero_point}; expected 1/256, -128",
    )
    return net.Softmax(float(layer.op.options["beta"]))


def _requantize(layer: ReadLayer) -> net.Requantize:
    (source,) = layer.inputs
    layer.shape(source.shape)
    return net.Requantize()


def _relu(layer: ReadLayer) -> net.Requantize:
    layer.int8()
    layer.shape(layer.inputs[0].shape)
    return net.Requantize(layer.op.name)


READERS: Readers = {
    "ADD": (2, _add),
    "DEQUANTIZE": (1, _requantize),
    "QUANTIZE": (1, _requantize),
    "RELU": (1, _relu),
    "RELU6": (1, _relu),
    "RELU_N1_TO_1": (1, _relu),
    "SOFTMAX": (1, _softmax),
}
