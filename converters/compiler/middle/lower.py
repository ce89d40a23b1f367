"""Make the operators and streams of the C library from a rewritten network.

Concatenation goes: who makes a map that only a concatenation reads writes its channels of the concatenated rows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from converters.compiler.faults import Unsupported, check
from converters.compiler.front import network as net
from converters.compiler.limits import MOST_NUMBERED
from converters.compiler.middle import kernels
from converters.compiler.middle import program as prog


def lower(graph: net.Graph) -> prog.Program:
    """Return the program of a network whose edges are int8 and whose reshapes are views where that is enough.

    Raises:
      ValueError: a layer cannot be an operator, or there are too many.
    """
    return _Lowering(graph).program()


@dataclass(frozen=True)
class _Home:
    """Where a map's values are kept: from which channel on of which map."""

    number: int
    channel: int = 0


class _Homes:
    """Where each map is kept, and which MEANs are part of the convolution before them."""

    def __init__(self, graph: net.Graph) -> None:
        self.graph = graph
        reads = [graph.views[each] for layer in graph.layers for each in layer.inputs]
        self.readers = Counter([*reads, graph.views[graph.output]])
        self.producers = {layer.output: layer for layer in graph.layers}
        self.fused = {layer.inputs[0]: layer for layer in graph.layers if self._is_fused_mean(layer)}
        self.slices = self._slices()

    def of(self, number: int) -> _Home:
        """Return where a map is kept."""
        return self.slices.get(number, _Home(number))

    def _is_fused_mean(self, layer: net.Layer) -> bool:
        """Whether a layer is the MEAN that alone reads a convolution of 1 x 1."""
        source = layer.inputs[0]
        producer = self.producers.get(source)
        if not isinstance(layer.kind, net.Mean) or producer is None or self.readers[source] != 1:
            return False
        kind = producer.kind
        return isinstance(kind, net.Convolution) and not kind.depthwise and kind.weights.shape[1:3] == (1, 1)

    def _slices(self) -> dict[int, _Home]:
        """Find the maps that only a concatenation reads; the outermost concatenation comes first."""
        result: dict[int, _Home] = {}
        for layer in reversed(self.graph.layers):
            if isinstance(layer.kind, net.Concatenation):
                home = result.get(layer.output, _Home(layer.output))
                for each, channel in self.channels(layer):
                    if self._is_written_for(each):
                        result[each] = _Home(home.number, home.channel + channel)
        return result

    def channels(self, layer: net.Layer) -> list[tuple[int, int]]:
        """Return each input of a concatenation with its first channel."""
        sizes = [self.graph.maps[each].channels for each in layer.inputs]
        return [(each, sum(sizes[:i])) for i, each in enumerate(layer.inputs)]

    def _is_written_for(self, number: int) -> bool:
        return self.readers[number] == 1 and number in self.producers and self.graph.views[number] == number


def _rows_of(each: net.FeatureMap) -> prog.Stream:
    return prog.Stream(each.tensor, each.name, *each.shape, each.scale, each.zero_point)


