"""Models with few different weights, most of them 0, as a compressor of weights leaves them."""

from __future__ import annotations

import numpy as np

from converters.tflite import edit

WEIGHTED = (3, 4)  # CONV_2D, DEPTHWISE_CONV_2D


def coarse(model: bytes, seed: int = 0) -> bytes:
    """Return a model whose convolutions have weights that are multiples of a large step, from layer to layer another.

    Scales and biases stay, so what the layers compute changes and still fills their ranges.
    """
    rng, form = np.random.default_rng(seed), edit.unpack(model)
    graph = form.subgraphs[0]
    for op in graph.operators:
        if form.operatorCodes[op.opcodeIndex].builtinCode in WEIGHTED:
            buffer = form.buffers[graph.tensors[op.inputs[1]].buffer]
            weights = np.frombuffer(bytes(bytearray(buffer.data)), np.int8).astype(np.int16)
            step = int(rng.integers(20, 90))
            buffer.data = np.frombuffer(
                (weights // step * step * (abs(weights) > step)).astype(np.int8).tobytes(), np.uint8
            )
    return edit.pack(form)
