"""Layer by layer: the first that differs, and each one's quantization noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite.reader import Model, Op, Tensor, layer_names, read_model
from sqz_tf.base.pixels import to_int8
from sqz_tf.inference import interpreters
from sqz_tf.inference.interpreters import Result
from sqz_tf.parity.artifacts import Artifacts, as_float

SQNR_LIMIT_DB = 200.0


INT8_STEPS_BELOW_0 = 128


MOVES_VALUES = ("CONCATENATION", "MAX_POOL_2D", "PAD", "PADV2")


Activations = dict[str, np.ndarray]


def first_bad_layer(reference: bytes, ours: Result, candidate: bytes, theirs: Result) -> str | None:
    """Return the first layer, in the reference's order, whose bytes differ; None if none does."""
    candidates = layer_outputs(candidate)
    for name, index in layer_outputs(reference).items():
        if name in candidates and index in ours.tensors and candidates[name] in theirs.tensors:
            left, right = ours.tensors[index], theirs.tensors[candidates[name]]
            if not np.array_equal(signed(left), signed(right)):
                return name
    return None


def layer_outputs(model: bytes) -> dict[str, int]:
    """Return layer name → tensor index of its output, in the order the layers run."""
    graph = read_model(model)
    return {name: op.outputs[0] for name, op in zip(layer_names(graph), graph.ops, strict=True)}


def signed(values: np.ndarray) -> np.ndarray:
    """Return int8 values, or uint8 values less 128, in a type that holds their differences."""
    return values.astype(np.int32) - (128 if values.dtype == np.uint8 else 0)


def layer_sqnr(artifacts: Artifacts, images: np.ndarray) -> dict[str, Any]:
    """Measure each layer's quantization noise: 10 log10(sum x² / sum (x - x̂)²), x float, x̂ dequantized int8.

    Args:
      images: uint8 [N, h, w, c].

    Returns:
      `layers`: layer → decibels, within ±200 (200: no noise at all); `worst`: the name of the lowest.
    """
    floats = activations_of(artifacts.float_model, as_float(images, artifacts.preprocess))
    integers = activations_of(artifacts.int8_model, to_int8(images), _meanings(artifacts))
    layers = {name: sqnr_db(values, integers[name]) for name, values in floats.items() if name in integers}
    return {"layers": layers, "worst": min(layers, key=lambda name: layers[name], default=None)}


def sqnr_db(signal: np.ndarray, approximation: np.ndarray) -> float:
    """Return the signal-to-quantization-noise ratio in decibels, within ±200."""
    power, noise = (float(np.square(x, dtype=np.float64).sum()) for x in (signal, signal - approximation))
    if noise == 0 or power == 0:
        return SQNR_LIMIT_DB if noise == 0 else -SQNR_LIMIT_DB
    return float(np.clip(10 * np.log10(power / noise), -SQNR_LIMIT_DB, SQNR_LIMIT_DB))


@dataclass(frozen=True)
class _Meaning:
    """What a tensor's real values stand for, where `converters.tflite.saturation` moved them: (x + offset) · factor."""

    offset: float = 0.0
    factor: float = 1.0


def activations_of(model: bytes, inputs: np.ndarray, meanings: Mapping[int, _Meaning] | None = None) -> Activations:
    """Return layer name → real values of its output, float64."""
    result = interpreters.run(model, inputs, "litert-builtin", all_tensors=True, tensor_images=len(inputs))
    graph = read_model(model)
    return {
        name: _real(result.tensors[index], graph.tensor(index), (meanings or {}).get(index, _Meaning()))
        for name, index in layer_outputs(model).items()
    }


def _real(values: np.ndarray, tensor: Tensor, meaning: _Meaning) -> np.ndarray:
    if not tensor.scale:
        return values
    return ((values.astype(np.float64) - tensor.zero_point[0]) * tensor.scale[0] + meaning.offset) * meaning.factor


def _meanings(artifacts: Artifacts) -> dict[int, _Meaning]:
    """Return what tensors of the int8 model stand for: those whose ReLU is its saturation, and a mean over padding."""
    graph = read_model(artifacts.int8_model)
    found = {
        index: _Meaning(INT8_STEPS_BELOW_0 * scale)
        for index in _saturated(artifacts)
        for scale in graph.tensor(index).scale
    }
    pads = {op.outputs[0]: op for op in graph.ops if op.name == "PADV2"}
    for op in graph.ops:
        if op.name == "MEAN" and op.inputs[0] in pads:
            found[op.outputs[0]] = _padded_mean(graph, pads[op.inputs[0]])
    return found


def _padded_mean(graph: Model, pad: Op) -> _Meaning:
    """Return what a mean over a padded map says of the map itself."""
    inside, outside, constant = (graph.tensor(index) for index in (pad.inputs[0], pad.outputs[0], pad.inputs[2]))
    padding = float(np.asarray(constant.data).item()) * constant.scale[0] * (1 - inside.size / outside.size)
    return _Meaning(-padding, outside.size / inside.size)


def _saturated(artifacts: Artifacts) -> frozenset[int]:
    """Return the int8 tensors whose ReLU is the saturation of int8 (converters.tflite.saturation).

    Their convolutions have a ReLU in the float model and none in the int8 model; what only moves values passes it on.
    """
    relu = {name for name, op in _convolutions(artifacts.float_model) if op.options["fused_activation"] == "RELU"}
    plain = {
        op.outputs[0]
        for name, op in _convolutions(artifacts.int8_model)
        if name in relu and op.options["fused_activation"] == "NONE"
    }
    for op in read_model(artifacts.int8_model).ops:
        if op.name in MOVES_VALUES and op.inputs[0] in plain:
            plain.update(op.outputs)
    return frozenset(plain)


def _convolutions(model: bytes) -> Iterator[tuple[str, Op]]:
    """Yield the name and the operator of each convolution."""
    graph = read_model(model)
    names = {index: name for name, index in layer_outputs(model).items()}
    yield from ((names[op.outputs[0]], op) for op in graph.ops if op.name == "CONV_2D")
