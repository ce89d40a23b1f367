"""Rewrite a network until every layer is an operator of the C library.

Each step is a pure function: edges become int8, reshapes become views or copies, paddings join the windows that read
them, what nobody reads goes; then `lower` makes the `Program`.
"""

from __future__ import annotations

from dataclasses import replace

from converters.compiler.faults import check
from converters.compiler.front import network as net
from converters.compiler.limits import LARGEST_SIDE
from converters.compiler.middle import program as prog
from converters.compiler.middle.lower import lower
from converters.compiler.middle.pads import with_folded_pads


def legalise(graph: net.Graph) -> prog.Program:
    """Return the program that computes a network.

    Raises:
      ValueError: a layer cannot be expressed; the message names it.
    """
    graph = with_reshaped_input(with_int8_edges(without_unread(graph)))
    results = tuple(graph.maps[each] for each in graph.outputs)
    graph = with_views(with_one_output(graph))
    graph = with_folded_pads(graph)
    return lower(without_unread(graph), results)


def with_int8_edges(graph: net.Graph) -> net.Graph:
    """Drop a QUANTIZE at the input and a DEQUANTIZE or QUANTIZE at the output: callers give and get the int8 inside."""
    readers = [layer for layer in graph.layers if graph.input in layer.inputs]
    if _is_edge(graph, graph.input, readers, ("QUANTIZE",)):
        graph = replace(graph, input=readers[0].output, layers=_without(graph.layers, readers[0]))
    for output in dict.fromkeys(graph.outputs):
        graph = _with_int8_output(graph, output)
    for layer in graph.layers:
        for each in (*layer.inputs, layer.output):
            _check_int8(graph.maps[each], _where(layer))
    for each in (graph.input, *graph.outputs):
        _check_int8(graph.maps[each], "the model")
    return graph


def _with_int8_output(graph: net.Graph, output: int) -> net.Graph:
    writers = [layer for layer in graph.layers if layer.output == output]
    if not _is_edge(graph, output, writers, ("QUANTIZE", "DEQUANTIZE")):
        return graph
    outputs = tuple(writers[0].inputs[0] if each == output else each for each in graph.outputs)
    return replace(graph, outputs=outputs, layers=_without(graph.layers, writers[0]))


def _is_edge(graph: net.Graph, number: int, layers: list[net.Layer], operators: tuple[str, ...]) -> bool:
    """Whether a map that is not int8 has one layer beside it, which only changes its type."""
    return graph.maps[number].dtype != "int8" and len(layers) == 1 and layers[0].operator in operators


def _without(layers: tuple[net.Layer, ...], gone: net.Layer) -> tuple[net.Layer, ...]:
    return tuple(layer for layer in layers if layer is not gone)


def _check_int8(each: net.FeatureMap, where: str) -> None:
    what = f"{where}: {each.name[:80]!r} is {each.dtype}"
    check(each.dtype == "int8", f"{what}; expected an int8 model, float or uint8 at its ends only")


def _where(layer: net.Layer) -> str:
    return f"layer {layer.name} ({layer.operator})"


def with_reshaped_input(graph: net.Graph) -> net.Graph:
    """Let callers give the rows that the first layer reads, if the input is only read reshaped: its bytes stay."""
    bases = _bases(graph)
    wanted = [each for layer in graph.layers if READS_ROWS[type(layer.kind)] for each in layer.inputs]
    reads = [each for each in wanted if bases[each] == graph.input]
    if not reads or graph.input in reads:
        return graph
    views = tuple(reads[0] if number == graph.input else view for number, view in enumerate(graph.views))
    layers = tuple(layer for layer in graph.layers if layer.output != reads[0])
    return replace(graph, input=reads[0], layers=layers, views=views)


# Whether a kind of layer asks for rows of a certain shape; others read bytes in order.
READS_ROWS: dict[type, bool] = {
    net.Binary: True,
    net.Broadcast: True,
    net.Concatenation: True,
    net.ConstantMap: True,
    net.Convolution: True,
    net.EachConnected: True,
    net.Elementwise: True,
    net.FullyConnected: False,
    net.Mean: True,
    net.Pad: True,
    net.Pool: True,
    net.PRelu: True,
    net.Requantize: True,
    net.Reshape: False,
    net.Resize: True,
    net.Slice: True,
    net.Softmax: True,
    net.Transpose: True,
}


def _bases(graph: net.Graph) -> list[int]:
    """Return for each map the one whose bytes it has, if all reshapes are views."""
    bases = list(graph.views)
    for layer in graph.layers:
        if isinstance(layer.kind, net.Reshape):
            bases[layer.output] = bases[layer.inputs[0]]
    return bases


def with_one_output(graph: net.Graph) -> net.Graph:
    """Join several outputs to one row of bytes, in their order: each reshaped to a row, and a concatenation.

    Raises:
      ValueError: they take more bytes than a row can have.
    """
    if len(graph.outputs) == 1:
        return graph
    sizes = [graph.maps[each].size for each in graph.outputs]
    most = f"the model's {len(sizes)} outputs take {sum(sizes):,} bytes; expected at most {LARGEST_SIDE:,} in all"
    check(sum(sizes) <= LARGEST_SIDE, most)
    first = len(graph.maps)
    numbers = range(first, first + len(sizes))
    rows = [_row_of_bytes(f"output {i}", size) for i, size in enumerate(sizes)]
    layers = [
        net.Layer(f"output_{i}", "RESHAPE", (output,), number, net.Reshape())
        for i, (output, number) in enumerate(zip(graph.outputs, numbers, strict=True))
    ]
    joined = net.Layer("outputs", "CONCATENATION", tuple(numbers), first + len(sizes), net.Concatenation())
    return replace(
        graph,
        maps=(*graph.maps, *rows, _row_of_bytes("outputs", sum(sizes))),
        layers=(*graph.layers, *layers, joined),
        outputs=(joined.output,),
        views=(*graph.views, *numbers, joined.output),
    )


def _row_of_bytes(name: str, size: int) -> net.FeatureMap:
    """Return a map that the file does not have."""
    return net.FeatureMap(net.NO_TENSOR, name, "int8", 1, 1, size, 1.0, 0)


def with_views(graph: net.Graph) -> net.Graph:
    """Turn reshapes into views of the same bytes, or into copies where a layer reads other rows than the map has."""
    views, layers = list(graph.views), []
    wanted = {each for layer in graph.layers if READS_ROWS[type(layer.kind)] for each in layer.inputs}
    for layer in graph.layers:
        if isinstance(layer.kind, net.Reshape):
            base = views[layer.inputs[0]]
            if layer.output not in wanted or graph.maps[layer.output].height == graph.maps[base].height:
                views[layer.output] = base
                continue
            layer = replace(layer, inputs=(base,))
        layers.append(layer)
    return replace(graph, layers=tuple(layers), views=tuple(views))


def without_unread(graph: net.Graph) -> net.Graph:
    """Drop layers whose output nobody reads."""
    wanted = {graph.views[each] for each in graph.outputs}
    kept: list[net.Layer] = []
    for layer in reversed(graph.layers):
        if layer.output in wanted:
            kept.insert(0, layer)
            wanted |= {graph.views[each] for each in layer.inputs}
    return replace(graph, layers=tuple(kept))
