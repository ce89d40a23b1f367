"""Read the operators that only move bytes: concatenation, padding, reshaping, transposing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import CHANNELS, COMPUTED, Readers, ReadLayer
from converters.compiler.limits import LARGEST_STEP
from converters.tflite.reader import Tensor


def _concatenation(layer: ReadLayer) -> net.Concatenation:
    layer.int8()
    layer.same_quantization()
    layer.check(layer.activation == "NONE", f"activation {layer.activation}; expected none")
    side = layer.side(layer.op.outputs[0], layer.op.options["axis"])
    wide = layer.output.shape if side == CHANNELS else _widened(layer.output.shape, side)
    reads, total, given = [], 0, iter(enumerate(layer.inputs))
    for index in layer.op.inputs:
        tensor = layer.model.tensors[index]
        position, shape = (None, _shape_of(tensor)) if tensor.is_constant else _next(given)
        fits = _without(shape, side) == _without(layer.output.shape, side)
        layer.check(fits, f"input {tensor.name[:80]!r} has shape {shape}, its output {layer.output.shape}")
        seen = shape if side == CHANNELS else _widened(shape, side)
        if position is not None:
            layer.sees(position, seen)
        reads.append(_constant_part(layer, tensor, seen) if position is None else position)
        total += shape[side]
    layer.check(total == layer.output.shape[side], f"its inputs have {total} in all, its output {layer.output.shape}")
    layer.reads = tuple(reads)
    layer.makes(wide)  # what follows each other in rows, or in the whole map, are channels of wider pixels
    return net.Concatenation()


def _next(given: Iterator[tuple[int, net.FeatureMap]]) -> tuple[int, net.Shape]:
    position, each = next(given)
    return position, each.shape


def _shape_of(tensor: Tensor) -> net.Shape:
    return net.shape_of((1, 1, 1, *tensor.shape)[-3:])


def _constant_part(layer: ReadLayer, tensor: Tensor, shape: net.Shape) -> int:
    """Return the map that a constant of a concatenation becomes, such as a detector's anchors."""
    found, wanted = (*tensor.scale, *tensor.zero_point), (layer.output.scale, layer.output.zero_point)
    sound = tensor.data is not None and tensor.dtype == "int8" and found == wanted and tensor.size == math.prod(shape)
    layer.check(sound, f"its constant {tensor.name[:80]!r} is {tensor.dtype}, {found}; expected int8, {wanted}")
    return layer.step(net.ConstantMap(np.asarray(tensor.data).reshape(shape)), shape, 0)


def _packed(layer: ReadLayer) -> net.Concatenation:
    """Read a PACK: maps joined along a side that they do not have."""
    layer.int8()
    layer.same_quantization()
    side = layer.side(layer.op.outputs[0], layer.op.options["axis"])
    sides = list(layer.output.shape)
    layer.check(sides[side] == len(layer.inputs), f"{len(layer.inputs)} inputs do not make {layer.output.shape}")
    sides[side] = 1
    for position, each in enumerate(layer.inputs):
        layer.check(each.size == math.prod(sides), f"input {each.name[:80]!r} has shape {each.shape}")
        layer.sees(position, _widened(net.shape_of(sides), side))
    layer.makes(_widened(layer.output.shape, side))
    return net.Concatenation()


def _without(shape: net.Shape, side: int) -> tuple[int, ...]:
    return shape[:side] + shape[side + 1 :]


def _widened(shape: net.Shape, side: int) -> net.Shape:
    """Return the shape in which a side, and those within it, are channels."""
    outer, inner = math.prod(shape[:side]), math.prod(shape[side:])
    return outer, 1, inner


