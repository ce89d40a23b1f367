"""Rewrite a network until every layer is an operator of the C library, and fix its arithmetic.

Each step is a pure function: edges become int8, reshapes become views, paddings join the windows that read them,
what nobody reads goes; then `lowered` makes the `Program`, in which concatenation is gone (producers write slices).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.c_compiler import arithmetic
from converters.c_compiler import graph as g
from converters.c_compiler.read import LARGEST_STEP, Unsupported, check

MAX_WINDOW = 16  # SQZ_MAX_WINDOW
MOST = 254  # streams and operators are numbered in uint8, of which 0xFF means none


def legalise(graph: g.Graph) -> g.Program:
    """Return the program that computes a network.

    Raises:
      ValueError: a layer cannot be expressed; the message names it.
    """
    graph = with_int8_edges(graph)
    graph = with_views(graph)
    graph = with_folded_pads(graph)
    return lowered(without_unread(graph))


# Rewrites.


def with_int8_edges(graph: g.Graph) -> g.Graph:
    """Drop a QUANTIZE at the input and a DEQUANTIZE or QUANTIZE at the output: callers give and get the int8 inside."""
    readers = [layer for layer in graph.layers if graph.input in layer.inputs]
    if _is_edge(graph, graph.input, readers, ("QUANTIZE",)):
        graph = replace(graph, input=readers[0].output, layers=_without(graph.layers, readers[0]))
    writers = [layer for layer in graph.layers if layer.output == graph.output]
    if _is_edge(graph, graph.output, writers, ("QUANTIZE", "DEQUANTIZE")):
        graph = replace(graph, output=writers[0].inputs[0], layers=_without(graph.layers, writers[0]))
    for layer in graph.layers:
        for each in (*layer.inputs, layer.output):
            _check_int8(graph.maps[each], _where(layer))
    for each in (graph.input, graph.output):
        _check_int8(graph.maps[each], "the model")
    return graph


def _is_edge(graph: g.Graph, number: int, layers: list[g.Layer], operators: tuple[str, ...]) -> bool:
    """Whether a map that is not int8 has one layer beside it, which only changes its type."""
    return graph.maps[number].dtype != "int8" and len(layers) == 1 and layers[0].operator in operators


def _without(layers: tuple[g.Layer, ...], gone: g.Layer) -> tuple[g.Layer, ...]:
    return tuple(layer for layer in layers if layer is not gone)


def _check_int8(each: g.FeatureMap, where: str) -> None:
    what = f"{where}: {each.name[:80]!r} is {each.dtype}"
    check(each.dtype == "int8", f"{what}; expected an int8 model, float or uint8 at its ends only")


def _where(layer: g.Layer) -> str:
    return f"layer {layer.name} ({layer.operator})"


def with_views(graph: g.Graph) -> g.Graph:
    """Turn reshapes into other views of the same bytes.

    Raises:
      ValueError: a reshaped map is read in rows that are not rows of the map.
    """
    views = list(graph.views)
    for layer in graph.layers:
        if isinstance(layer.kind, g.Reshape):
            views[layer.output] = views[layer.inputs[0]]
    layers = tuple(layer for layer in graph.layers if not isinstance(layer.kind, g.Reshape))
    for layer in layers:
        for each in layer.inputs:
            seen, base = graph.maps[each], graph.maps[views[each]]
            check(
                seen.height == base.height or isinstance(layer.kind, g.FullyConnected),
                f"{_where(layer)} reads {base.shape} reshaped to {seen.shape}; expected rows as they were, "
                "or a fully connected layer",
            )
    return replace(graph, layers=layers, views=tuple(views))


def with_folded_pads(graph: g.Graph) -> g.Graph:
    """Give a PAD's rows and columns to the windows that read it, where those see the same values around the map."""
    pads = {layer.output: layer for layer in graph.layers if isinstance(layer.kind, g.Pad)}
    layers = tuple(_with_folded_pad(graph, layer, pads) for layer in graph.layers)
    return replace(graph, layers=layers)


