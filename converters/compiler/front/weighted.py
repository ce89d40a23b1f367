"""Read the operators with weights: convolutions and fully connected layers."""

from __future__ import annotations

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer


def _convolution(layer: ReadLayer) -> net.Convolution:
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


def _depthwise(layer: ReadLayer) -> net.Convolution:
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


def _fully_connected(layer: ReadLayer) -> net.FullyConnected:
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


READERS: Readers = {
    "CONV_2D": (1, _convolution),
    "DEPTHWISE_CONV_2D": (1, _depthwise),
    "FULLY_CONNECTED": (1, _fully_connected),
}
