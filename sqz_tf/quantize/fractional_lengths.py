"""What an export with powers of two tells besides: the fractional length of each tensor, the bits of each class."""

from __future__ import annotations

import numpy as np

from converters.tflite.reader import CONVOLUTIONS, Model, Op, Tensor, layer_names
from sqz_tf.quantize.fixed_point import exact_fractional_length

Lengths = dict[str, int | list[int]]


def fractional_lengths(model: Model) -> Lengths:
    """Return fl, scale = 2^−fl, of each tensor: `input`, LAYER for its output, LAYER/kernel and LAYER/bias.

    A kernel with a scale for each output channel, and its bias, have a list. SOFTMAX, which TFLite fixes, is left out.

    Raises:
      ConversionError: a scale is no power of two.
    """
    found = {"input": _length(model.input_tensors()[0])}
    for name, op in zip(layer_names(model), model.ops, strict=True):
        if op.name != "SOFTMAX":
            found |= {f"{name}{part}": _length(tensor) for part, tensor in _tensors(model, op).items()}
    return found


def bits(model: Model) -> dict[str, int]:
    """Return how many bits the numbers of each class have, as the file's dtypes say."""
    convolution = _tensors(model, next(op for op in model.ops if op.name in CONVOLUTIONS))
    kinds = {"weights": "/kernel", "outputs": "", "biases": "/bias"}
    return {kind: 8 * np.dtype(convolution[part].dtype).itemsize for kind, part in kinds.items()}


def _tensors(model: Model, op: Op) -> dict[str, Tensor]:
    tensors = {"": model.tensors[op.outputs[0]]}
    if op.name in CONVOLUTIONS:
        tensors |= {"/kernel": model.tensors[op.inputs[1]], "/bias": model.tensors[op.inputs[2]]}
    return tensors


def _length(tensor: Tensor) -> int | list[int]:
    lengths = [exact_fractional_length(scale) for scale in tensor.scale]
    return lengths if tensor.per_channel else lengths[0]
