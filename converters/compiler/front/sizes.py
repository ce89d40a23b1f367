"""Find sizes that the file leaves open: of what is reshaped for a batch that is not known, which is 1 here.

Keras writes Reshape((-1, 4)) so: the shape is packed from the batch and constants when the model runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from converters.tflite.reader import Model, Op, Tensor

_SAME_SHAPE: tuple[str, ...] = (
    "DEQUANTIZE",
    "EXP",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "LOG_SOFTMAX",
    "QUANTIZE",
    "RELU",
    "RELU6",
)
_SAME_SHAPE += ("RELU_N1_TO_1", "SOFTMAX", "TANH")


def with_sizes(model: Model) -> Model:
    """Return a model whose activations have fixed shapes where those follow from the others; the rest is left."""
    tensors = list(model.tensors)
    makers = {index: op for op in model.ops for index in op.outputs}
    for op in model.ops:
        if len(op.outputs) != 1 or not is_open(tensors[op.outputs[0]]):
            continue
        shape = _shape(op, tensors, makers)
        if shape is not None and len(shape) == len(tensors[op.outputs[0]].shape):
            tensors[op.outputs[0]] = replace(tensors[op.outputs[0]], shape=shape, shape_signature=shape)
    return replace(model, tensors=tuple(tensors))


def is_open(tensor: Tensor) -> bool:
    """Whether a size besides the batch is not in the file."""
    return tensor.shape_signature[1:] != tensor.shape[1:]


def _shape(op: Op, tensors: list[Tensor], makers: Mapping[int, Op]) -> tuple[int, ...] | None:
    """Return the shape of an operator's output, None if it does not follow."""
    given = [tensors[index] for index in op.inputs if index >= 0]
    if not given or is_open(given[0]):
        return None
    if op.name in _SAME_SHAPE:
        return given[0].shape
    if op.name == "RESHAPE" and len(given) == 2:
        return _reshaped(given[0].size, _wanted(given[1], tensors, makers))
    if op.name == "CONCATENATION" and not any(map(is_open, given)) and len({len(each.shape) for each in given}) == 1:
        axis = op.options["axis"] % max(len(given[0].shape), 1)
        return tuple(
            sum(each.shape[side] for each in given) if side == axis else size
            for side, size in enumerate(given[0].shape)
        )
    return None


def _wanted(shape: Tensor, tensors: list[Tensor], makers: Mapping[int, Op]) -> list[int] | None:
    """Return the sizes that a RESHAPE asks for; what is packed first and is no constant is the batch."""
    if shape.data is not None:
        return [int(size) for size in np.asarray(shape.data).ravel()]
    maker = makers.get(shape.index)
    if maker is None or maker.name != "PACK":
        return None
    sizes = [tensors[index].data for index in maker.inputs]
    if any(size is None or size.size != 1 for size in sizes[1:]):
        return None
    return [1 if size is None else int(size.ravel()[0]) for size in sizes]


def _reshaped(size: int, wanted: list[int] | None) -> tuple[int, ...] | None:
    """Return a shape whose one -1 is what is left of so many values."""
    if wanted is None or wanted.count(-1) > 1:
        return None
    known = math.prod(each for each in wanted if each != -1)
    if known <= 0 or size % known:
        return None
    return tuple(size // known if each == -1 else each for each in wanted)
