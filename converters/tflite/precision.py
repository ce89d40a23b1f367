"""In which numbers a `.tflite` computes, told by its convolutions and fully connected layers."""

from __future__ import annotations

from converters.tflite.model import Model, Op

INT8 = "int8"
MIXED = "mixed"
KINDS = {
    "float32": "its weights and its arithmetic are float32",
    "float16": "its weights are float16 and its arithmetic is float32",
    "dynamic-range": "its weights alone are int8, what lies between its layers is float32",
    "16x8": "its weights are int8, what lies between its layers is int16",
    "uint8": "its weights are uint8, as TensorFlow 1 quantized",
}
"""What a network may be besides `INT8`, whose layers all are, and `MIXED`, whose layers differ: name → in words."""
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_FLOAT = {"float16", "dynamic-range"}
_BY_DTYPES = {("int8", "int8"): INT8, ("float32", "int8"): "dynamic-range", ("int16", "int8"): "16x8"}
_BY_DTYPES |= {("uint8", "uint8"): "uint8", ("float32", "float16"): "float16", ("float32", "float32"): "float32"}


def precision(model: Model) -> str:
    """Return `INT8`, `MIXED` or one of `KINDS`; a network without such layers goes by its input."""
    stored = {op.outputs[0]: op.inputs[0] for op in model.ops if op.name == "DEQUANTIZE" and op.outputs}
    found = {_of(model, op, stored) for op in model.ops if op.name in _LAYERS and len(op.inputs) > 1}
    if not found and model.inputs:
        found = {_BY_DTYPES.get((model.input_tensors()[0].dtype,) * 2, MIXED)}
    if found & _FLOAT and found <= _FLOAT | {"float32"}:
        found.discard("float32")  # converters leave small layers as they are
    return found.pop() if len(found) == 1 else MIXED


def _of(model: Model, op: Op, stored: dict[int, int]) -> str:
    """Return what one layer is: constants may be stored in fewer bits than they are computed in."""
    source, weights = op.inputs[:2]
    kept = model.tensors[stored.get(weights, weights)]
    return _BY_DTYPES.get((model.tensors[source].dtype, kept.dtype), MIXED)
