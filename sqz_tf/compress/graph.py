"""A `.tflite` as a differentiable TensorFlow function of its weights, up to the logits.

The float network that is to be compressed, and, with the ranges of its int8 twin, that twin simulated. The file is
the only source: what an export wrote and what came from elsewhere are read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite.reader import Model, Op, Tensor, layer_names, read_model
from sqz_tf.base.errors import SqzError
from sqz_tf.train.keras import tf

DEPTHWISE = "DEPTHWISE_CONV_2D"
WEIGHTED = ("CONV_2D", DEPTHWISE, "FULLY_CONNECTED")
SOFTMAX = "SOFTMAX"  # the last; what it is made of is compared
LONGEST = 8192  # weights of one output channel: their moments are a square of that side
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "NONE": lambda x: x,
    "RELU": lambda x: tf.nn.relu(x),
    "RELU6": lambda x: tf.nn.relu6(x),
}


class GraphError(SqzError):
    """The `.tflite` holds an operator that cannot be differentiated here."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer's real-valued weights.

    Attributes:
      kernel: float32; CONV_2D [O, kh, kw, I], DEPTHWISE_CONV_2D [1, kh, kw, C], FULLY_CONNECTED [O, I].
      bias: float32 [O].
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class Graph:
    """A read `.tflite`.

    Attributes:
      model: the file.
      names: a name for each operator.
      weights: operator's index → weights of each weighted layer, in execution order.
    """

    model: Model
    names: tuple[str, ...]
    weights: Mapping[int, Weights]

    @classmethod
    def read(cls, content: bytes) -> Graph:
        """Return the graph of a float or int8 `.tflite`; integers become the real numbers they stand for.

        Raises:
          GraphError: an operator or a form of one is not known here.
        """
        model = read_model(content)
        for fault in _faults(model):
            raise GraphError(
                f"the .tflite has {fault}",
                expected="a classifier of operators that docs/how-to/packs.md lists",
                fix="pack it with --lossless: its weights are then coded as they are",
            )
        weights = {op.index: _weights(model, op) for op in model.ops if op.name in WEIGHTED}
        return cls(model, tuple(layer_names(model)), weights)

    def logits(
        self,
        given: Mapping[int, Any],
        weights: Mapping[int, tuple[Any, Any]],
        ranges: Mapping[int, Any],
        first: int = 0,
    ) -> Any:
        """Return what the network computes before its softmax, float32 [N, classes].

        Args:
          given: tensor → value, float32 [N, ...], of what operators from `first` on read; the graph's input for all.
          weights: operator → (kernel, bias), float32 tensors of the shapes in `weights`.
          ranges: tensor → (lowest, highest) on whose 256 steps its values are rounded; others are left.
          first: operator to begin with.
        """
        found = self.values(given, weights, ranges, first)[self.model.outputs[0]]
        return tf.reshape(found, (tf.shape(found)[0], -1))

    def values(
        self,
        given: Mapping[int, Any],
        weights: Mapping[int, tuple[Any, Any]],
        ranges: Mapping[int, Any],
        first: int = 0,
        end: int | None = None,
    ) -> dict[int, Any]:
        """Return the values of all tensors up to operator `end`, as `logits` computes them."""
        values = dict(given)
        for op in self.model.ops[first:end]:
            values[op.outputs[0]] = on_steps(op, self.computed(op, values, weights), ranges)
        return values

    def read_from(self, first: int) -> tuple[int, ...]:
        """Return the tensors that operators from `first` on read and others before them write."""
        later = self.model.ops[first:]
        before = {index for op in self.model.ops[:first] for index in op.outputs} | set(self.model.inputs)
        return tuple(sorted(before & {index for op in later for index in op.inputs}))

    def computed(self, op: Op, values: Mapping[int, Any], weights: Mapping[int, tuple[Any, Any]]) -> Any:
        """Return one operator's output from the values of tensors."""
        given = [values[index] for index in op.inputs if index in values]
        if op.index in weights:
            return activated(op, linear(op, given[0], *weights[op.index]))
        return _OPERATORS[op.name](self.model, op, given)


def _faults(model: Model) -> Iterator[str]:
    """Yield what keeps a network from being rounded here, in words."""
    outputs = model.output_tensors()
    if len(outputs) != 1 or len(model.inputs) != 1 or outputs[0].size < 2:
        yield f"{len(model.inputs)} inputs and {len(outputs)} outputs of {outputs[0].size} values"
    if not any(op.name in WEIGHTED for op in model.ops):
        yield "no layer with weights"
    for op in model.ops:
        if op.name == SOFTMAX and op is not model.ops[-1]:
            yield f"operator {op.name} before its end"
        elif op.name not in (*WEIGHTED, *_OPERATORS):
            yield f"operator {op.name}"
        elif op.options.get("fused_activation", "NONE") not in _ACTIVATIONS:
            yield f"a fused {op.options['fused_activation']}"
        elif op.name in WEIGHTED:
            yield from _weight_faults(model, op)
        elif any(model.tensors[index].is_constant for index in op.inputs[: _operands(op)]):
            yield f"{op.name} of a constant"


