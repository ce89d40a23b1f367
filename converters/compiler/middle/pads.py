"""Give the pixels of a PAD to the layer that reads it, where that sees the same values without the PAD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from converters.compiler.front import network as net
from converters.compiler.limits import LARGEST_STEP
from converters.compiler.middle import arithmetic


def with_folded_pads(graph: net.Graph) -> net.Graph:
    """Give a PAD's pixels to the layer that reads it: a mean, or windows that see the same values around the map."""
    pads = {layer.output: layer for layer in graph.layers if isinstance(layer.kind, net.Pad)}
    layers = tuple(_with_folded_pad(graph, layer, pads) for layer in graph.layers)
    return replace(graph, layers=layers)


def _with_folded_pad(graph: net.Graph, layer: net.Layer, pads: dict[int, net.Layer]) -> net.Layer:
    """Return a layer with as many PADs before it folded in as can be, one after another."""
    while pad := pads.get(layer.inputs[0]):
        assert isinstance(pad.kind, net.Pad)
        if pad.kind.before or pad.kind.after:
            break
        maps = (graph.maps[each] for each in (*pad.inputs, layer.inputs[0], layer.output))
        merged = FOLDS[type(layer.kind)](layer.kind, _Padding(pad.kind, *maps))
        if merged is None:
            break
        layer = replace(layer, kind=merged, inputs=pad.inputs)
    return layer


@dataclass(frozen=True)
class _Padding:
    """A PAD: the map it reads, the one it writes, and the one that its reader makes of that."""

    pad: net.Pad
    source: net.FeatureMap
    padded: net.FeatureMap
    target: net.FeatureMap

    def window(self, window: net.Window) -> net.Window | None:
        """Return a window that pads by itself; None if it cannot pad so far."""
        top, left = window.pad_top + self.pad.top, window.pad_left + self.pad.left
        return None if max(top, left) > LARGEST_STEP else replace(window, pad_top=top, pad_left=left)


def _into_mean(kind: net.Mean, padding: _Padding) -> net.Mean | None:
    """Return a MEAN that adds the pixels of one PAD itself: their number and value are known."""
    if kind != net.Mean():  # of one side alone the pixels of a PAD are not as many for all
        return None
    padded, source = padding.padded, padding.source
    return net.Mean(padded.height * padded.width - source.height * source.width, padding.pad.value)


def _into_convolution(kind: net.Convolution, padding: _Padding) -> net.Convolution | None:
    window = padding.window(kind.window)
    if window is None or not _pads_like_convolution(kind, padding.pad, padding.padded, padding.target):
        return None
    return replace(kind, window=window, outside=padding.pad.value)


def _into_pool(kind: net.Pool, padding: _Padding) -> net.Pool | None:
    window = padding.window(kind.window)
    if window is None or not _pads_like_pool(kind, padding.pad, window, padding.source, padding.target):
        return None
    return replace(kind, window=window)


def _apart(kind: net.LayerKind, padding: _Padding) -> None:
    """Leave a PAD as it is."""


def _pads_like_convolution(kind: net.Convolution, pad: net.Pad, padded: net.FeatureMap, target: net.FeatureMap) -> bool:
    """Whether a PAD's value is what the convolution sees around its input, or it sees nothing of that."""
    window = kind.window
    sees = window.pad_top or window.pad_left
    sees = sees or (target.height - 1) * window.stride_h + window.rows > padded.height
    sees = sees or (target.width - 1) * window.stride_w + (window.kernel_w - 1) * window.dilation_w + 1 > padded.width
    outside = padded.zero_point if kind.outside is None else kind.outside
    return pad.value == outside or (kind.outside is None and not sees)


def _pads_like_pool(
    kind: net.Pool, pad: net.Pad, window: net.Window, source: net.FeatureMap, target: net.FeatureMap
) -> bool:
    """Whether a PAD's value changes no maximum, and every window sees something of the map itself.

    (An average would count it.)
    """
    last_top = (target.height - 1) * window.stride_h - window.pad_top
    last_left = (target.width - 1) * window.stride_w - window.pad_left
    sees = window.pad_top < window.kernel_h and window.pad_left < window.kernel_w
    sees = sees and last_top < source.height and last_left < source.width
    return not kind.average and pad.value == arithmetic.QMIN and sees


# What a kind of layer becomes with a PAD in it; None where it cannot be.
FOLDS: dict[type, Callable[[Any, _Padding], net.LayerKind | None]] = {
    net.Binary: _apart,
    net.Broadcast: _apart,
    net.Concatenation: _apart,
    net.ConstantMap: _apart,
    net.Convolution: _into_convolution,
    net.EachConnected: _apart,
    net.Elementwise: _apart,
    net.FullyConnected: _apart,
    net.Mean: _into_mean,
    net.Pad: _apart,
    net.Pool: _into_pool,
    net.PRelu: _apart,
    net.Requantize: _apart,
    net.Reshape: _apart,
    net.Resize: _apart,
    net.Slice: _apart,
    net.Softmax: _apart,
    net.Transpose: _apart,
}
