"""The networks that the compiler's tests share, and short ways to a program."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from converters.compiler.front.read import read_graph
from converters.compiler.middle import program as prog
from converters.compiler.middle.legalise import legalise
from tests.helpers.int8_networks import Map, Net
from tools.bench_mcu import graphs


def simple(change: Callable[[Net, Map], Map] | None = None, **values: Any) -> bytes:
    """Return input → CONV_2D → what `change` adds."""
    net = Net()
    x = net.conv(net.input(6, 6, 2), 4, **values)
    return net.bytes(change(net, x) if change else x)


def edited(edit: Callable[[schema.ModelT, schema.SubGraphT], None], model: bytes | None = None) -> bytes:
    """Return a model with fields changed."""
    form = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model or simple(), 0))
    edit(form, form.subgraphs[0])
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(form.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def mixed() -> bytes:
    """Return a network of the operators that `squeezenet` lacks."""
    net = Net(3)
    x = net.requantize(net.input(9, 8, 3, dtype="uint8", zero_point=0), 1 / 64, -128)
    x = net.pool(net.conv(x, 1, depthwise=True), (2, 2), average=True)
    x = net.conv(x, 4, dilation=(1, 2))
    x = net.requantize(x, x.scale * 2, 0, operator="RELU")
    x = net.softmax(net.dense(net.reshape(x, 1, 80), 5, per_channel=True))
    return net.bytes(net.requantize(x, x.scale, x.zero_point, "float32", "DEQUANTIZE"))


def confident() -> bytes:
    """Return a network that averages padding, too, and whose scores differ by 20: the softmax's largest shift."""
    net = Net(4)
    x = net.pad(net.conv(net.input(5, 4, 3), 6, (1, 1)), bottom=2, value=-64)
    return net.bytes(net.softmax(net.requantize(net.mean(x, scale=x.scale), 20.0, 0)))


def reshaped(where: str) -> bytes:
    """Return a network with a RESHAPE that is no view: other rows are read than the map has."""
    net = Net(8)
    if where == "flat":  # read row by row, and by a fully connected layer
        x = net.reshape(net.conv(net.input(6, 6, 2), 2), 1, 72)
        return net.bytes(net.softmax(net.dense(net.softmax(x), 72)))
    if where == "rows":
        x = net.reshape(net.dense(net.input(5, 3, 2), 48, "RELU"), 1, 4, 4, 3)
        return net.bytes(net.conv(x, 3))
    if where == "both":  # the input as it is, and in other rows; a map of 20 rows in 3
        x = net.input(6, 10, 1)
        y = net.conv(net.reshape(x, 1, 20, 3, 1), 1, out=(x.scale, x.zero_point))
        return net.bytes(net.add(net.conv(x, 1), net.reshape(y, 1, 6, 10, 1)))
    x = net.conv(net.input(4, 3, 2), 4, (1, 1))  # beside others in a concatenation
    y = net.reshape(net.conv(net.reshape(x, 1, 2, 6, 4), 4, out=(x.scale, x.zero_point)), 1, 4, 3, 4)
    return net.bytes(net.conv(net.concat([x, y]), 3))


def tall() -> bytes:
    """Return a network of windows of more rows than the engine's stack has room for, up to as many as can be."""
    net = Net(6)
    x = net.pool(net.conv(net.input(140, 2, 2), 6, (17, 2)), (40, 1), (9, 1), "VALID", average=True)
    x = net.pool(net.conv(x, 5, (18, 1), depthwise=True), (20, 2), (1, 1))
    x = net.conv(net.pad(x, 100), 3, (128, 1), padding="SAME", dilation=(2, 1))
    return net.bytes(net.mean(net.conv(x, 3, (1, 1))))


@lru_cache
def benchmark() -> dict[str, bytes]:
    """Return the benchmark's networks by name."""
    return {name: graphs.squeezenet(graph) for name, graph in graphs.GRAPHS.items()}


def program_of(build: Callable[[Net], Map]) -> prog.Program:
    net = Net()
    return legalise(read_graph(net.bytes(build(net))))


def functions(program: prog.Program) -> list[str]:
    return [operator.operator for operator in program.operators]


def deep() -> dict[str, bytes]:
    """Return networks of fires with pools between them, through which bands of rows go."""
    return {f"deep_{size}": _deep(size) for size in (17, 22, 29)}


def _deep(size: int) -> bytes:
    net = Net(size)
    x = net.pool(net.conv(net.input(size, size, 3), 8, stride=(2, 2), padding="VALID"), (3, 3), (2, 2))
    x = net.fire(net.fire(x, 8, 24), 4, 16)
    x = net.fire(net.fire(net.pool(x, (3, 3), (2, 2)), 8, 16), 8, 24)
    return net.bytes(net.softmax(net.mean(net.conv(x, 30, (1, 1)))))
