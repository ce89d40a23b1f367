"""Read a `.tflite` model as a `Graph`: every layer that the compiler knows, its options and constants checked.

What cannot be compiled is a ValueError that names the layer, its operator and the reason.
"""

from __future__ import annotations

import math
from dataclasses import replace

from converters.compiler.faults import Unsupported, check
from converters.compiler.front import moving, pointwise, pooling, slicing, upward, weighted
from converters.compiler.front import network as net
from converters.compiler.front.dilated import with_dilations
from converters.compiler.front.layer import COMPUTED, FULL_INTEGER, Readers, ReadLayer
from converters.compiler.front.sequences import with_turned_sequences
from converters.compiler.front.sizes import computes_shape, is_open, with_sizes
from converters.compiler.front.slicing import with_parts
from converters.compiler.limits import LARGEST_SIDE, MOST_LAYERS
from converters.tflite.reader import Model, Op, Tensor, layer_names, read_model

# Operator that is not compiled → what to do about it.
INSTEAD = {
    "ARG_MAX": "leave it out of the network, and look for the largest output yourself",
    "BATCH_MATMUL": "products of two maps are for TFLite Micro (mcu/tflm)",
    "CUSTOM:TFLite_Detection_PostProcess": "convert the network without it, with boxes and scores as outputs",
    "ELU": "TFLite computes it in float; train with ReLU, LeakyReLU or GELU",
    "REDUCE_MIN": "take the maximum of what is multiplied by -1",
    "SUM": "take the mean, and let the next layer scale it",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "recurrent layers are for TFLite Micro (mcu/tflm); convolutions over time compile",
    "WHILE": "recurrent layers are for TFLite Micro (mcu/tflm); convolutions over time compile",
}
EDGE_DTYPES = ("int8", "uint8", "float32")
READERS: Readers = {
    **weighted.READERS,
    **pooling.READERS,
    **moving.READERS,
    **pointwise.READERS,
    **slicing.READERS,
    **upward.READERS,
}


def read_graph(data: bytes) -> net.Graph:
    """Read the bytes of a `.tflite` file.

    Raises:
      ValueError: the file is damaged, or holds what cannot be compiled.
    """
    model = with_dilations(with_sizes(read_model(data)))
    model = with_parts(with_turned_sequences(model))
    check(len(model.inputs) == 1, f"the model has {len(model.inputs)} inputs; expected one")
    check(
        len(model.ops) <= MOST_LAYERS, f"the model has {len(model.ops):,} operators; expected at most {MOST_LAYERS:,}"
    )
    return _Reader(model).graph()


