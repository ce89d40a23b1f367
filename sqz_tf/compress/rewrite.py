"""Put rounded layers into an int8 `.tflite`: integers, scales and biases; nothing else of the file changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from converters.tflite.edit import add_buffer, drop_unused_buffers, pack, unpack
from converters.tflite.reader import read_model
from converters.tflite.writer import read_attached, with_attached
from sqz_tf.compress.rounding import Rounded

BIAS_STEP = 1 / 16  # of a step of the layer's output; at a quarter the divergence grew by a tenth
LARGEST_BIAS = 1 << 30


def rewritten(content: bytes, layers: Mapping[int, Rounded]) -> bytes:
    """Return the model with other weights; what was appended to it (labels, preprocessing) is kept.

    Args:
      content: int8 `.tflite`.
      layers: operator → its layer.
    """
    model = unpack(content)
    graph = model.subgraphs[0]
    for index, layer in layers.items():
        op = graph.operators[index]
        data, kernel, bias = (graph.tensors[each] for each in op.inputs[:3])
        depthwise = kernel.quantization.quantizedDimension == len(kernel.shape) - 1 and len(kernel.shape) == 4
        integers = layer.integers.T if depthwise else layer.integers
        scales = layer.steps[: len(kernel.quantization.scale)].astype(np.float32)
        _put(model, kernel, np.ascontiguousarray(integers, np.int8), scales)
        units = np.float64(data.quantization.scale[0]) * scales.astype(np.float64)
        values = _bias_integers(layer.bias, units, float(graph.tensors[op.outputs[0]].quantization.scale[0]))
        _put(model, bias, values, units.astype(np.float32))
    drop_unused_buffers(model)
    attached = read_attached(content)
    return with_attached(pack(model), attached) if attached else pack(model)


def _bias_integers(bias: np.ndarray, units: np.ndarray, output_scale: float) -> np.ndarray:
    """Return biases in units of their scales, int32 [O], whole multiples of a power of two of them.

    A sixteenth of a step of the output is fine enough; the zeros behind it cost a pack nothing.
    """
    enough = np.floor(np.log2(output_scale * BIAS_STEP))
    coarse = np.exp2(np.maximum(0, enough - np.floor(np.log2(units))))
    return np.asarray(np.clip(np.round(bias / (units * coarse)) * coarse, -LARGEST_BIAS, LARGEST_BIAS), "<i4")


def _put(model: Any, tensor: Any, values: np.ndarray, scales: np.ndarray) -> None:
    tensor.buffer = add_buffer(model, values.tobytes())
    tensor.quantization.scale = scales
    tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)


def without_softmax(content: bytes) -> bytes:
    """Return the model without its last operator if that is a softmax: its output is the logits."""
    read = read_model(content)
    if read.ops[-1].name != "SOFTMAX":
        return content
    model = unpack(content)
    graph = model.subgraphs[0]
    graph.outputs = [graph.operators[-1].inputs[0]]
    del graph.operators[-1]
    model.signatureDefs = None
    return pack(model)
