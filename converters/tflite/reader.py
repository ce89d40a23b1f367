"""Read a `.tflite` file into frozen values and answer questions about it, without TensorFlow.

What `read_model` returns can be used without further care; a damaged file is a ValueError that says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from converters.tflite.flatbuffer import Unread, check
from converters.tflite.model import INTEGER_DTYPES, Model, Op, Tensor
from converters.tflite.parse import read_model

__all__ = [
    "Model",
    "Op",
    "Tensor",
    "Unread",
    "layer_names",
    "macs",
    "match_layers",
    "non_integer_tensors",
    "read_model",
    "weight_zero_fraction",
    "weights_of",
    "zero_fraction",
]


def macs(model: Model) -> int:
    """Count multiply-accumulates of one inference: convolutions, depthwise convolutions, fully connected layers.

    Raises:
      ValueError: a layer's shapes do not fit together.
    """
    return sum(_op_macs(model, op) for op in model.ops)


def _op_macs(model: Model, op: Op) -> int:
    if op.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights, output = weights_of(model, op), model.tensors[op.outputs[0]]
    per_output = weights.shape[1:] if op.name != "DEPTHWISE_CONV_2D" else weights.shape[1:3]
    return output.size * math.prod(per_output)


_WEIGHT_RANK = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4, "FULLY_CONNECTED": 2}


def weights_of(model: Model, op: Op) -> Tensor:
    """Return the weights of a convolution (OHWI), depthwise convolution (1HWC) or fully connected layer (OI).

    Raises:
      ValueError: the op has no weights, or of another rank.
    """
    rank = _WEIGHT_RANK.get(op.name)
    check(rank is not None, f"op {op.index} ({op.name}) has no weights")
    weights = model.tensors[op.inputs[1]]
    check(len(weights.shape) == rank, f"op {op.index} ({op.name}) has weights {weights.shape}, expected rank {rank}")
    return weights


def non_integer_tensors(model: Model) -> list[Tensor]:
    """Return the tensors whose dtype is not an integer type."""
    return [tensor for tensor in model.tensors if tensor.dtype not in INTEGER_DTYPES]


def weight_zero_fraction(model: Model, names: Iterable[str] | None = None) -> dict[str, float]:
    """Return the fraction of weights with q == zero_point of each CONV_2D with an int8 kernel.

    Args:
      model: the model.
      names: the layers' names, as for `match_layers`; without it `layer_names` are the keys.

    Returns:
      Layer name → fraction in [0, 1], in execution order.
    """
    if names is None:
        named = dict(zip(layer_names(model), range(len(model.ops)), strict=True))
    else:
        named = match_layers(model, names)
    convolutions = {name: model.ops[index] for name, index in named.items() if model.ops[index].name == "CONV_2D"}
    kernels = {name: weights_of(model, op) for name, op in convolutions.items()}
    return {name: zero_fraction(kernel) for name, kernel in kernels.items() if kernel.dtype == "int8"}


def zero_fraction(tensor: Tensor) -> float:
    """Return the fraction of a constant's values that stand for 0.0.

    Raises:
      ValueError: the tensor is not a constant.
    """
    check(tensor.data is not None, f"tensor {tensor.index} ({tensor.name!r}) is not a constant")
    assert tensor.data is not None
    zero_point = np.asarray(tensor.zero_point or (0,), np.int64)
    if tensor.per_channel:
        shape = [1] * len(tensor.shape)
        shape[tensor.quantized_dimension] = -1
        zero_point = zero_point.reshape(shape)
    return float(np.mean(tensor.data == zero_point)) if tensor.size else 0.0


# Names. The converter calls a tensor after the Keras operations fused into it, joined by `;`, for instance
# `model/quant_fire2_expand1x1/Relu;model/quant_fire2_expand1x1/BiasAdd;...`; equal constants are merged.

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")


def _unwrapped(part: str) -> str:
    for prefix in _WRAPPERS:
        part = part.removeprefix(prefix)
    return part


def layer_names(model: Model) -> list[str]:
    """Return one readable, distinct name for each op: the Keras layer its output is named after.

    An output without such a name (`output`, `StatefulPartitionedCall:0`) is called after its operator.
    """
    taken: dict[str, None] = {}
    following: dict[str, int] = {}  # name → the number to try next; lower ones are taken
    for op in model.ops:
        name = candidate = _layer_name(model, op)
        while candidate in taken:
            number = following.get(name, 2)
            following[name], candidate = number + 1, f"{name}_{number}"
        taken[candidate] = None
    return list(taken)


def _layer_name(model: Model, op: Op) -> str:
    output = model.tensors[op.outputs[0]].name if op.outputs else ""
    parts = output.split(";")[0].split("/")
    return _unwrapped(parts[-2]) if len(parts) >= 2 else op.name.lower()


def match_layers(model: Model, names: Iterable[str]) -> dict[str, int]:
    """Find the convolution (CONV_2D or DEPTHWISE_CONV_2D) that each named Keras layer became.

    A layer is recognised by its name as a whole part of the path in the names of the op's output, weights or
    bias, in this order (equal weights of two layers are stored once, under one layer's name).

    Args:
      model: the model.
      names: every convolution layer's name, without `quant_`.

    Returns:
      Name → op index, in execution order.

    Raises:
      ValueError: a name has no convolution, a convolution has no name, or the names do not decide.
    """
    wanted = list(names)
    candidates = {op.index: _candidates(model, op, wanted) for op in model.ops if op.name in CONVOLUTIONS}
    found: dict[str, int] = {}
    while candidates:
        index = min(candidates, key=lambda index: len(candidates[index]))
        check(len(candidates[index]) == 1, _unmatched(model, index, candidates[index]))
        (name,) = candidates.pop(index)
        check(name not in found, f"two convolutions are named after layer {name!r}")
        found[name] = index
        for others in candidates.values():
            if len(others) > 1 and name in others:
                others.remove(name)
    missing = [name for name in wanted if name not in found]
    check(not missing, f"no convolution in the .tflite is named after layer {', '.join(map(repr, missing))}")
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _unmatched(model: Model, index: int, candidates: Sequence[str]) -> str:
    op = model.ops[index]
    what = f"could be any of {', '.join(candidates)}" if candidates else "matches none of the layers given"
    return f"op {index} ({op.name}, output {model.tensors[op.outputs[0]].name!r}) {what}"


def _candidates(model: Model, op: Op, names: Sequence[str]) -> list[str]:
    """Return the names an op may stand for, the fewest that its output's, weights' and bias's names allow."""
    best: list[str] = []
    for index in (op.outputs[0], *op.inputs[1:]):
        here = [name for name in names if index >= 0 and _mentions(model.tensors[index].name, name)]
        both = [name for name in here if name in best]
        best = both or best or here
    # Of `a/b` and `b`, both parts of a path, the longer is meant.
    return [name for name in best if not any(name != other and f"/{other}/".endswith(f"/{name}/") for other in best)]


def _mentions(tensor_name: str, layer: str) -> bool:
    paths = tensor_name.split(";")
    plain = ["/".join(_unwrapped(part) for part in path.split("/")) for path in paths]
    return any(f"/{layer}/" in f"/{path}/" for path in (*paths, *plain))
