"""Find where each map's values are kept: concatenation goes, for producers write their channels of the joined rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

from converters.compiler.front import network as net


@dataclass(frozen=True)
class Home:
    """Where a map's values are kept: from which channel on of which map."""

    number: int
    channel: int = 0


class Homes:
    """Where each map is kept, and which MEANs are part of the convolution before them."""

    def __init__(self, graph: net.Graph) -> None:
        self.graph = graph
        reads = [graph.views[each] for layer in graph.layers for each in layer.inputs]
        self.readers = Counter([*reads, *(graph.views[each] for each in graph.outputs)])
        self.producers = {layer.output: layer for layer in graph.layers}
        self.fused = {layer.inputs[0]: layer for layer in graph.layers if self._is_fused_mean(layer)}
        self.slices = self._slices()

    def of(self, number: int) -> Home:
        """Return where a map is kept."""
        return self.slices.get(number, Home(number))

    def _is_fused_mean(self, layer: net.Layer) -> bool:
        """Whether a layer is the MEAN that alone reads a convolution of 1 x 1."""
        source = layer.inputs[0]
        producer = self.producers.get(source)
        if not isinstance(layer.kind, net.Mean) or producer is None or self.readers[source] != 1:
            return False
        if layer.kind.over != "HW":
            return False
        kind = producer.kind
        return isinstance(kind, net.Convolution) and not kind.depthwise and kind.weights.shape[1:3] == (1, 1)

    def _slices(self) -> dict[int, Home]:
        """Find the maps that only a concatenation reads; the outermost concatenation comes first."""
        result: dict[int, Home] = {}
        for layer in reversed(self.graph.layers):
            if isinstance(layer.kind, net.Concatenation):
                home = result.get(layer.output, Home(layer.output))
                for each, channel in self.channels(layer):
                    if self._is_written_for(each):
                        result[each] = Home(home.number, home.channel + channel)
        return result

    def channels(self, layer: net.Layer) -> list[tuple[int, int]]:
        """Return each input of a concatenation with its first channel."""
        sizes = [self.graph.maps[each].channels for each in layer.inputs]
        return list(zip(layer.inputs, accumulate(sizes, initial=0), strict=False))

    def _is_written_for(self, number: int) -> bool:
        if self.readers[number] != 1 or number not in self.producers or self.graph.views[number] != number:
            return False
        return self.graph.maps[number].width == 1 or not _writes_whole_rows(self.producers[number].kind)


def _writes_whole_rows(kind: net.LayerKind) -> bool:
    """Whether a kernel leaves no bytes of others between the pixels that it writes."""
    return isinstance(kind, net.ConstantMap | net.Softmax) or (isinstance(kind, net.Mean) and kind.over == "H")