class _Reader:
    """Numbers the maps in order of first use and reads layer after layer."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.maps: list[net.FeatureMap] = []
        self.numbers: dict[int, int] = {}

    def graph(self) -> net.Graph:
        source = self.number(self.model.inputs[0], "the input")
        names = layer_names(self.model)
        named = zip(self.model.ops, names, strict=True)
        read = (self.layers(op, name) for op, name in named if not computes_shape(self.model, op))
        layers = tuple(layer for some in read for layer in some)
        targets = tuple(self.number(index, "the output") for index in self.model.outputs)
        return net.Graph(tuple(self.maps), layers, source, targets, tuple(range(len(self.maps))))

    def number(self, index: int, where: str) -> int:
        if index not in self.numbers:
            self.numbers[index] = len(self.maps)
            self.maps.append(_feature_map(self.model.tensors[index], where))
        return self.numbers[index]

    def layers(self, op: Op, name: str) -> list[net.Layer]:
        """Return the layer of an operator, and what reshapes its inputs before and its output after it."""
        where = f"layer {name} ({op.name})"
        reader = READERS.get(op.name)
        if reader is None:
            instead = INSTEAD.get(op.name, "TFLite Micro may run it (mcu/tflm)")
            known = ", ".join(sorted(READERS))
            raise Unsupported(f"{where}: the operator is not supported: {instead}; expected {known}")
        activations, kind_of = reader
        halves = any(each >= 0 and self.model.tensors[each].dtype == "float16" for each in op.inputs)
        check(not halves, f"{where} has float16 weights; expected an int8 model: {FULL_INTEGER}")
        taken = _activations(self.model, op, activations)
        least = max(activations, 1) if isinstance(activations, int) else 1
        check(
            len(op.outputs) == 1 and taken and min(taken) >= 0 and len(taken) >= least,
            f"{where} has inputs {list(op.inputs)}, outputs {list(op.outputs)}; one is missing or too many",
        )
        inputs = tuple(self.number(index, where) for index in taken)
        output = self.number(op.outputs[0], where)
        layer = ReadLayer(self.model, op, where, tuple(self.maps[i] for i in inputs), self.maps[output])
        kind = kind_of(layer)
        before = [self.reshaped(name, number, layer.seen.get(i)) for i, number in enumerate(inputs)]
        numbers, steps = [each.output for each in before], []
        for i, step in enumerate(layer.steps):
            numbers.append(self.like(output, step.shape, net.NO_TENSOR))
            scale, zero_point = step.quantization
            self.maps[-1] = replace(self.maps[-1], scale=scale, zero_point=zero_point)
            reads = tuple(numbers[each] for each in step.reads)
            steps.append(net.Layer(f"{name}_{i}", op.name, reads, numbers[-1], step.kind))
        made = self.like(output, layer.made)
        own = net.Layer(name, op.name, tuple(numbers[each] for each in layer.reads), made, kind)
        after = [] if made == output else [net.Layer(f"{name}_out", "RESHAPE", (made,), output, net.Reshape())]
        return [*(each for each in before if each.output not in inputs), *steps, own, *after]

    def reshaped(self, name: str, number: int, shape: net.Shape | None) -> net.Layer:
        """Return what gives a map another shape: nothing, if its output is its input."""
        output = number if shape is None else self.like(number, shape)
        return net.Layer(f"{name}_in", "RESHAPE", (number,), output, net.Reshape())

    def like(self, number: int, shape: net.Shape, tensor: int | None = None) -> int:
        """Return the map with a shape that has another's bytes: itself, if the shape is its own.

        With a `tensor` it is a new map, of the other's scale, with values of its own.
        """
        own = self.maps[number]
        if own.shape == shape and tensor is None:
            return number
        height, width, channels = shape
        index = own.tensor if tensor is None else tensor
        self.maps.append(replace(own, tensor=index, height=height, width=width, channels=channels))
        return len(self.maps) - 1


def _activations(model: Model, op: Op, activations: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the inputs of an operator that are activations, as `Readers` says."""
    if isinstance(activations, tuple):
        return tuple(op.inputs[position] for position in activations if position < len(op.inputs))
    if activations == COMPUTED:
        return tuple(index for index in op.inputs if index < 0 or not model.tensors[index].is_constant)
    return tuple(op.inputs if activations is None else op.inputs[:activations])


def _feature_map(tensor: Tensor, where: str) -> net.FeatureMap:
    what = f"{where}: tensor {tensor.name[:80]!r}"
    check(not tensor.is_constant, f"{what} is a constant; expected an activation")
    check(not tensor.is_variable, f"{what} is a variable; state between runs is not supported")
    fixed = "expected fixed sizes: give every size when you convert, the batch as 1"
    check(not is_open(tensor), f"{what} has dynamic shape {tensor.shape_signature}; {fixed}")
    check(tensor.dtype in EDGE_DTYPES, f"{what} is {tensor.dtype}; expected int8")
    check(1 <= len(tensor.shape) <= 6, f"{what} has shape {tensor.shape}; expected 1 to 6 dimensions")
    sequence = len(tensor.shape) == 2  # of steps, flattened for a layer that takes each by itself
    check(sequence or tensor.shape[0] == 1, f"{what} has shape {tensor.shape}; expected a batch of 1")
    shape = (1, *tensor.shape) if sequence else tensor.shape
    height, *columns, channels = (1, 1, 1, *shape[1:])[-max(3, len(shape) - 1) :]
    width = math.prod(columns)
    fits = all(1 <= side <= LARGEST_SIDE for side in (height, width, channels))
    check(fits, f"{what} has shape {tensor.shape}; expected sizes from 1 to {LARGEST_SIDE}")
    scale, zero_point = _quantization(tensor, what)
    return net.FeatureMap(tensor.index, tensor.name, tensor.dtype, height, width, channels, scale, zero_point)


def _quantization(tensor: Tensor, what: str) -> tuple[float, int]:
    if tensor.dtype == "float32":
        return 0.0, 0
    check(len(tensor.scale) == 1, f"{what} has {len(tensor.scale)} scales; expected one")
    (scale,), (zero_point,) = tensor.scale, tensor.zero_point
    check(scale > 0, f"{what} has scale {scale}; expected a positive one")
    lowest = 0 if tensor.dtype == "uint8" else -128
    check(
        lowest <= zero_point <= lowest + 255,
        f"{what} has zero point {zero_point}; expected {lowest}…{lowest + 255}",
    )
    return scale, zero_point
