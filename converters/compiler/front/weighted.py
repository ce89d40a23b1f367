"""Read the operators with weights: convolutions and fully connected layers."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer


def _convolution(layer: ReadLayer) -> net.Convolution:
    layer.int8()
    channels = layer.output.channels
    weights, scale = layer.weights(4, 0, channels)
    (source,) = layer.inputs
    groups = source.channels // weights.shape[3]
    layer.check(
        weights.shape[3] * groups == source.channels and channels % groups == 0,
        f"its weights take {weights.shape[3]} channels and make {channels}, its input has {source.channels}; "
        "expected as many, or groups of one size",
    )
    window = layer.window(weights.shape[1:3])
    depthwise = groups > 1 and weights.shape[3] == 1
    weights = weights.transpose(3, 1, 2, 0) if depthwise else _ungrouped(weights, groups)
    kernel = np.ascontiguousarray(weights)
    return net.Convolution(kernel, scale, layer.bias(channels), window, layer.activation, depthwise)


def _ungrouped(weights: np.ndarray, groups: int) -> np.ndarray:
    """Return weights that take all channels, zeros for those of other groups: int8 [O, KH, KW, I]."""
    if groups == 1:
        return weights
    outputs, inputs = weights.shape[0] // groups, weights.shape[3]
    result = np.zeros((*weights.shape[:3], inputs * groups), np.int8)
    for group in range(groups):
        own = slice(group * outputs, (group + 1) * outputs)
        result[own, ..., group * inputs : (group + 1) * inputs] = weights[own]
    return result


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


def _fully_connected(layer: ReadLayer) -> net.FullyConnected | net.EachConnected:
    """Read a FULLY_CONNECTED of a picture, or of each step of a sequence: TFLite takes so many values at a time."""
    layer.int8()
    channels = layer.output.channels
    weights, scale = layer.weights(2, 0, channels)
    (source,) = layer.inputs
    form = layer.op.options["weights_format"]
    layer.check(form == "DEFAULT", f"its weights have format {form}; expected DEFAULT")
    constants = (weights, scale, layer.bias(channels), layer.activation)
    if weights.shape[1] == source.size:
        layer.shape((1, 1, channels))
        return net.FullyConnected(*constants)
    taken = weights.shape[1]
    layer.check(
        source.size % taken == 0 and layer.output.size == source.size // taken * channels,
        f"its weights take {taken} values and make {channels}, its input has {source.size}, its output "
        f"{layer.output.size}; expected a multiple of each",
    )
    steps = source.shape[:2] if taken == source.channels else (1, source.size // taken)
    layer.sees(0, (*steps, taken))
    layer.makes((*steps, channels))
    return net.EachConnected(*constants)


READERS: Readers = {
    "CONV_2D": (1, _convolution),
    "DEPTHWISE_CONV_2D": (1, _depthwise),
    "FULLY_CONNECTED": (1, _fully_connected),
}
