"""One layer as its reader sees it: its operator, its maps, its constants, and the checks that readers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from converters.compiler.faults import check
from converters.compiler.front import network as net
from converters.compiler.limits import LARGEST_SIDE, LARGEST_STEP
from converters.tflite.reader import Model, Op, Tensor

CHANNELS = 2  # their place in a shape
FULL_INTEGER = "convert with a representative_dataset and TFLITE_BUILTINS_INT8"


class Step(NamedTuple):
    """A layer that the file does not have: of its inputs, numbers of `ReadLayer.step`, it makes a map of a shape."""

    kind: net.LayerKind
    shape: net.Shape
    reads: tuple[int, ...]
    quantization: tuple[float, int]


class ReadLayer:
    """What the readers of operators need of one layer, and the checks they share."""

    def __init__(self, model: Model, op: Op, where: str, inputs: tuple[net.FeatureMap, ...], output: net.FeatureMap):
        self.model, self.op, self.where, self.inputs, self.output = model, op, where, inputs, output
        self.seen: dict[int, net.Shape] = {}
        self.steps: list[Step] = []
        self.reads: tuple[int, ...] = tuple(range(len(inputs)))
        self.made = output.shape

    def sees(self, position: int, shape: net.Shape) -> None:
        """Let the layer read an input reshaped."""
        self.check(max(shape) <= LARGEST_SIDE, f"{self.inputs[position].name[:80]!r} is too large to be joined so")
        self.seen[position] = shape

    def step(
        self, kind: net.LayerKind, shape: net.Shape, *reads: int, quantization: tuple[float, int] | None = None
    ) -> int:
        """Let a layer of its own go before.

        Args:
          kind: what it computes.
          shape: of its output.
          reads: its inputs: the layer's own by position, and what this returned for other steps.
          quantization: scale and zero point of its output; without it those of the layer's.

        Returns:
          What its output is called in `reads`.
        """
        self.check(max(shape) <= LARGEST_SIDE, f"it makes {shape} on its way; expected at most {LARGEST_SIDE} a side")
        own = (self.output.scale, self.output.zero_point)
        self.steps.append(Step(kind, shape, reads, quantization or own))
        return len(self.inputs) + len(self.steps) - 1

    def makes(self, shape: net.Shape) -> None:
        """Let the layer make its output in another shape, of the same bytes; it is reshaped then."""
        self.check(max(shape) <= LARGEST_SIDE, f"its output {self.output.shape} is too large to be made so")
        self.made = shape

    def check(self, condition: object, message: str) -> None:
        """Raise `Unsupported`, the layer named, unless the condition holds."""
        check(condition, f"{self.where}: {message}")

    @property
    def activation(self) -> str:
        """The activation fused into the layer, NONE if there is none."""
        return str(self.op.options.get("fused_activation", "NONE"))

    def int8(self) -> None:
        """Check that the layer computes in int8."""
        for each in (*self.inputs, self.output):
            self.check(
                each.dtype == "int8", f"{each.name[:80]!r} is {each.dtype}; expected an int8 model: {FULL_INTEGER}"
            )

    def same_quantization(self) -> None:
        """Check that the layer only moves or compares bytes: nothing is scaled."""
        for each in self.inputs:
            self.check(
                (each.scale, each.zero_point) == (self.output.scale, self.output.zero_point),
                f"input {each.name[:80]!r} has scale {each.scale}, zero point {each.zero_point}, the output "
                f"{self.output.scale}, {self.output.zero_point}; expected the same",
            )

    def shape(self, expected: tuple[int, ...]) -> None:
        """Check that the output has the shape that the options and inputs give."""
        self.check(self.output.shape == expected, f"the output is {self.output.shape}; expected {expected}")

    def side(self, tensor: int, axis: int) -> int:
        """Return which of height, width and channels an axis of a tensor is: 0, 1 or 2; the batch is refused."""
        rank = self.rank(tensor)
        return self.axis(axis, rank) + 3 - rank

    def axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the first one on; the batch is refused."""
        self.check(
            -rank <= axis < rank and axis % rank > 0, f"axis {axis} of {rank}; expected one other than the batch"
        )
        return axis % rank

    def rank(self, tensor: int) -> int:
        """Return how many dimensions a tensor has: no more than a batch, height, width and channels."""
        shape = self.model.tensors[tensor].shape
        self.check(len(shape) <= 4, f"it is of {shape}; expected at most 4 dimensions here")
        return len(shape)

    def has(self, position: int) -> bool:
        """Whether there is an input at `position`; the last ones may be left out."""
        return position < len(self.op.inputs) and self.op.inputs[position] != -1

    def constant(self, position: int, what: str, *dtypes: str) -> Tensor:
        """Return the input at `position`, which must be a constant of one of the dtypes; `what` names it in errors."""
        self.check(self.has(position), f"it has no {what}")
        tensor = self.model.tensors[self.op.inputs[position]]
        self.check(tensor.data is not None, f"it computes its {what}; expected constants of the model")
        self.check(tensor.dtype in dtypes, f"it has {tensor.dtype} {what}; expected {dtypes[0]}")
        return tensor

    def weights(self, rank: int, dimension: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights and their scales, one or one for each output channel."""
        tensor = self.constant(1, "weights", "int8")
        self.check(len(tensor.shape) == rank and tensor.size, f"its weights have shape {tensor.shape}")
        self.check(tensor.scale, "its weights have no scale")
        self.check(not any(tensor.zero_point), "its weights have a zero point other than 0")
        if tensor.per_channel:
            self.check(
                tensor.quantized_dimension == dimension,
                f"its weights have a scale along dimension {tensor.quantized_dimension}; expected {dimension}",
            )
        self.check(
            tensor.shape[dimension] == channels,
            f"its weights have shape {tensor.shape}, its output {channels} channels",
        )
        values = np.asarray(tensor.data)
        turned = self.op.options.get("turned", False)  # height and width changed places
        return values.transpose(0, 2, 1, 3) if turned else values, np.asarray(tensor.scale, np.float64)

    def bias(self, channels: int, position: int = 2) -> np.ndarray:
        """Return the biases, int32 [channels]; zeros if the layer has none."""
        if not self.has(position):
            return np.zeros(channels, np.int32)
        tensor = self.constant(position, "bias", "int32")
        self.check(tensor.size == channels, f"its bias has shape {tensor.shape}; expected {channels} values")
        return np.asarray(tensor.data).reshape(-1)

    def window(self, kernel: tuple[int, int]) -> net.Window:
        """Return the window, with the padding that the options and the sizes give."""
        options, (source,) = self.op.options, self.inputs
        stride, dilation = options["stride"], options.get("dilation", (1, 1))
        for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
            self.check(all(1 <= n <= LARGEST_STEP for n in values), f"{name} {values}; expected 1…{LARGEST_STEP}")
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        sides = list(zip(source.shape[:2], spans, stride, strict=True))
        sizes = [_output_size(options["padding"], *side) for side in sides]
        self.shape((*sizes, self.output.channels))
        pads = [0, 0]
        if options["padding"] == "SAME":
            pads = [_before(out, *side) for out, side in zip(sizes, sides, strict=True)]
        self.check(max(pads) <= LARGEST_STEP, f"padding {pads}; expected at most {LARGEST_STEP}")
        return net.Window(*kernel, *stride, *pads, *dilation)


def _before(out: int, size: int, span: int, step: int) -> int:
    """Return SAME's padding above or to the left."""
    return max(0, (out - 1) * step + span - size) // 2


def _output_size(padding: str, size: int, span: int, step: int) -> int:
    return -(-size // step) if padding == "SAME" else max(0, (size - span) // step + 1)


Reader = Callable[[ReadLayer], net.LayerKind]
COMPUTED = -1
# Operator → how many inputs are activations (None: all; COMPUTED: those that are no constants; a tuple: those at these
# positions), its reader.
Readers = Mapping[str, tuple[int | tuple[int, ...] | None, Reader]]