class _Lowering:
    """Appends operators, layer by layer, and the streams they need."""

    def __init__(self, graph: net.Graph) -> None:
        self.graph, self.homes = graph, _Homes(graph)
        self.streams: list[prog.Stream] = []
        self.numbers: dict[int, int] = {}
        self.operators: list[prog.Operator] = []

    def program(self) -> prog.Program:
        self._stream(self.graph.input)
        for layer in self.graph.layers:
            try:
                self._lower(layer)
            except ValueError as error:
                raise Unsupported(f"layer {layer.name} ({layer.operator}): {error}") from error
        output = self._stream(self.graph.output)
        check(self.operators, "the model computes nothing: its output is its input")
        for name, count in (("streams", len(self.streams)), ("operators", len(self.operators))):
            check(count <= MOST_NUMBERED, f"the model has {count} {name}; expected at most {MOST_NUMBERED}")
        result = _rows_of(self.graph.maps[self.graph.output])
        return prog.Program(tuple(self.streams), tuple(self.operators), output, result)

    def _stream(self, number: int) -> int:
        """Return the stream that a map is, or is a view of."""
        number = self.graph.views[number]
        if number not in self.numbers:
            self.numbers[number] = len(self.streams)
            self.streams.append(_rows_of(self.graph.maps[number]))
        return self.numbers[number]

    def _add(self, layer: net.Layer, kernel: prog.Kernel, output: int, **how: Any) -> None:
        """Append the operator that writes map `output`; `how` are fields that differ from one row for one."""
        home, target = self.homes.of(output), self.graph.maps[output]
        values: dict[str, Any] = {"yields": prog.EACH, "fires": target.height, "channel": home.channel, **how}
        inputs = tuple(self._stream(each) for each in layer.inputs)
        self.operators.append(
            prog.Operator(
                layer.name, layer.operator, inputs, self._stream(home.number), kernel, tensor=target.tensor, **values
            )
        )

    def _lower(self, layer: net.Layer) -> None:
        kind, maps = layer.kind, [self.graph.maps[each] for each in layer.inputs]
        target = self.graph.maps[layer.output]
        if isinstance(kind, net.Convolution):
            self._convolution(layer, kind, maps[0], target)
        elif isinstance(kind, net.Concatenation):
            self._concatenation(layer)
        elif isinstance(kind, net.Pool):
            self._pool(layer, kernels.pool(kind, maps[0], target), maps[0])
        elif isinstance(kind, net.FullyConnected):
            rows = self.graph.maps[self.graph.views[layer.inputs[0]]]
            kernel = kernels.fully_connected(kind, maps[0], rows, target)
            self._add(layer, kernel, layer.output, yields=prog.LAST, fires=rows.height, macs=kind.weights.size)
        elif isinstance(kind, net.Pad):
            self._add(layer, kernels.pad(kind, maps[0], target), layer.output, pad_top=kind.top)
        elif isinstance(kind, net.Add):
            self._add(layer, kernels.add(kind, maps[0], maps[1], target), layer.output)
        elif isinstance(kind, net.Reshape):
            self._add(layer, kernels.reshape(maps[0], target), layer.output, rows=maps[0].height, stride_h=0)
        elif isinstance(kind, net.Softmax):
            self._add(layer, kernels.softmax(kind, maps[0]), layer.output)
        elif isinstance(kind, net.Requantize):
            self._add(layer, kernels.quantize(kind, maps[0], target), layer.output)
        elif layer.inputs[0] not in self.homes.fused:
            assert isinstance(kind, net.Mean)
            self._add(layer, kernels.mean(kind, maps[0], target), layer.output, yields=prog.LAST, fires=maps[0].height)

    def _convolution(
        self, layer: net.Layer, kind: net.Convolution, source: net.FeatureMap, target: net.FeatureMap
    ) -> None:
        window, mean = kind.window, self.homes.fused.get(layer.output)
        macs = target.size * (kind.weights.size // target.channels)
        how = {"rows": window.rows, "stride_h": window.stride_h, "pad_top": window.pad_top, "macs": macs}
        if mean is None:
            self._add(layer, kernels.convolution(kind, source, target), layer.output, **how)
        else:
            assert isinstance(mean.kind, net.Mean)
            kernel = kernels.convolution_and_mean(kind, mean.kind, source, target, self.graph.maps[mean.output])
            self._add(layer, kernel, mean.output, **how, yields=prog.LAST, fires=target.height)

    def _pool(self, layer: net.Layer, kernel: prog.PoolKernel, source: net.FeatureMap) -> None:
        window, rows = kernel.window, self.graph.maps[layer.output].height
        how: dict[str, Any] = {"rows": window.rows, "stride_h": window.stride_h, "pad_top": window.pad_top}
        if kernel.streaming:  # it fires for each input row up to the last that the last window needs
            last = (rows - 1) * window.stride_h - window.pad_top + window.rows
            how |= {"yields": prog.WINDOW, "fires": min(last, source.height)}
        self._add(layer, kernel, layer.output, **how)

    def _concatenation(self, layer: net.Layer) -> None:
        """Copy what its producer could not write in place."""
        home = self.homes.of(layer.output)
        for each, channel in self.homes.channels(layer):
            if each not in self.homes.slices:
                kernel = kernels.copy(self.graph.maps[each])
                self._add(replace(layer, inputs=(each,)), kernel, layer.output, channel=home.channel + channel)
