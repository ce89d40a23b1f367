"""Networks whose weights are small integers, as rounding at a price leaves them."""

from __future__ import annotations

import numpy as np

from converters.tflite.edit import pack, unpack
from converters.tflite.reader import read_model


def small(model: bytes, step: int = 40) -> bytes:
    """Return an int8 network whose weights are divided by `step` and rounded: most are zero, the rest small."""
    editable = unpack(model)
    graph = editable.subgraphs[0]
    for tensor in read_model(model).tensors:
        if tensor.dtype == "int8" and tensor.data is not None:
            weights = np.rint(tensor.data / step).astype(np.int8)
            editable.buffers[graph.tensors[tensor.index].buffer].data = weights.view(np.uint8).ravel()
    return pack(editable)
