"""Models that a stranger might send: whole as FlatBuffers, and meant to crash, fill or stall whoever runs them."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sqz_tf.base.spec import PreprocessSpec
from tests.helpers import colour_network
from tests.helpers.echo_models import described
from tests.helpers.int8_networks import Map, Net

SIDE = 8


def classifier(build: str) -> bytes:
    """Return a classifier of 8 × 8 pixels, with labels and preprocessing, that begins with what BUILDS names."""
    return described(network(build), colour_network.CLASSES, PreprocessSpec(SIDE, SIDE))


def network(build: str) -> bytes:
    """Return that classifier without them."""
    net = Net()
    x = BUILDS[build](net, net.input(SIDE, SIDE, 3, scale=1 / 255))
    x = net.mean(x, scale=x.scale, zero_point=x.zero_point)
    scores = net.softmax(net.dense(x, len(colour_network.CLASSES)))
    return net.bytes(scores)


def plain(net: Net, x: Map) -> Map:
    return net.conv(x, 4)


def depthwise_without_bias(net: Net, x: Map) -> Map:
    """LiteRT reads the bias that is not there."""
    return net.conv(x, 1, depthwise=True, bias=False)


def stalls(net: Net, x: Map) -> Map:
    """5 * 10^9 multiply-accumulates of 6 KB: half a minute for the reference kernels."""
    return net.conv(net.pad(x, 500, 500, 500, 500), 32, (7, 7))


def pads_far(net: Net, x: Map) -> Map:
    """The file says that a map is small; the padding, which only the interpreter adds up, makes it 12 GB."""
    padded = net.pad(x)
    amounts = net.graph.tensors[net.graph.operators[-1].inputs[1]]
    values = np.array([[0, 0], [32_000, 32_000], [32_000, 32_000], [0, 0]], np.int32)
    net.model.buffers[amounts.buffer].data = values.view(np.uint8).ravel()
    return padded


def tiles(net: Net, x: Map) -> Map:
    """TILE by 20,000 each way: 77 GB that the file does not speak of."""
    times = net.tensor((4,), "int32", data=np.array([1, 20_000, 20_000, 1], np.int32))
    return net.op(
        "TILE", [x.index, times], net.map(x.shape, x.scale, x.zero_point), schema.TileOptionsT(), "TileOptions"
    )


def grows(net: Net, x: Map) -> Map:
    """The file says 8 × 8, RESIZE_NEAREST_NEIGHBOR makes 90,000 × 90,000 of it."""
    size = net.tensor((2,), "int32", data=np.array([90_000, 90_000], np.int32))
    options, kind = schema.ResizeNearestNeighborOptionsT(), "ResizeNearestNeighborOptions"
    y = net.map(x.shape, x.scale, x.zero_point)
    return net.op("RESIZE_NEAREST_NEIGHBOR", [x.index, size], y, options, kind)


def both_convolutions(net: Net, x: Map) -> Map:
    return net.conv(net.conv(net.pad(x), 4), 4, depthwise=True)


HARMLESS, HARMFUL = (plain, both_convolutions), (depthwise_without_bias, stalls, pads_far, tiles, grows)
BUILDS = {each.__name__: each for each in (*HARMLESS, *HARMFUL)}


def chained(count: int, add: str) -> bytes:
    """Return an int8 network of so many operators of one kind in a chain."""
    net = Net()
    x = net.conv(net.input(8, 8, 2), 4)
    for _ in range(count):
        x = CHAINS[add](net, x)
    return net.bytes(x)


CHAINS = {
    "pads": lambda net, x: net.pad(x, 0, 0, 0, 0),
    "reshapes": lambda net, x: net.reshape(x, *((1, 64, 4) if len(x.shape) == 4 else (1, 8, 8, 4))),
    "concats": lambda net, x: net.concat([x]),
    "adds": lambda net, x: net.add(x, x, scale=x.scale, zero_point=x.zero_point),
    "relus": lambda net, x: net.requantize(x, x.scale, x.zero_point, operator="RELU"),
}


def tall() -> bytes:
    """Return 250 operators on maps of 65,534 rows."""
    net = Net()
    x = net.input(65_534, 1, 1)
    for _ in range(250):
        x = net.requantize(x, x.scale, x.zero_point, operator="RELU")
    return net.bytes(x)


def wide() -> bytes:
    """Return a concatenation of one map, 60,000 times."""
    net = Net()
    return net.bytes(net.concat([net.conv(net.input(8, 8, 2), 1)] * 60_000))


def branches() -> bytes:
    """Return a concatenation of 120 branches, each of which waits for another number of rows."""
    net = Net()
    x = net.input(65_534, 1, 1)
    heights = [2 * i + 1 for i in range(120)]
    return net.bytes(net.concat([net.conv(x, 1, (height, 1), out=(x.scale, x.zero_point)) for height in heights]))