def _with_folded_pad(graph: g.Graph, layer: g.Layer, pads: dict[int, g.Layer]) -> g.Layer:
    kind = layer.kind
    if not isinstance(kind, g.Convolution | g.Pool) or layer.inputs[0] not in pads:
        return layer
    pad = pads[layer.inputs[0]]
    assert isinstance(pad.kind, g.Pad)
    source, target = graph.maps[pad.inputs[0]], graph.maps[layer.output]
    window = replace(
        kind.window, pad_top=kind.window.pad_top + pad.kind.top, pad_left=kind.window.pad_left + pad.kind.left
    )
    if max(window.pad_top, window.pad_left) > LARGEST_STEP:
        return layer
    if isinstance(kind, g.Pool):
        if not _pads_like_pool(kind, pad.kind, window, source, target):
            return layer
        merged: g.LayerKind = replace(kind, window=window)
    else:
        if not _pads_like_convolution(kind, pad.kind, graph.maps[layer.inputs[0]], target):
            return layer
        merged = replace(kind, window=window, outside=pad.kind.value)
    return _with_folded_pad(graph, replace(layer, kind=merged, inputs=(pad.inputs[0],)), pads)


def _pads_like_convolution(kind: g.Convolution, pad: g.Pad, padded: g.FeatureMap, target: g.FeatureMap) -> bool:
    """Whether a PAD's value is what the convolution sees around its input, or it sees nothing of that."""
    window = kind.window
    sees = window.pad_top or window.pad_left
    sees = sees or (target.height - 1) * window.stride_h + window.rows > padded.height
    sees = sees or (target.width - 1) * window.stride_w + (window.kernel_w - 1) * window.dilation_w + 1 > padded.width
    outside = padded.zero_point if kind.outside is None else kind.outside
    return pad.value == outside or (kind.outside is None and not sees)


def _pads_like_pool(kind: g.Pool, pad: g.Pad, window: g.Window, source: g.FeatureMap, target: g.FeatureMap) -> bool:
    """Whether a PAD's value changes no maximum, and every window sees something of the map itself.

    (An average would count it.)
    """
    last_top = (target.height - 1) * window.stride_h - window.pad_top
    last_left = (target.width - 1) * window.stride_w - window.pad_left
    sees = window.pad_top < window.kernel_h and window.pad_left < window.kernel_w
    sees = sees and last_top < source.height and last_left < source.width
    return not kind.average and pad.value == arithmetic.QMIN and sees


def without_unread(graph: g.Graph) -> g.Graph:
    """Drop layers whose output nobody reads."""
    wanted = {graph.views[graph.output]}
    kept: list[g.Layer] = []
    for layer in reversed(graph.layers):
        if layer.output in wanted:
            kept.insert(0, layer)
            wanted |= {graph.views[each] for each in layer.inputs}
    return replace(graph, layers=tuple(kept))


# From layers to operators.


def lowered(graph: g.Graph) -> g.Program:
    """Return the program of a graph whose reshapes and edges are gone."""
    return _Lowering(graph).program()


@dataclass(frozen=True)
class _Slice:
    """Where a map's values are kept: from which channel on of which map."""

    home: int
    channel: int = 0


