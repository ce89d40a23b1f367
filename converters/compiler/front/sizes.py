"""Find sizes that the file leaves open: of what is reshaped for a batch that is not known, which is 1 here.

Keras writes Reshape((-1, 4)) and a dense layer of each step so: shapes are computed when the model runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from converters.tflite.reader import Model, Op, Tensor

_SAME_SHAPE = (
    *("DEQUANTIZE", "EXP", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "QUANTIZE", "RELU", "RELU6"),
    *("RELU_N1_TO_1", "SOFTMAX", "TANH"),
)
LARGEST_SHAPE = 8  # numbers of a shape that is computed
INTEGERS = ("int32", "int64")


def with_sizes(model: Model) -> Model:
    """Return a model whose activations have fixed shapes where those follow from the others; the rest is left."""
    found = _Sizes(model)
    for op in model.ops:
        if len(op.outputs) != 1:
            continue
        if computes_shape(model, op):
            found.compute(op)
        elif -1 in model.tensors[op.outputs[0]].shape_signature:
            found.follow(op)
    return replace(model, tensors=tuple(found.tensors))


def is_open(tensor: Tensor) -> bool:
    """Whether a size besides the batch is not in the file."""
    return tensor.shape_signature[1:] != tensor.shape[1:]


class _Sizes:
    """The tensors as far as their shapes are known, and the numbers of shapes that operators compute."""

    def __init__(self, model: Model) -> None:
        self.tensors = list(model.tensors)
        self.numbers: dict[int, list[int]] = {}

    def follow(self, op: Op) -> None:
        """Give an operator's output the shape that follows from its inputs."""
        output = self.tensors[op.outputs[0]]
        given = [self.tensors[index] for index in op.inputs if index >= 0]
        if not given or is_open(given[0]):
            return
        shape = self._shape(op, given)
        if shape is not None and len(shape) == len(output.shape) and all(size > 0 for size in shape):
            self.tensors[output.index] = replace(output, shape=shape, shape_signature=shape)

    def _shape(self, op: Op, given: Sequence[Tensor]) -> tuple[int, ...] | None:
        if op.name in _SAME_SHAPE:
            return given[0].shape
        if op.name == "RESHAPE" and len(given) == 2:
            return _reshaped(given[0].size, self.value(given[1].index))
        if op.name == "FULLY_CONNECTED" and len(given[0].shape) == 2 and len(given[1].shape) == 2:
            return given[0].shape[0], given[1].shape[0]
        if (
            op.name == "CONCATENATION"
            and not any(map(is_open, given))
            and len({len(each.shape) for each in given}) == 1
        ):
            return _joined([each.shape for each in given], op.options["axis"])
        return None

    def compute(self, op: Op) -> None:
        """Find the numbers that an operator makes of shapes; those of its inputs were found before."""
        if not op.inputs or min(op.inputs) < 0:
            return
        found = self._shape_read(op.inputs[0]) if op.name == "SHAPE" else self._computed(op)
        if found is not None and len(found) <= LARGEST_SHAPE:
            self.numbers[op.outputs[0]] = found

    def _shape_read(self, index: int) -> list[int] | None:
        return None if is_open(self.tensors[index]) else list(self.tensors[index].shape)

    def _computed(self, op: Op) -> list[int] | None:
        parts = [self.value(each) for each in op.inputs]
        known = [part for part in parts if part is not None]
        return COMPUTED[op.name](op, known) if len(known) == len(parts) else None

    def value(self, index: int) -> list[int] | None:
        """Return the numbers of a shape, constant or computed from shapes; None where they do not follow."""
        tensor = self.tensors[index]
        if tensor.size > LARGEST_SHAPE or tensor.dtype not in INTEGERS:
            return None
        if tensor.data is not None:
            return [int(each) for each in np.asarray(tensor.data).ravel()]
        return self.numbers.get(index)


def _packed(op: Op, parts: Sequence[list[int]]) -> list[int] | None:
    return [each for part in parts for each in part]


def _gathered(op: Op, parts: Sequence[list[int]]) -> list[int] | None:
    if len(parts) < 2:
        return None
    values, places = parts[:2]
    return [values[place] for place in places] if all(0 <= place < len(values) for place in places) else None


def _multiplied(op: Op, parts: Sequence[list[int]]) -> list[int] | None:
    return [math.prod(parts[0])]


def _sliced(op: Op, parts: Sequence[list[int]]) -> list[int] | None:
    if len(parts) != 4:
        return None
    values, begin, end, step = parts
    if not len(begin) == len(end) == len(step) == 1 or step[0] < 1:
        return None
    if op.options["shrink_axis_mask"]:
        return values[begin[0] :][:1]
    first = None if op.options["begin_mask"] else begin[0]
    return values[first : None if op.options["end_mask"] else end[0] : step[0]]


# How numbers of shapes are computed from those of an operator's inputs.
COMPUTED: Mapping[str, Callable[[Op, Sequence[list[int]]], list[int] | None]] = {
    "CONCATENATION": _packed,
    "GATHER": _gathered,
    "PACK": _packed,
    "REDUCE_PROD": _multiplied,
    "STRIDED_SLICE": _sliced,
}


def computes_shape(model: Model, op: Op) -> bool:
    """Whether an operator only computes numbers of shapes."""
    kinds = {model.tensors[index].dtype for index in op.outputs}
    return op.name in ("SHAPE", *COMPUTED) and kinds <= set(INTEGERS)


def _reshaped(size: int, wanted: list[int] | None) -> tuple[int, ...] | None:
    """Return a shape whose one -1 is what is left of so many values."""
    if wanted is None or wanted.count(-1) > 1:
        return None
    known = math.prod(each for each in wanted if each != -1)
    if known <= 0 or size % known:
        return None
    return tuple(size // known if each == -1 else each for each in wanted)


def _joined(shapes: Sequence[tuple[int, ...]], axis: int) -> tuple[int, ...] | None:
    if not shapes[0] or not -len(shapes[0]) <= axis < len(shapes[0]):
        return None
    side = axis % len(shapes[0])
    return (*shapes[0][:side], sum(shape[side] for shape in shapes), *shapes[0][side + 1 :])
