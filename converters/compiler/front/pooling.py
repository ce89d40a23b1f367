"""Read the operators that make one value of many pixels: pools and means."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer


def _pool(layer: ReadLayer) -> net.Pool:
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    layer.check(source.channels == layer.output.channels, "its input and output differ in channels")
    average = layer.op.name == "AVERAGE_POOL_2D"
    return net.Pool(layer.window(layer.op.options["filter"]), layer.activation, average)


def _mean(layer: ReadLayer) -> net.Mean:
    layer.int8()
    axes = layer.constant(1, "list of axes", "int32")
    (source,) = layer.inputs
    rank = len(layer.model.tensors[source.tensor].shape)
    wanted = np.asarray(axes.data).ravel().tolist()
    given = sorted({axis % rank for axis in wanted if -rank <= axis < rank})
    spatial = list(range(1, rank - 1))
    layer.check(rank > 2 and given == spatial, f"it averages axes {wanted}; expected height and width, {spatial}")
    layer.shape((1, 1, source.channels))
    return net.Mean()


READERS: Readers = {
    "AVERAGE_POOL_2D": (1, _pool),
    "MAX_POOL_2D": (1, _pool),
    "MEAN": (1, _mean),
}