class _Lowering:
    """Finds each map a home, then makes operators layer by layer."""

    def __init__(self, graph: g.Graph) -> None:
        self.graph = graph
        reads = [graph.views[each] for layer in graph.layers for each in layer.inputs]
        self.readers = Counter([*reads, graph.views[graph.output]])
        self.producers = {layer.output: layer for layer in graph.layers}
        self.fused = {layer.inputs[0]: layer for layer in graph.layers if self._is_fused_mean(layer)}
        self.slices = self._slices()
        self.streams: list[g.Stream] = []
        self.numbers: dict[int, int] = {}
        self.operators: list[g.Operator] = []

    def program(self) -> g.Program:
        self._stream(self.graph.input)
        for layer in self.graph.layers:
            try:
                self._lower(layer)
            except ValueError as error:
                if str(error).startswith("layer "):
                    raise
                raise Unsupported(f"{_where(layer)}: {error}") from error
        output = self._stream(self.graph.views[self.graph.output])
        check(self.operators, "the model computes nothing: its output is its input")
        for name, count in (("streams", len(self.streams)), ("operators", len(self.operators))):
            check(count <= MOST, f"the model has {count} {name}; expected at most {MOST}")
        return g.Program(tuple(self.streams), tuple(self.operators), output)

    def _is_fused_mean(self, layer: g.Layer) -> bool:
        """Whether a layer is the MEAN that alone reads a convolution of 1 x 1."""
        source = layer.inputs[0]
        producer = self.producers.get(source)
        if not isinstance(layer.kind, g.Mean) or producer is None or self.readers[source] != 1:
            return False
        kind = producer.kind
        return isinstance(kind, g.Convolution) and not kind.depthwise and kind.weights.shape[1:3] == (1, 1)

    def _slices(self) -> dict[int, _Slice]:
        """Find the maps that only a concatenation reads: their producers write into its rows."""
        result: dict[int, _Slice] = {}
        for layer in reversed(self.graph.layers):
            if isinstance(layer.kind, g.Concatenation):
                home = result.get(layer.output, _Slice(layer.output))
                channel = home.channel
                for each in layer.inputs:
                    if self._is_written_for(each):
                        result[each] = _Slice(home.home, channel)
                    channel += self.graph.maps[each].channels
        return result

    def _is_written_for(self, number: int) -> bool:
        return self.readers[number] == 1 and number in self.producers and self.graph.views[number] == number

    def _stream(self, number: int) -> int:
        """Return the stream that a map is, or is a view of."""
        number = self.graph.views[number]
        if number not in self.numbers:
            self.numbers[number] = len(self.streams)
            each = self.graph.maps[number]
            self.streams.append(g.Stream(each.tensor, each.name, *each.shape, each.scale, each.zero_point))
        return self.numbers[number]

    def _add(self, layer: g.Layer, kernel: g.Kernel, output: int, **how: Any) -> None:
        """Append the operator that writes map `output`."""
        where = self.slices.get(output, _Slice(output))
        inputs = tuple(self._stream(each) for each in layer.inputs)
        tensor = self.graph.maps[output].tensor
        stream = self._stream(where.home)
        values: dict[str, Any] = {
            "yields": g.EACH,
            "fires": self.graph.maps[output].height,
            "channel": where.channel,
            **how,
        }
        self.operators.append(g.Operator(layer.name, layer.operator, inputs, stream, kernel, tensor=tensor, **values))

    def _lower(self, layer: g.Layer) -> None:
        if isinstance(layer.kind, g.Mean) and layer.inputs[0] in self.fused:
            return
        methods = {
            g.Convolution: self._convolution,
            g.Pool: self._pool,
            g.Mean: self._mean,
            g.Concatenation: self._concatenation,
            g.Add: self._sum,
            g.Pad: self._pad,
            g.FullyConnected: self._fully_connected,
            g.Softmax: self._softmax,
            g.Requantize: self._requantize,
        }
        methods[type(layer.kind)](layer, layer.kind)  # type: ignore[operator]

    def _maps(self, layer: g.Layer) -> tuple[g.FeatureMap, g.FeatureMap]:
        return self.graph.maps[layer.inputs[0]], self.graph.maps[layer.output]

    def _convolution(self, layer: g.Layer, kind: g.Convolution) -> None:
        source, target = self._maps(layer)
        window, mean = kind.window, self.fused.get(layer.output)
        check(window.rows <= MAX_WINDOW, f"it sees {window.rows} rows; expected at most {MAX_WINDOW}")
        bias, largest = arithmetic.fold_bias(_matrix(kind), kind.bias, source.zero_point)
        requant = _requant(source.scale * kind.weight_scale / target.scale, largest, kind.activation, target)
        kernel = g.ConvKernel(
            kind.weights,
            bias,
            requant,
            window,
            source.width,
            source.channels,
            target.width,
            target.channels,
            source.zero_point if kind.outside is None else kind.outside,
            kind.depthwise,
        )
        macs = target.size * (kind.weights.size // target.channels)
        how = {"rows": window.rows, "stride_h": window.stride_h, "pad_top": window.pad_top, "macs": macs}
        if mean is None:
            self._add(layer, kernel, layer.output, **how)
            return
        result = self.graph.maps[mean.output]
        kernel = replace(kernel, mean=_mean_requant(target, result), pixels=target.height * target.width)
        self._add(layer, kernel, mean.output, **how, yields=g.LAST, fires=target.height)

    def _pool(self, layer: g.Layer, kind: g.Pool) -> None:
        source, target = self._maps(layer)
        window = kind.window
        if target.height == 1:  # nothing follows the one window, so its step is free
            window = replace(window, stride_h=max(window.stride_h, window.kernel_h))
        streaming = is_streaming(window, source.height, target.height, kind.average)
        check(streaming or window.rows <= MAX_WINDOW, f"it sees {window.rows} rows; expected at most {MAX_WINDOW}")
        ends = arithmetic.activation_range(kind.activation, target.scale, target.zero_point)
        kernel = g.PoolKernel(window, source.width, source.channels, target.width, *ends, kind.average, streaming)
        fires = last_row_needed(window, source.height, target.height) if streaming else target.height
        self._add(
            layer,
            kernel,
            layer.output,
            yields=g.WINDOW if streaming else g.EACH,
            fires=fires,
            rows=window.rows,
            stride_h=window.stride_h,
            pad_top=window.pad_top,
        )

    def _mean(self, layer: g.Layer, kind: g.Mean) -> None:
        source, target = self._maps(layer)
        pixels = source.height * source.width
        requant = _mean_requant(source, target)
        kernel = g.MeanKernel(requant, pixels, source.width, source.channels, source.zero_point)
        self._add(layer, kernel, layer.output, yields=g.LAST, fires=source.height)

    def _concatenation(self, layer: g.Layer, kind: g.Concatenation) -> None:
        """Copy what its producer could not write in place."""
        where = self.slices.get(layer.output, _Slice(layer.output))
        channel = where.channel
        for each in layer.inputs:
            source = self.graph.maps[each]
            if each not in self.slices:
                kernel = g.PadKernel(source.width, source.channels, source.width, 0, source.zero_point)
                copy = replace(layer, inputs=(each,))
                self._add(copy, kernel, layer.output, channel=channel)
            channel += source.channels

    def _sum(self, layer: g.Layer, kind: g.Add) -> None:
        a, b = (self.graph.maps[each] for each in layer.inputs)
        target = self.graph.maps[layer.output]
        twice = 2 * max(a.scale, b.scale)
        reals = np.array([a.scale / twice, b.scale / twice, twice / ((1 << 20) * target.scale)])
        check(reals[2] < 1, f"the output's scale {target.scale} is too small for the inputs' {a.scale}, {b.scale}")
        multiplier, shift = arithmetic.quantized_multipliers(reals)
        check(shift.max() <= 0, f"the output's scale {target.scale} is too small for the inputs' {a.scale}, {b.scale}")
        kernel = g.AddKernel(
            _three(multiplier),
            _three(shift),
            (a.zero_point, b.zero_point, target.zero_point),
            *arithmetic.activation_range(kind.activation, target.scale, target.zero_point),
            target.width,
            target.channels,
        )
        self._add(layer, kernel, layer.output)

    def _pad(self, layer: g.Layer, kind: g.Pad) -> None:
        source, target = self._maps(layer)
        kernel = g.PadKernel(source.width, source.channels, target.width, kind.left, kind.value)
        self._add(layer, kernel, layer.output, pad_top=kind.top)

    def _fully_connected(self, layer: g.Layer, kind: g.FullyConnected) -> None:
        source, target = self._maps(layer)
        base = self.graph.maps[self.graph.views[layer.inputs[0]]]
        bias, largest = arithmetic.fold_bias(kind.weights, kind.bias, source.zero_point)
        real = source.scale * kind.weight_scale / target.scale
        requant = _exact_requant(real, largest, kind.activation, target)
        kernel = g.FullyConnectedKernel(
            kind.weights, bias, requant, base.width * base.channels, base.height, target.channels
        )
        self._add(layer, kernel, layer.output, yields=g.LAST, fires=base.height, macs=kind.weights.size)

    def _softmax(self, layer: g.Layer, kind: g.Softmax) -> None:
        source, _ = self._maps(layer)
        multiplier, shift, diff_min = arithmetic.softmax_scaling(kind.beta, source.scale)
        self._add(layer, g.SoftmaxKernel(multiplier, shift, diff_min, source.width, source.channels), layer.output)

    def _requantize(self, layer: g.Layer, kind: g.Requantize) -> None:
        source, target = self._maps(layer)
        real = np.array([source.scale / target.scale])
        requant = _requant(real, np.array([255]), kind.activation, target)
        kernel = g.QuantizeKernel(requant, source.width, source.channels, source.zero_point)
        self._add(layer, kernel, layer.output)


def is_streaming(window: g.Window, in_height: int, out_height: int, average: bool) -> bool:
    """Whether a pool can see one row at a time: no row leaves two windows open, or ends two."""
    overlap = 0 if average else 1
    if window.kernel_h > window.stride_h + overlap:
        return False
    ends = {min(y * window.stride_h - window.pad_top + window.kernel_h, in_height) for y in range(out_height)}
    return len(ends) == out_height and min(ends) > 0


def _matrix(kind: g.Convolution) -> np.ndarray:
    """Return a convolution's weights as one row for each output channel: int8 [O, K]."""
    if kind.depthwise:
        return kind.weights.reshape(-1, kind.weights.shape[3]).T
    return kind.weights.reshape(len(kind.weights), -1)


def last_row_needed(window: g.Window, in_height: int, out_height: int) -> int:
    """Return how many input rows the last output row needs."""
    return min((out_height - 1) * window.stride_h - window.pad_top + window.rows, in_height)


def _three(values: np.ndarray) -> tuple[int, int, int]:
    a, b, c = (int(value) for value in values)
    return a, b, c


def _requant(real: np.ndarray, largest: np.ndarray, activation: str, target: g.FeatureMap) -> g.Requant:
    """Return how sums become a map's int8, proven not to overflow."""
    check(bool(np.all(np.isfinite(real))), "a scale is too large or too small to be used")
    multiplier, shift = arithmetic.quantized_multipliers(real)
    arithmetic.check_sums(largest, multiplier, shift)
    ends = arithmetic.activation_range(activation, target.scale, target.zero_point)
    if np.all(multiplier == multiplier[0]) and np.all(shift == shift[0]):
        multiplier, shift = multiplier[:1], shift[:1]
    return g.Requant(multiplier, shift.astype(np.int8), target.zero_point, *ends)


def _exact_requant(real: np.ndarray, largest: np.ndarray, activation: str, target: g.FeatureMap) -> g.ExactRequant:
    """Return how sums become a map's int8 where TFLite multiplies by a double, proven not to overflow."""
    check(bool(np.all(np.isfinite(real))), "a scale is too large or too small to be used")
    high, low, shift = arithmetic.exact_factors(real)
    arithmetic.check_products(largest, real)
    ends = arithmetic.activation_range(activation, target.scale, target.zero_point)
    return g.ExactRequant(high, low, shift, target.zero_point, *ends)


def _mean_requant(source: g.FeatureMap, target: g.FeatureMap) -> g.Requant:
    """Return MEAN's scaling, 1 / pixels included as TFLite's reference kernel includes it."""
    pixels = source.height * source.width
    (multiplier,), (shift,) = arithmetic.quantized_multipliers(np.array([source.scale / target.scale]))
    extra = min(pixels.bit_length() - 1, 32, 31 + int(shift))
    scaled = (int(multiplier) << extra) // pixels
    shift = int(shift) - extra
    arithmetic.check_sums(np.array([255 * pixels]), np.array([scaled]), np.array([shift]))
    return g.Requant(
        np.array([scaled], np.int32), np.array([shift], np.int8), target.zero_point, arithmetic.QMIN, arithmetic.QMAX
    )
