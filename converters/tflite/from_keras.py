"""Keras models to `.tflite` bytes, and the checks that nothing in them is left in floating point or was rescaled.

The caller chooses Keras 2 (`TF_USE_LEGACY_KERAS=1`) before TensorFlow is first imported.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite.reader import (
    CONVOLUTIONS,
    Model,
    Op,
    Tensor,
    layer_names,
    match_layers,
    non_integer_tensors,
    read_model,
)
from converters.tflite.saturation import FLOAT32, is_cut_off
from converters.tflite.writer import normalised


def float_model(keras_model: Any) -> bytes:
    """Convert a functional or Sequential Keras model to float32.

    Returns:
      `.tflite` bytes with batch 1; the same model gives the same bytes.

    Raises:
      ValueError: TensorFlow cannot convert it.
    """
    return _convert(keras_model)


def integer_model(keras_model: Any, representative: Iterable[np.ndarray] | None = None) -> bytes:
    """Convert a Keras model to int8, inputs and outputs included.

    Args:
      keras_model: functional; after quantization-aware training (TF-MOT), or a float model with `representative`.
      representative: float32 inputs [N, H, W, C] or [H, W, C] for post-training quantization; kept in memory.

    Returns:
      `.tflite` bytes with batch 1; the same model gives the same bytes. `verify_integer` says whether
      everything became integer.

    Raises:
      ValueError: TensorFlow cannot convert it.
    """
    import tensorflow as tf

    samples = None if representative is None else [_batch(sample) for sample in representative]

    def ask(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        if samples is not None:
            # With this set and no samples the converter refuses a QAT model.
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: ([sample] for sample in samples)

    return _convert(keras_model, ask)


def _batch(sample: np.ndarray) -> np.ndarray:
    sample = np.asarray(sample, np.float32)
    return sample[None] if sample.ndim == 3 else sample


def _convert(keras_model: Any, ask: Callable[[Any], None] = lambda converter: None) -> bytes:
    import tensorflow as tf

    try:
        with _silence(), tempfile.TemporaryDirectory(prefix="sqz-tf-") as folder:
            _save(keras_model, folder)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            ask(converter)
            data = converter.convert()
    except Exception as error:  # the converter raises many kinds, some of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"TensorFlow cannot convert the model: {lines[0]}") from error
    return normalised(bytes(data))


def _save(keras_model: Any, folder: str) -> None:
    """Save what computes the outputs, as a SavedModel.

    `TFLiteConverter.from_keras_model` saves each layer with functions of its own, too, which a conversion does not read
    and which takes two to four times as long.
    """
    import tensorflow as tf

    names, tensors = keras_model.input_names, keras_model.inputs
    if tensors is None:
        raise ValueError("its inputs are not fixed; expected a functional or Sequential model")
    specs = [tf.TensorSpec(each.shape, each.dtype, name) for name, each in zip(names, tensors, strict=True)]

    def serve(*inputs: Any) -> dict[str, Any]:
        outputs = tf.nest.flatten(keras_model(inputs[0] if len(inputs) == 1 else list(inputs), training=False))
        return dict(zip(keras_model.output_names, outputs, strict=True))

    module = tf.Module()
    module.kept = keras_model.variables
    signature = tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()
    tf.saved_model.save(module, folder, signatures=signature)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Send what the converter says, in Python and in C++, to nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in (1, 2):
                os.dup2(sink.fileno(), number)
            with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
                yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def verify_integer(data: bytes, allowed_ops: Iterable[str]) -> None:
    """Check that a `.tflite` computes in integers only, with no op that was not expected.

    Args:
      data: `.tflite` bytes.
      allowed_ops: operator names, as in `Model.op_names`.

    Raises:
      ValueError: a tensor is not of an integer type, an op is not among `allowed_ops`, a convolution's bias does not
        fit 32 bits, or a QUANTIZE stands next to a CONCATENATION (its inputs and output have different scales).
    """
    model = read_model(data)
    for tensor in non_integer_tensors(model):
        raise ValueError(f"tensor {tensor.index} ({tensor.name!r}) is {tensor.dtype}; expected integers everywhere")
    allowed = set(allowed_ops)
    for op in model.ops:
        if op.name not in allowed:
            raise ValueError(
                f"op {op.index} ({_output(model, op)}) is {op.name}; expected {', '.join(sorted(allowed))}"
            )
    _verify_biases(model)
    _verify_concatenations(model)


def _verify_biases(model: Model) -> None:
    for op in model.ops:
        for tensor in (model.tensors[index] for index in op.inputs[2:] if op.name in CONVOLUTIONS and index >= 0):
            if tensor.data is not None and is_cut_off(tensor.data):
                raise ValueError(
                    f"tensor {tensor.index} ({tensor.name!r}) has a bias cut off at 32 bits; expected less"
                )


def _verify_concatenations(model: Model) -> None:
    makers = {index: op for op in model.ops for index in op.outputs}
    for op in model.ops:
        for index in op.inputs:
            maker = makers.get(index)
            if maker and {op.name, maker.name} == {"QUANTIZE", "CONCATENATION"}:
                raise ValueError(
                    f"op {maker.index} ({maker.name}) feeds op {op.index} ({op.name}, {_output(model, op)}); "
                    "expected every input of a concatenation to have its output's scale"
                )


@dataclass(frozen=True)
class Scales:
    """The scales that a network was trained with.

    Attributes:
      input: of the input.
      outputs: layer → of its output; layers that only move values (pooling, padding) may be left out.
      kernels: convolution → of its weights, one or one for each output channel.
    """

    input: float
    outputs: Mapping[str, float]
    kernels: Mapping[str, Sequence[float]]


def verify_fixed_point(data: bytes, expected: Scales) -> None:
    """Check that each scale of a `.tflite` is an exact power of two, each zero point 0, and nothing was rescaled.

    The output of SOFTMAX is exempt: TFLite fixes it.

    Args:
      data: `.tflite` bytes.
      expected: what the scales must be. A bias has the product of its input's and its weights'.

    Raises:
      ValueError: a tensor is otherwise; names it.
    """
    model = read_model(data)
    wanted = _wanted_scales(model, expected)
    fixed = {index for op in model.ops if op.name == "SOFTMAX" for index in op.outputs}
    for tensor in sorted(model.tensors, key=lambda tensor: tensor.data is not None):  # a bias has its input's fault
        if tensor.scale and tensor.index not in fixed:
            _verify_tensor(tensor, wanted.get(tensor.index))


_MOVES_VALUES = ("MAX_POOL_2D", "PAD", "PADV2", "RESHAPE")


def _wanted_scales(model: Model, expected: Scales) -> dict[int, tuple[float, ...]]:
    """Return tensor index → scales, following the graph from its input."""
    wanted: dict[int, tuple[float, ...]] = dict.fromkeys(model.inputs, (expected.input,))
    names = dict(enumerate(layer_names(model)))
    names |= {index: name for name, index in match_layers(model, expected.kernels).items()}
    for op in model.ops:
        name, source = names[op.index], wanted.get(op.inputs[0], ())
        if name in expected.kernels:
            kernel = tuple(expected.kernels[name])
            wanted[op.inputs[1]] = kernel
            wanted[op.inputs[2]] = tuple(scale * first for scale in kernel for first in source)
        if name in expected.outputs:
            wanted[op.outputs[0]] = (expected.outputs[name],)
        elif op.name in _MOVES_VALUES:
            wanted[op.outputs[0]] = source
            wanted |= dict.fromkeys(op.inputs[2:], source)  # what PADV2 pads with
        elif op.name == "SOFTMAX" and source and op.options["beta"] != 1:
            wanted[op.inputs[0]] = tuple(_over_beta(scale, op.options["beta"]) for scale in source)
    return wanted


def _over_beta(scale: float, beta: float) -> float:
    """Return the scale that times `beta`, a float32, is what the network was trained with."""
    found = scale / beta
    power = 2.0 ** round(math.log2(found))
    return power if abs(found / power - 1) < FLOAT32 else found


def _verify_tensor(tensor: Tensor, scales: tuple[float, ...] | None) -> None:
    what = f"tensor {tensor.index} ({tensor.name!r})"
    for scale in tensor.scale:
        if math.frexp(scale)[0] != 0.5:
            raise ValueError(f"{what} has scale {scale!r}; expected an exact power of two")
    if any(tensor.zero_point):
        raise ValueError(f"{what} has zero point {next(filter(None, tensor.zero_point))}; expected 0")
    if scales is None:
        raise ValueError(f"{what} belongs to no layer whose scale is known")
    if tensor.scale != scales:
        pairs = zip(tensor.scale, scales, strict=False)
        found, wanted = next((pair for pair in pairs if pair[0] != pair[1]), (len(tensor.scale), len(scales)))
        raise ValueError(f"{what} has scale {found!r}; the network was trained with {wanted!r}")


def _output(model: Model, op: Op) -> str:
    return model.tensors[op.outputs[0]].name.split(";")[0] if op.outputs else "no output"
