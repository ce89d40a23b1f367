"""Read the operators that take a part of a map: STRIDED_SLICE, SLICE, SPLIT, SPLIT_V and UNPACK."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from converters.compiler.faults import check
from converters.compiler.front import network as net
from converters.compiler.front.layer import COMPUTED, Readers, ReadLayer
from converters.compiler.limits import LARGEST_STEP
from converters.tflite.operators import SPLITTING
from converters.tflite.reader import Model, Op

MOST_PARTS = 256


class _Part(NamedTuple):
    """What is taken of an axis: from where, by how much at a time, how often; and whether the axis goes."""

    start: int
    step: int
    number: int
    gone: bool = False


def with_parts(model: Model) -> Model:
    """Return a model in which an operator of several outputs is several operators of one, each of which has `part`."""
    return replace(model, ops=tuple(part for op in model.ops for part in _parts(op)))


def _parts(op: Op) -> list[Op]:
    if op.name not in SPLITTING:
        return [op]
    check(len(op.outputs) <= MOST_PARTS, f"{op.name} has {len(op.outputs)} outputs; expected at most {MOST_PARTS}")
    return [
        replace(op, outputs=(output,), options=MappingProxyType({**op.options, "part": i, "parts": len(op.outputs)}))
        for i, output in enumerate(op.outputs)
    ]


def _strided_slice(layer: ReadLayer) -> net.Slice:
    """Read a STRIDED_SLICE whose bounds are constants, with Python's meaning of those that are left out or negative."""
    options, sizes = layer.op.options, _sizes(layer)
    begins, ends, steps = (_numbers(layer, i, what) for i, what in ((1, "begins"), (2, "ends"), (3, "strides")))
    plain = options["ellipsis_mask"] == options["new_axis_mask"] == 0
    layer.check(plain, "it has an ellipsis or a new axis; expected a begin, an end and a stride for each axis")
    layer.check(len(begins) == len(ends) == len(steps) <= len(sizes), f"it slices {len(begins)} of {len(sizes)} axes")
    layer.check(all(step > 0 for step in steps), f"it has strides {steps}; expected positive ones")
    parts = [_Part(0, 1, size) for size in sizes]
    for axis, (begin, end, step, size) in enumerate(zip(begins, ends, steps, sizes, strict=False)):
        gone = bool(options["shrink_axis_mask"] >> axis & 1)
        first = None if options["begin_mask"] >> axis & 1 else begin
        last = None if options["end_mask"] >> axis & 1 else end
        if gone:
            place = first or 0
            parts[axis] = _Part(place + size if place < 0 else place, 1, 1, True)
        else:
            start, stop, _ = slice(first, last, step).indices(size)
            parts[axis] = _Part(start, step, len(range(start, stop, step)))
    return _taken(layer, parts)


def _slice(layer: ReadLayer) -> net.Slice:
    begins, counts, sizes = _numbers(layer, 1, "begins"), _numbers(layer, 2, "sizes"), _sizes(layer)
    layer.check(len(begins) == len(counts) == len(sizes), f"it slices {len(begins)} of {len(sizes)} axes")
    taken = zip(begins, counts, sizes, strict=True)
    parts = [_Part(begin, 1, size - begin if count == -1 else count) for begin, count, size in taken]
    return _taken(layer, parts)


def _split(layer: ReadLayer) -> net.Slice:
    """Read a part of a SPLIT into equal parts, its axis first, or of a SPLIT_V, its sizes and axis last."""
    sizes, part, name = _sizes(layer), layer.op.options["part"], layer.op.name
    (axis,) = _only(layer, _numbers(layer, 0 if name == "SPLIT" else 2, "axis"))
    axis = layer.axis(axis, len(sizes))
    if name == "SPLIT":
        wanted = [sizes[axis] // layer.op.options["parts"]] * layer.op.options["parts"]
    else:
        wanted = _numbers(layer, 1, "sizes")
        wanted = [sizes[axis] - sum(wanted) - 1 if each == -1 else each for each in wanted]
    whole = len(wanted) == layer.op.options["parts"] and sum(wanted) == sizes[axis]
    layer.check(whole, f"its parts are {wanted} of {sizes[axis]}; expected one for each output")
    parts = [_Part(0, 1, size) for size in sizes]
    parts[axis] = _Part(sum(wanted[:part]), 1, wanted[part])
    return _taken(layer, parts)


def _unpack(layer: ReadLayer) -> net.Slice:
    sizes = _sizes(layer)
    axis = layer.axis(layer.op.options["axis"], len(sizes))
    parts = [_Part(0, 1, size) for size in sizes]
    parts[axis] = _Part(layer.op.options["part"], 1, 1, True)
    return _taken(layer, parts)


def _taken(layer: ReadLayer, parts: list[_Part]) -> net.Slice:
    """Return what takes a part of each axis, the batch first."""
    layer.int8()
    layer.same_quantization()
    sizes = _sizes(layer)
    layer.check(parts[0] == _Part(0, 1, 1), "it takes a part of the batch; expected all of it")
    for (start, step, count, _), size in zip(parts, sizes, strict=True):
        inside = start >= 0 and count >= 1 and start + (count - 1) * step < size
        layer.check(inside, f"it takes {count} from {start} on of an axis of {size}")
    three = [_Part(0, 1, 1)] * (4 - len(parts)) + parts[1:]
    made = (three[0].number, three[1].number, three[2].number)
    layer.makes(made)
    kept = [part.number for part in three if not part.gone]
    rank = len(layer.model.tensors[layer.op.outputs[0]].shape)
    layer.shape(net.shape_of([1] * (3 - len(kept)) + kept if rank < 4 else list(made)))
    rows = three[0]
    layer.check(
        rows.start < LARGEST_STEP and rows.step <= LARGEST_STEP,
        f"it takes every {rows.step} rows from {rows.start} on; expected at most {LARGEST_STEP} and less",
    )
    return net.Slice(net.shape_of([part.start for part in three]), net.shape_of([part.step for part in three]))


def _sizes(layer: ReadLayer) -> tuple[int, ...]:
    (source,) = layer.inputs
    layer.rank(source.tensor)
    return layer.model.tensors[source.tensor].shape


def _numbers(layer: ReadLayer, position: int, what: str) -> list[int]:
    constant = layer.constant(position, what, "int32", "int64")
    return [int(value) for value in np.asarray(constant.data).ravel()]


def _only(layer: ReadLayer, values: list[int]) -> list[int]:
    layer.check(len(values) == 1, f"it has {len(values)} axes; expected one")
    return values


READERS: Readers = {
    "SLICE": (1, _slice),
    "SPLIT": (COMPUTED, _split),
    "SPLIT_V": (1, _split),
    "STRIDED_SLICE": (1, _strided_slice),
    "UNPACK": (1, _unpack),
}
