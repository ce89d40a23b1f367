"""Read the operators that make one value of many pixels: pools and means."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer
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
    return net.Mean(over=over)


def _reduce_max(layer: ReadLayer) -> net.Pool:
    """Read a maximum over height, width or both: a pool whose window is the whole map."""
    layer.int8()
    layer.same_quantization()
    over, (source,) = _reduced(layer), layer.inputs
    kernel = (source.height if "H" in over else 1, source.width if "W" in over else 1)
    layer.check(max(kernel) <= LARGEST_STEP, f"it reduces {kernel} pixels; expected at most {LARGEST_STEP} a side")
    return net.Pool(net.Window(*kernel), "NONE", False)


def _reduced(layer: ReadLayer) -> str:
    """Return over what an operator reduces, of "H" and "W"; a side of one pixel counts as reduced."""
    axes = layer.constant(1, "list of axes", "int32")
    (source,) = layer.inputs
    rank = len(layer.model.tensors[source.tensor].shape)
    wanted = np.asarray(axes.data).ravel().tolist()
    sides = {axis % rank + 3 - rank for axis in wanted if -rank <= axis < rank}
    spatial = list(range(1, rank - 1))
    possible = all(-rank <= axis < rank for axis in wanted) and sides <= {0, 1} and {0, 1} & sides
    layer.check(possible, f"it reduces axes {wanted}; expected height, width or both, of {spatial}")
    over = "".join(name for side, name in enumerate("HW") if side in sides or source.shape[side] == 1)
    height, width = ("H" in over, "W" in over)
    layer.makes((1 if height else source.height, 1 if width else source.width, source.channels))
    layer.shape(layer.made if layer.op.options["keep_dims"] or rank < 4 else _moved_up(layer.made, sides))
    return over


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
