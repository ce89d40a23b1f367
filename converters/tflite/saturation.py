"""Turn ReLU with zero point −128 into saturation with zero point 0.

A tensor behind a ReLU is never negative, so 8 bits with zero point 0 leave half of their values unused. It is trained
with zero point −128 instead: integer q stands for (q + 128) · scale. The same integers with zero point 0 stand for
q · scale, which is the value less 128 · scale, and what was ReLU is what int8 does anyway: it saturates at −128. The
convolution that writes such a tensor has 128 output steps less in its bias, one that reads it has 128 · Σ weights more;
around the tensor lies −128.

A mean has no bias: rows of a negative constant are averaged with its input instead, and the softmax behind it makes up
by `beta` for the division by more pixels.

No integer that the network computes changes, except where a sum is exactly half way between two of them: TFLite rounds
these away from zero, wherever zero is. (Its MEAN rounds twice; what is half way the second time is, too.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.tflite.edit import add_buffer, drop_unused_buffers, name_text, operator_code, pack, unpack
from converters.tflite.parse import Model, Op, Tensor
from converters.tflite.reader import read_model

LOWEST = -128
INT32_MAX = np.iinfo(np.int32).max
FLOAT32 = 1e-6  # relative: two float32 of one number are nearer than that
_KEEP = ("CONCATENATION", "MAX_POOL_2D")  # compute the same whatever the zero point is


def by_saturation(data: bytes) -> bytes:
    """Return an int8 `.tflite` whose activations with zero point −128 have zero point 0.

    Raises:
      ValueError: the file is damaged, or such a tensor is written or read by an operator that cannot make up for it.
    """
    model = read_model(data)
    moved = _moved(model)
    if not moved:
        return data
    for index in moved.intersection((*model.inputs, *model.outputs)):
        raise ValueError(
            f"{model.tensors[index].name}, at the model's edge, has zero point {LOWEST}; "
            "expected 0: callers would read other numbers"
        )
    edit = _Edit(model, unpack(data), moved)
    for op in model.ops:
        edit.operator(op)
    return edit.packed()


def _moved(model: Model) -> set[int]:
    """Return the activations with zero point −128; SOFTMAX's output has it by TFLite's rule."""
    fixed = {index for op in model.ops if op.name == "SOFTMAX" for index in op.outputs}
    return {
        tensor.index
        for tensor in model.tensors
        if tensor.dtype == "int8" and tensor.data is None and tensor.zero_point == (LOWEST,)
    } - fixed


@dataclass
class _Edit:
    """The model as it was, and as it becomes."""

    model: Model
    becomes: Any
    moved: set[int]

    def __post_init__(self) -> None:
        self.graph = self.becomes.subgraphs[0]
        self.old = list(self.graph.operators)
        self.graph.operators = []
        self.ratio: dict[int, float] = {}  # tensor → how many times larger a step of it was

    def operator(self, op: Op) -> None:
        """Append an operator, changed where one of its tensors moves."""
        target = self.old[op.index]
        reads, writes = op.inputs[0] in self.moved, op.outputs[0] in self.moved
        if (reads or writes) and op.name == "CONV_2D":
            self._convolution(op, target, reads, writes)
        elif (reads or writes) and op.name == "PAD":
            target.inputs = [*target.inputs, self._constant(op.inputs[0], LOWEST)]
            self._become_padv2(target)
        elif writes and not reads and op.name == "MEAN":
            self._mean(op, target)
        elif op.inputs[0] in self.ratio and op.name == "SOFTMAX":
            target.builtinOptions.beta *= self.ratio[op.inputs[0]]
        elif any(index in self.moved for index in (*op.inputs, *op.outputs)) and op.name not in _KEEP:
            name = self.model.tensors[op.outputs[0]].name
            raise ValueError(f"op {op.index} ({op.name}, {name}) cannot make up for a zero point that moves")
        self.graph.operators.append(target)

    def packed(self) -> bytes:
        """Return the bytes of the model as it became."""
        for index in self.moved:
            self.graph.tensors[index].quantization.zeroPoint = np.zeros(1, np.int64)
        drop_unused_buffers(self.becomes)
        return pack(self.becomes)

    def _convolution(self, op: Op, target: Any, reads: bool, writes: bool) -> None:
        source, weights, bias = (self.model.tensors[index] for index in op.inputs)
        change = np.zeros(len(_data(bias)), np.int64)
        if reads:
            change -= LOWEST * _data(weights).astype(np.int64).sum(axis=(1, 2, 3))
            self._pad(op, target)
        if writes:
            change += self._steps(op, source, weights)
            self._drop_relu(op, target)
        target.inputs = [*target.inputs[:2], self._bias(bias, _data(bias) + change)]

    def _steps(self, op: Op, source: Tensor, weights: Tensor) -> np.ndarray:
        """Return how many steps of the sums −128 of the output are, int64 [O] or [1]."""
        output = self.model.tensors[op.outputs[0]]
        steps = LOWEST * output.scale[0] / (source.scale[0] * np.asarray(weights.scale, np.float64))
        if np.any(steps != np.rint(steps)):
            raise ValueError(
                f"{-LOWEST} steps of {output.name} are {-steps.min()} steps of input times weights; expected integers"
            )
        return steps.astype(np.int64)

    def _drop_relu(self, op: Op, target: Any) -> None:
        if op.options["fused_activation"] != "RELU":
            name, found = self.model.tensors[op.outputs[0]].name, op.options["fused_activation"]
            raise ValueError(f"{name} has activation {found} and zero point {LOWEST}; expected RELU")
        target.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE

    def _bias(self, old: Tensor, values: np.ndarray) -> int:
        largest = max(int(np.abs(each.astype(np.int64)).max()) for each in (values, _data(old)))
        if largest > INT32_MAX or is_cut_off(_data(old)):
            raise ValueError(f"{old.name} has a bias of {largest} or more steps; expected 32 bits to hold it")
        if sum(old.index in op.inputs for op in self.model.ops) == 1:
            self.graph.tensors[old.index].buffer = add_buffer(self.becomes, values.astype(np.int32).tobytes())
            return old.index
        quantization = self.graph.tensors[old.index].quantization
        return self._tensor(old.name, old.shape, schema.TensorType.INT32, quantization, values.astype(np.int32))

    def _pad(self, op: Op, target: Any) -> None:
        """Put a PADV2 with −128 before a convolution that would pad with its zero point."""
        source, output, kernel = (self.model.tensors[index] for index in (op.inputs[0], op.outputs[0], op.inputs[1]))
        pads = [
            _same_padding(
                source.shape[i],
                output.shape[i],
                (kernel.shape[i] - 1) * op.options["dilation"][i - 1] + 1,
                op.options["stride"][i - 1],
            )
            for i in (1, 2)
            if op.options["padding"] == "SAME"
        ]
        if not np.any(pads):
            return
        padded = self._padded(source, pads, LOWEST)
        self.moved.add(padded)
        target.inputs = [padded, *target.inputs[1:]]
        target.builtinOptions.padding = schema.Padding.VALID

    def _mean(self, op: Op, target: Any) -> None:
        """Average rows of a constant with the map, which take 128 steps off; the softmax makes up for the division."""
        source, output = self.model.tensors[op.inputs[0]], self.model.tensors[op.outputs[0]]
        more, scale = _more_rows(source.shape[1], output)
        ratio = (source.shape[1] + more) / source.shape[1]
        constant = LOWEST * scale * (source.shape[1] + more) / (more * source.scale[0])
        if constant < LOWEST or not constant.is_integer():
            raise ValueError(f"{output.name} has no constant to average with: {constant}; expected an int8")
        if any(source.zero_point):
            raise ValueError(f"{source.name} is averaged and has zero point {source.zero_point[0]}; expected 0")
        if {each.name for each in self.model.ops if output.index in each.inputs} != {"SOFTMAX"}:
            raise ValueError(f"{output.name} has zero point {LOWEST} and other readers than SOFTMAX; expected it alone")
        target.inputs = [self._padded(source, [(0, more), (0, 0)], int(constant)), *target.inputs[1:]]
        self.graph.tensors[output.index].quantization.scale = np.array([scale], np.float32)
        self.ratio[output.index] = ratio

    def _padded(self, source: Tensor, pads: list[tuple[int, int]], value: int) -> int:
        """Append a PADV2 of height and width; return what it writes."""
        shape = (1, source.shape[1] + sum(pads[0]), source.shape[2] + sum(pads[1]), source.shape[3])
        quantization = self.graph.tensors[source.index].quantization
        name = f"{_maker(source.name)}_padded"
        padded = self._tensor(f"{name}/PadV2", shape, schema.TensorType.INT8, quantization)
        amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
        step = schema.OperatorT()
        step.inputs = [
            source.index,
            self._tensor(f"{name}/paddings", (4, 2), schema.TensorType.INT32, None, amounts),
            self._constant(source.index, value),
        ]
        step.outputs = [padded]
        self._become_padv2(step)
        self.graph.operators.append(step)
        return padded

    def _become_padv2(self, target: Any) -> None:
        target.opcodeIndex = operator_code(self.becomes, schema.BuiltinOperator.PADV2, version=2)
        target.builtinOptionsType = schema.BuiltinOptions.PadV2Options
        target.builtinOptions = schema.PadV2OptionsT()

    def _constant(self, like: int, value: int) -> int:
        """Add a scalar on the scale of a tensor."""
        tensor = self.graph.tensors[like]
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = tensor.quantization.scale, np.zeros(1, np.int64)
        name = f"{_maker(name_text(tensor.name))}_padded/value"
        return self._tensor(name, (), schema.TensorType.INT8, quantization, np.array([value], np.int8))

    def _tensor(
        self, name: str, shape: tuple[int, ...], kind: int, quantization: Any, data: np.ndarray | None = None
    ) -> int:
        """Add a tensor, a constant if it has data; return its index."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = quantization.scale
            tensor.quantization.zeroPoint = quantization.zeroPoint
            tensor.quantization.quantizedDimension = quantization.quantizedDimension
        if data is not None:
            tensor.buffer = add_buffer(self.becomes, data.tobytes())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _more_rows(rows: int, output: Tensor) -> tuple[int, float]:
    """Return n and the power of two that a mean's scale is (rows + n) / rows of, 1 ≤ n ≤ rows."""
    scale = output.scale[0]
    power = 2.0 ** (math.ceil(math.log2(scale * (1 - FLOAT32))) - 1)
    more = round((scale / power - 1) * rows)
    if not 1 <= more <= rows or abs(power * (rows + more) / rows / scale - 1) > FLOAT32:
        raise ValueError(f"{output.name} has scale {scale}; expected a power of two times 1 + n / {rows}")
    return more, power


def is_cut_off(bias: np.ndarray) -> bool:
    """Whether an int32 bias holds what the converter writes in place of larger ones."""
    return bool(np.any(np.abs(bias.astype(np.int64)) >= INT32_MAX))


def _data(tensor: Tensor) -> np.ndarray:
    if tensor.data is None:
        raise ValueError(f"{tensor.name} is computed; expected a constant")
    return np.asarray(tensor.data)


def _maker(name: str) -> str:
    """Return the Keras layer a tensor is named after, as `converters.tflite.reader.layer_names` does."""
    parts = name.split(";")[0].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def _same_padding(size: int, outputs: int, span: int, stride: int) -> tuple[int, int]:
    """Return TFLite's padding before and after: the odd one comes after."""
    total = max((outputs - 1) * stride + span - size, 0)
    return total // 2, total - total // 2