def _operands(op: Op) -> int:
    """Return how many of an operator's inputs are maps; the others are its settings."""
    return len(op.inputs) if op.name in ("ADD", "CONCATENATION") else 1


def _weight_faults(model: Model, op: Op) -> Iterator[str]:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        yield f"a {op.name} without a bias"
        return
    kernel, bias = (model.tensors[index] for index in op.inputs[1:3])
    channels = model.tensors[op.inputs[0]].shape[-1]
    if kernel.data is None or bias.data is None or model.tensors[op.inputs[0]].is_constant:
        yield f"a {op.name} whose weights are computed, or whose input is not"
    elif op.name == "CONV_2D" and kernel.shape[-1] != channels:
        yield f"a convolution in groups ({kernel.shape[-1]} of {channels} channels)"
    elif kernel.size // max(1, bias.size) > LONGEST:
        yield f"a {op.name} of {kernel.size // bias.size:,} weights a channel, more than {LONGEST:,}"


def rows_of(op: Op, kernel: np.ndarray) -> np.ndarray:
    """Return a layer's kernel as [O, K]: the weights of each output channel, in the order of the kernel's axes."""
    return kernel.reshape(-1, kernel.shape[-1]).T if op.name == DEPTHWISE else kernel.reshape(kernel.shape[0], -1)


def as_stored(op: Op, rows: np.ndarray) -> np.ndarray:
    """Return rows [O, K] in the order in which a layer's kernel lies in the file."""
    return rows.T if op.name == DEPTHWISE else rows


def _weights(model: Model, op: Op) -> Weights:
    return Weights(*(real(model.tensors[index]) for index in op.inputs[1:3]))


def real(tensor: Tensor) -> np.ndarray:
    """Return a constant's values as float32, those that its integers stand for."""
    assert tensor.data is not None
    if not tensor.scale:
        return tensor.data.astype(np.float32)
    shape = [1] * len(tensor.shape)
    if tensor.per_channel:
        shape[tensor.quantized_dimension] = -1
    scale, zero = (np.asarray(each, np.float64).reshape(shape) for each in (tensor.scale, tensor.zero_point))
    return np.asarray((tensor.data - zero) * scale, np.float32)


def on_steps(op: Op, values: Any, ranges: Mapping[int, tuple[float, float]]) -> Any:
    """Return an operator's output rounded to the 256 steps of its range; as it is where it has none."""
    limits = ranges.get(op.outputs[0])
    return values if limits is None else tf.quantization.fake_quant_with_min_max_vars(values, *limits)


def linear(op: Op, x: Any, kernel: Any, bias: Any) -> Any:
    """Return what a weighted layer computes before its activation."""
    if op.name == "FULLY_CONNECTED":
        found = tf.linalg.matmul(tf.reshape(x, (tf.shape(x)[0], -1)), kernel, transpose_b=True)
    else:
        stride, dilation, padding = op.options["stride"], op.options["dilation"], op.options["padding"]
        if op.name == "CONV_2D":
            found = tf.nn.conv2d(x, tf.transpose(kernel, (1, 2, 3, 0)), stride, padding, dilations=dilation)
        else:
            depthwise = tf.reshape(tf.transpose(kernel, (1, 2, 3, 0)), (*kernel.shape[1:3], x.shape[-1], -1))
            found = tf.nn.depthwise_conv2d(x, depthwise, (1, *stride, 1), padding, dilations=dilation)
    return found + bias


def activated(op: Op, x: Any) -> Any:
    """Return values after an operator's fused activation."""
    return _ACTIVATIONS[op.options.get("fused_activation", "NONE")](x)


def _pool(function: Callable[..., Any]) -> Callable[[Model, Op, list[Any]], Any]:
    def run(model: Model, op: Op, given: list[Any]) -> Any:
        options = op.options
        return activated(op, function(given[0], options["filter"], options["stride"], options["padding"]))

    return run


def _pad(model: Model, op: Op, given: list[Any]) -> Any:
    return tf.pad(given[0], model.tensors[op.inputs[1]].data)


def _mean(model: Model, op: Op, given: list[Any]) -> Any:
    axes = model.tensors[op.inputs[1]].data
    assert axes is not None
    return tf.reduce_mean(given[0], [int(axis) for axis in axes.ravel()], keepdims=op.options["keep_dims"])


def _reshape(model: Model, op: Op, given: list[Any]) -> Any:
    return tf.reshape(given[0], (-1, *model.tensors[op.outputs[0]].shape[1:]))


_OPERATORS: dict[str, Callable[[Model, Op, list[Any]], Any]] = {
    "ADD": lambda model, op, given: activated(op, given[0] + given[1]),
    "AVERAGE_POOL_2D": _pool(lambda *x: tf.nn.avg_pool2d(*x)),
    "CONCATENATION": lambda model, op, given: tf.concat(given, op.options["axis"]),
    "MAX_POOL_2D": _pool(lambda *x: tf.nn.max_pool2d(*x)),
    "MEAN": _mean,
    "PAD": _pad,
    "RELU": lambda model, op, given: tf.nn.relu(given[0]),
    "RESHAPE": _reshape,
    SOFTMAX: lambda model, op, given: given[0],
}
