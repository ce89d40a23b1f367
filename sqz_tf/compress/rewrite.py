"""Put rounded layers into an int8 `.tflite`: integers, scales and biases; nothing else of the file changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from converters.tflite.edit import add_buffer, drop_unused_buffers, pack, unpack
from converters.tflite.reader import read_model
from converters.tflite.writer import ACCURACY_FILE, read_attached, with_attached
from sqz_tf.base.errors import ConversionError
from sqz_tf.compress.graph import SOFTMAX, as_stored
from sqz_tf.compress.rounding import Rounded

BIAS_STEP = 1 / 16  # of a step of the layer's output; at a quarter the divergence grew by a tenth
LARGEST_BIAS = 1 << 30


def rewritten(content: bytes, layers: Mapping[int, Rounded]) -> bytes:
    """Return the model with other weights; what was appended to it (labels, preprocessing) is kept but its accuracy.

    Args:
      content: int8 `.tflite`.
      layers: operator → its layer.

    Raises:
      ConversionError: a bias does not fit.
    """
    ops = read_model(content).ops
    model = unpack(content)
    graph = model.subgraphs[0]
    for index, layer in layers.items():
        op = graph.operators[index]
        _own_constants(graph, op)
        data, kernel, bias = (graph.tensors[each] for each in op.inputs[:3])
        scales = layer.steps[: len(kernel.quantization.scale)].astype(np.float32)
        _put(model, kernel, np.ascontiguousarray(as_stored(ops[index], layer.integers), np.int8), scales)
        units = np.float64(data.quantization.scale[0]) * scales.astype(np.float64)
        values = _bias_integers(layer.bias, units, float(graph.tensors[op.outputs[0]].quantization.scale[0]))
        _put(model, bias, values, units.astype(np.float32))
    drop_unused_buffers(model)
    attached = {name: data for name, data in read_attached(content).items() if name != ACCURACY_FILE}
    return with_attached(pack(model), attached) if attached else pack(model)


def _own_constants(graph: Any, op: Any) -> None:
    """Give a layer weights and a bias of its own: equal ones of two layers are stored once."""
    op.inputs = [int(index) for index in op.inputs]
    for place in (1, 2):
        index = op.inputs[place]
        if sum(index in each.inputs for each in graph.operators) > 1:
            graph.tensors.append(copy.deepcopy(graph.tensors[index]))
            op.inputs[place] = len(graph.tensors) - 1


def _bias_integers(bias: np.ndarray, units: np.ndarray, output_scale: float) -> np.ndarray:
    """Return biases in units of their scales, int32 [O], whole multiples of a power of two of them.

    A sixteenth of a step of the output is fine enough; the zeros behind it cost a pack nothing.
    """
    enough = np.floor(np.log2(output_scale * BIAS_STEP))
    coarse = np.exp2(np.maximum(0, enough - np.floor(np.log2(units))))
    values = np.round(bias / (units * coarse)) * coarse
    if np.abs(values).max() > LARGEST_BIAS:
        raise ConversionError(
            f"a bias of {bias[np.abs(values).argmax()]:.3g} does not fit its scale of {units.min():.3g}",
            fix="pack it with --lossless",
        )
    return values.astype("<i4")


def _put(model: Any, tensor: Any, values: np.ndarray, scales: np.ndarray) -> None:
    tensor.buffer = add_buffer(model, values.tobytes())
    tensor.quantization.scale = scales
    tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)


def without_softmax(content: bytes) -> bytes:
    """Return the model without its last operator if that is a softmax: its output is the logits."""
    if read_model(content).ops[-1].name != SOFTMAX:
        return content
    model = unpack(content)
    graph = model.subgraphs[0]
    graph.outputs = [graph.operators[-1].inputs[0]]
    del graph.operators[-1]
    model.signatureDefs = None
    return pack(model)
