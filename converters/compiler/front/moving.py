"""Read the operators that only move bytes: concatenation, padding, reshaping."""

from __future__ import annotations

import numpy as np

from converters.compiler.front import network as net
from converters.compiler.front.layer import Readers, ReadLayer
from converters.compiler.limits import LARGEST_STEP


def _concatenation(layer: ReadLayer) -> net.Concatenation:
    layer.int8()
    layer.same_quantization()
    axis = layer.op.options["axis"]
    rank = len(layer.model.tensors[layer.op.outputs[0]].shape)
    layer.check(axis in (-1, rank - 1), f"axis {axis}; expected the channels")
    layer.check(layer.activation == "NONE", f"activation {layer.activation}; expected none")
    layer.shape((*layer.output.shape[:2], sum(each.channels for each in layer.inputs)))
    for each in layer.inputs:
        layer.check(each.shape[:2] == layer.output.shape[:2], f"input {each.name[:80]!r} has shape {each.shape}")
    return net.Concatenation()


def _pad(layer: ReadLayer) -> net.Pad:
    layer.int8()
    layer.same_quantization()
    constant = layer.constant(1, "padding", "int32", "int64")
    values = np.asarray(constant.data)
    layer.check(values.shape == (4, 2), f"its padding has shape {values.shape}; expected (4, 2)")
    layer.check(not values[0].any() and not values[3].any(), "it pads batch or channels; expected height and width")
    layer.check(((values >= 0) & (values <= LARGEST_STEP)).all(), f"it pads by {values[1:3].tolist()}")
    top, bottom, left, right = (int(value) for value in values[1:3].ravel())
    (source,) = layer.inputs
    layer.shape((source.height + top + bottom, source.width + left + right, source.channels))
    return net.Pad(top, bottom, left, right, _pad_value(layer))


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


def _transpose(layer: ReadLayer) -> net.Transpose | net.Reshape:
    """Read a TRANSPOSE of height, width and channels; one that moves sides of one pixel alone leaves the bytes."""
    layer.int8()
    layer.same_quantization()
    (source,) = layer.inputs
    rank = len(layer.model.tensors[source.tensor].shape)
    order = np.asarray(layer.constant(1, "order of axes", "int32").data).ravel().tolist()
    wanted = [axis % rank for axis in order if -rank <= axis < rank]
    known = sorted(wanted) == list(range(rank)) and wanted[0] == 0
    layer.check(known, f"its order of axes is {order}; expected each of {rank} once, the batch first")
    first = 4 - rank  # axes of height, width and channels that the tensor does not have
    axes = (*range(first), *(axis - 1 + first for axis in wanted[1:]))
    layer.shape(tuple(source.shape[axis] for axis in axes))
    moved = [axis for axis in axes if source.shape[axis] > 1]
    return net.Reshape() if moved == sorted(moved) else net.Transpose((axes[0], axes[1], axes[2]))


READERS: Readers = {
    "CONCATENATION": (None, _concatenation),
    "EXPAND_DIMS": (1, _reshape),
    "PAD": (1, _pad),
    "PADV2": (1, _pad),
    "RESHAPE": (1, _reshape),
    "SQUEEZE": (1, _reshape),
    "TRANSPOSE": (1, _transpose),
}