def _pad(layer: ReadLayer) -> net.Pad:
    layer.int8()
    layer.same_quantization()
    constant = layer.constant(1, "padding", "int32", "int64")
    values, rank = np.asarray(constant.data), layer.rank(layer.op.inputs[0])
    layer.check(values.shape == (rank, 2), f"its padding has shape {values.shape}; expected {(rank, 2)}")
    layer.check(not values[0].any(), f"it pads the batch by {values[0].tolist()}; expected height, width and channels")
    layer.check(((values >= 0) & (values <= LARGEST_STEP)).all(), f"it pads by {values[1:].tolist()}")
    sides = np.zeros((3, 2), np.int64)
    sides[4 - rank :] = values[1:]
    (top, bottom), (left, right), (before, after) = ((int(a), int(b)) for a, b in sides)
    (source,) = layer.inputs
    grown = (source.height + top + bottom, source.width + left + right, source.channels + before + after)
    layer.shape(grown)
    return net.Pad(top, bottom, left, right, _pad_value(layer), before, after)


def _pad_value(layer: ReadLayer) -> int:
    """Return PADV2's constant; PAD's is the zero point."""
    if layer.op.name == "PAD":
        return layer.output.zero_point
    constant = layer.constant(2, "value", "int8")
    value = np.asarray(constant.data)
    layer.check(value.size == 1, f"it pads with {value.size} values; expected 1")
    wanted = (layer.output.scale, layer.output.zero_point)
    found = (*constant.scale, *constant.zero_point)
    layer.check(found == wanted, f"its value has scale and zero point {found}, its output {wanted}; expected the same")
    return int(value.ravel()[0])


def _reshape(layer: ReadLayer) -> net.Reshape:
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    layer.check(source.size == layer.output.size, f"{source.shape} does not become {layer.output.shape}")
    return net.Reshape()


def _transpose(layer: ReadLayer) -> net.Transpose | net.Reshape | net.Concatenation:
    """Read a TRANSPOSE of height, width and channels; one that moves sides of one pixel alone leaves the bytes."""
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    order = np.asarray(layer.constant(1, "order of axes", "int32").data).ravel().tolist()
    if len(layer.model.tensors[source.tensor].shape) == len(order) == 5 and order == [0, 1, 2, 4, 3]:
        return _shuffled(layer)
    rank = layer.rank(source.tensor)
    wanted = [axis % rank for axis in order if -rank <= axis < rank]
    known = sorted(wanted) == list(range(rank)) and wanted[0] == 0
    layer.check(known, f"its order of axes is {order}; expected each of {rank} once, the batch first")
    first = 4 - rank  # axes of height, width and channels that the tensor does not have
    axes = (*range(first), *(axis - 1 + first for axis in wanted[1:]))
    layer.shape(tuple(source.shape[axis] for axis in axes))
    moved = [axis for axis in axes if source.shape[axis] > 1]
    return net.Reshape() if moved == sorted(moved) else net.Transpose((axes[0], axes[1], axes[2]))


def _shuffled(layer: ReadLayer) -> net.Concatenation:
    """Read the shuffling of channels between groups, [height, width, group, each] to [height, width, each, group].

    Each group is a map of its own, whose values are pixels; they are the channels of one map of so many pixels.
    """
    _, height, width, groups, each = layer.model.tensors[layer.op.inputs[0]].shape
    layer.sees(0, (height, width, groups * each))
    layer.shape((height, width * each, groups))
    layer.check(groups <= LARGEST_STEP, f"it has {groups} groups; expected at most {LARGEST_STEP}")
    parts = []
    for group in range(groups):
        taken = layer.step(net.Slice((0, 0, group * each), (1, 1, 1)), (height, width, each), 0)
        parts.append(layer.step(net.Reshape(), (height, width * each, 1), taken))
    layer.reads = tuple(parts)
    return net.Concatenation()


READERS: Readers = {
    "CONCATENATION": (COMPUTED, _concatenation),
    "EXPAND_DIMS": (1, _reshape),
    "PAD": (1, _pad),
    "PACK": (None, _packed),
    "PADV2": (1, _pad),
    "RESHAPE": (1, _reshape),
    "SQUEEZE": (1, _reshape),
    "TRANSPOSE": (1, _transpose),
}
