"""Read the operators that make one value of many pixels: pools and means."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import CHANNELS, Readers, ReadLayer
from converters.compiler.limits import LARGEST_STEP


def _pool(layer: ReadLayer) -> net.Pool:
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    layer.check(source.channels == layer.output.channels, "its input and output differ in channels")
    average = layer.op.name == "AVERAGE_POOL_2D"
    return net.Pool(layer.window(layer.op.options["filter"]), layer.activation, average)


def _mean(layer: ReadLayer) -> net.Mean:
    layer.int8()
    over = _reduced(layer)
    return net.Mean(over="W" if over == "C" else over)


def _reduce_max(layer: ReadLayer) -> net.Pool:
    """Read a maximum over height, width or both: a pool whose window is the whole map."""
    layer.int8()
    layer.same_quantization()
    over, (source,) = _reduced(layer), layer.inputs
    kernel = (source.height if "H" in over else 1, source.width if "W" in over else 1)
    if over == "C":
        kernel = (1, source.channels)
    layer.check(max(kernel) <= LARGEST_STEP, f"it reduces {kernel} pixels; expected at most {LARGEST_STEP} a side")
    return net.Pool(net.Window(*kernel), "NONE", False)


def _reduced(layer: ReadLayer) -> str:
    """Return over what an operator reduces: of "H" and "W", where a side of one pixel counts as reduced, or "C".

    Over channels, rows are turned, so that it is over the width.
    """
    axes = layer.constant(1, "list of axes", "int32")
    (source,) = layer.inputs
    rank = layer.rank(source.tensor)
    wanted = np.asarray(axes.data).ravel().tolist()
    sides = {axis % rank + 3 - rank for axis in wanted if -rank <= axis < rank}
    spatial = list(range(1, rank - 1))
    inside = all(-rank <= axis < rank for axis in wanted)
    if inside and sides == {CHANNELS}:
        return _over_channels(layer, rank)
    possible = inside and sides <= {0, 1} and {0, 1} & sides
    layer.check(possible, f"it reduces axes {wanted}; expected height, width or both, of {spatial}, or the channels")
    over = "".join(name for side, name in enumerate("HW") if side in sides or source.shape[side] == 1)
    height, width = ("H" in over, "W" in over)
    layer.makes((1 if height else source.height, 1 if width else source.width, source.channels))
    layer.shape(layer.made if layer.op.options["keep_dims"] or rank < 4 else _moved_up(layer.made, sides))
    return over


def _over_channels(layer: ReadLayer, rank: int) -> str:
    (source,) = layer.inputs
    height, width, channels = source.shape
    kept = layer.op.options["keep_dims"]
    layer.shape((height, width, 1) if kept else (1, height, width) if rank == 4 else (1, 1, width))
    quantization = (source.scale, source.zero_point)
    turned = layer.step(net.Transpose((0, 2, 1)), (height, channels, width), 0, quantization=quantization)
    layer.reads = (turned,)
    layer.makes((height, 1, width))
    return "C"


def _moved_up(shape: net.Shape, sides: set[int]) -> net.Shape:
    """Return a map's shape without the sides that were reduced."""
    kept = [size for side, size in enumerate(shape) if side not in sides]
    return net.shape_of([1] * (3 - len(kept)) + kept)


READERS: Readers = {
    "AVERAGE_POOL_2D": (1, _pool),
    "MAX_POOL_2D": (1, _pool),
    "MEAN": (1, _mean),
    "REDUCE_MAX": (1, _reduce_max),
}
