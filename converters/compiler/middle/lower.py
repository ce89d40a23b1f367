"""Make the operators and streams of the C library from a rewritten network, each kind of layer by its own function.

Concatenation goes: who makes a map that only a concatenation reads writes its channels of the concatenated rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from converters.compiler.faults import Unsupported, check
from converters.compiler.front import network as net
from converters.compiler.limits import MOST_NUMBERED
from converters.compiler.middle import kernels
from converters.compiler.middle import program as prog
from converters.compiler.middle.homes import Homes


def lower(graph: net.Graph, results: tuple[net.FeatureMap, ...]) -> prog.Program:
    """Return the program of a network whose edges are int8 and whose reshapes are views where that is enough.

    Args:
      graph: with one output.
      results: what callers see in that, one after another.

    Raises:
      ValueError: a layer cannot be an operator, or there are too many.
    """
    return _Lowering(graph).program(results)


def _rows_of(each: net.FeatureMap) -> prog.Stream:
    return prog.Stream(each.tensor, each.name, *each.shape, each.scale, each.zero_point)


class _Lowering:
    """Appends operators, layer by layer, and the streams they need."""

    def __init__(self, graph: net.Graph) -> None:
        self.graph, self.homes = graph, Homes(graph)
        self.streams: list[prog.Stream] = []
        self.numbers: dict[int, int] = {}
        self.operators: list[prog.Operator] = []

    def program(self, results: tuple[net.FeatureMap, ...]) -> prog.Program:
        self._stream(self.graph.input)
        for layer in self.graph.layers:
            try:
                LOWERINGS[type(layer.kind)](self, layer, layer.kind)
            except ValueError as error:
                raise Unsupported(f"layer {layer.name} ({layer.operator}): {error}") from error
        output = self._stream(self.graph.outputs[0])
        check(self.operators, "the model computes nothing: its output is its input")
        for name, count in (("streams", len(self.streams)), ("operators", len(self.operators))):
            check(count <= MOST_NUMBERED, f"the model has {count} {name}; expected at most {MOST_NUMBERED}")
        seen = tuple(_rows_of(each) for each in results)
        return prog.Program(tuple(self.streams), tuple(self.operators), output, seen)

    def _stream(self, number: int) -> int:
        """Return the stream that a map is, or is a view of."""
        number = self.graph.views[number]
        if number not in self.numbers:
            self.numbers[number] = len(self.streams)
            self.streams.append(_rows_of(self.graph.maps[number]))
        return self.numbers[number]

    def maps(self, layer: net.Layer) -> tuple[net.FeatureMap, ...]:
        """Return the maps that a layer reads, then the one it writes."""
        return tuple(self.graph.maps[each] for each in (*layer.inputs, layer.output))

    def add(self, layer: net.Layer, kernel: prog.Kernel, output: int, **how: Any) -> None:
        """Append the operator that writes map `output`; `how` are fields that differ from one row for one."""
        home, target = self.homes.of(output), self.graph.maps[output]
        values: dict[str, Any] = {"yields": prog.EACH, "fires": target.height, "channel": home.channel, **how}
        inputs = tuple(self._stream(each) for each in layer.inputs)
        self.operators.append(
            prog.Operator(
                layer.name, layer.operator, inputs, self._stream(home.number), kernel, tensor=target.tensor, **values
            )
        )


# What makes the operators of a layer; `to` is where they go.


def _convolution(to: _Lowering, layer: net.Layer, kind: net.Convolution) -> None:
    source, target = to.maps(layer)
    window, mean = kind.window, to.homes.fused.get(layer.output)
    macs = target.size * (kind.weights.size // target.channels)
    how = {"rows": window.rows, "stride_h": window.stride_h, "pad_top": window.pad_top, "macs": macs}
    if mean is None:
        to.add(layer, kernels.convolution(kind, source, target), layer.output, **how)
    else:
        assert isinstance(mean.kind, net.Mean)
        kernel = kernels.convolution_and_mean(kind, mean.kind, source, target, to.graph.maps[mean.output])
        to.add(layer, kernel, mean.output, **how, yields=prog.LAST, fires=target.height)


def _mean(to: _Lowering, layer: net.Layer, kind: net.Mean) -> None:
    if layer.inputs[0] not in to.homes.fused:
        source, target = to.maps(layer)
        rows = {"yields": prog.LAST, "fires": source.height} if "H" in kind.over else {}
        to.add(layer, kernels.mean(kind, source, target), layer.output, **rows)


def _pool(to: _Lowering, layer: net.Layer, kind: net.Pool) -> None:
    source, target = to.maps(layer)
    kernel = kernels.pool(kind, source, target)
    window = kernel.window
    how: dict[str, Any] = {"rows": window.rows, "stride_h": window.stride_h, "pad_top": window.pad_top}
    if kernel.streaming:  # it fires for each input row up to the last that the last window needs
        last = (target.height - 1) * window.stride_h - window.pad_top + window.rows
        how |= {"yields": prog.WINDOW, "fires": min(last, source.height)}
    to.add(layer, kernel, layer.output, **how)


def _concatenation(to: _Lowering, layer: net.Layer, kind: net.Concatenation) -> None:
    """Copy what its producer could not write in place."""
    home = to.homes.of(layer.output)
    for each, channel in to.homes.channels(layer):
        if each not in to.homes.slices:
            kernel = kernels.copy(to.graph.maps[each])
            to.add(replace(layer, inputs=(each,)), kernel, layer.output, channel=home.channel + channel)


def _fully_connected(to: _Lowering, layer: net.Layer, kind: net.FullyConnected) -> None:
    source, target = to.maps(layer)
    rows = to.graph.maps[to.graph.views[layer.inputs[0]]]
    kernel = kernels.fully_connected(kind, source, rows, target)
    to.add(layer, kernel, layer.output, yields=prog.LAST, fires=rows.height, macs=kind.weights.size)


def _each_connected(to: _Lowering, layer: net.Layer, kind: net.EachConnected) -> None:
    source, target = to.maps(layer)
    macs = kind.weights.size * source.height * source.width
    to.add(layer, kernels.each_connected(kind, source, target), layer.output, macs=macs)


def _binary(to: _Lowering, layer: net.Layer, kind: net.Binary) -> None:
    *sources, target = to.maps(layer)
    if kind.constant is not None:
        (a,) = sources
        b = replace(a, scale=kind.constant.scale, zero_point=kind.constant.zero_point)
    else:
        a, b = reversed(sources) if kind.swapped else sources
        layer = replace(layer, inputs=tuple(reversed(layer.inputs)) if kind.swapped else layer.inputs)
    to.add(layer, kernels.binary(kind, a, b, target), layer.output)


def _constant_map(to: _Lowering, layer: net.Layer, kind: net.ConstantMap) -> None:
    *_, target = to.maps(layer)
    to.add(layer, kernels.constant_map(kind, target), layer.output)


def _broadcast(to: _Lowering, layer: net.Layer, kind: net.Broadcast) -> None:
    to.add(layer, kernels.broadcast(*to.maps(layer)), layer.output)


def _elementwise(to: _Lowering, layer: net.Layer, kind: net.Elementwise) -> None:
    to.add(layer, kernels.lookup(kind, *to.maps(layer)), layer.output)


def _prelu(to: _Lowering, layer: net.Layer, kind: net.PRelu) -> None:
    to.add(layer, kernels.prelu(kind, *to.maps(layer)), layer.output)


def _transpose(to: _Lowering, layer: net.Layer, kind: net.Transpose) -> None:
    source, target = to.maps(layer)
    how = {} if kind.axes[0] == 0 else {"rows": source.height, "stride_h": 0}
    to.add(layer, kernels.transpose(kind, source, target), layer.output, **how)


def _slice(to: _Lowering, layer: net.Layer, kind: net.Slice) -> None:
    """A row of the output is complete with the input row that it is taken from: as of a pool that ends there."""
    source, target = to.maps(layer)
    rows, stride = kind.first[0] + 1, kind.step[0]
    last = (target.height - 1) * stride + rows
    how = {"yields": prog.WINDOW, "rows": rows, "stride_h": stride, "fires": last}
    to.add(layer, kernels.part(kind, source, target), layer.output, **how)


def _resize(to: _Lowering, layer: net.Layer, kind: net.Resize) -> None:
    kernel, seen = (kernels.bilinear if kind.bilinear else kernels.nearest)(kind, *to.maps(layer))
    how = {"rows": seen.rows, "stride_h": int(not seen.whole), "pad_top": seen.top, "doublings": seen.doublings}
    to.add(layer, kernel, layer.output, **how)


def _pad(to: _Lowering, layer: net.Layer, kind: net.Pad) -> None:
    source, target = to.maps(layer)
    to.add(layer, kernels.pad(kind, source, target), layer.output, pad_top=kind.top)


def _reshape(to: _Lowering, layer: net.Layer, kind: net.Reshape) -> None:
    source, target = to.maps(layer)
    power = kernels.doublings(source, target)
    how = {"doublings": power} if power else {"rows": source.height, "stride_h": 0}
    to.add(layer, kernels.reshape(source, target), layer.output, **how)


def _softmax(to: _Lowering, layer: net.Layer, kind: net.Softmax) -> None:
    source, _ = to.maps(layer)
    to.add(layer, kernels.softmax(kind, source), layer.output)


def _requantize(to: _Lowering, layer: net.Layer, kind: net.Requantize) -> None:
    source, target = to.maps(layer)
    to.add(layer, kernels.quantize(kind, source, target), layer.output)


LOWERINGS: dict[type, Callable[[_Lowering, net.Layer, Any], None]] = {
    net.Binary: _binary,
    net.Broadcast: _broadcast,
    net.Concatenation: _concatenation,
    net.ConstantMap: _constant_map,
    net.Convolution: _convolution,
    net.EachConnected: _each_connected,
    net.Elementwise: _elementwise,
    net.FullyConnected: _fully_connected,
    net.Mean: _mean,
    net.Pad: _pad,
    net.Pool: _pool,
    net.PRelu: _prelu,
    net.Requantize: _requantize,
    net.Reshape: _reshape,
    net.Resize: _resize,
    net.Slice: _slice,
    net.Softmax: _softmax,
    net.Transpose: _transpose,
}
