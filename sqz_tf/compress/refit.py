"""Fit the biases again: what rounding shifts a channel by on the average is taken back, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from converters.tflite.reader import Op
from sqz_tf.compress.graph import activated, linear, on_steps
from sqz_tf.compress.network import Network, kernel_of
from sqz_tf.compress.rounding import Rounded
from sqz_tf.parity.artifacts import spread
from sqz_tf.quantize.rounding import mean_shift
from sqz_tf.train.keras import tf

PICTURES, FEWEST = 96, 8  # whose maps of both networks are held at once
LARGEST_MAPS = 1 << 29  # bytes of the largest map of all these pictures


def refitted(network: Network, layers: Mapping[int, Rounded], images: np.ndarray) -> dict[int, Rounded]:
    """Return layers whose biases leave no mean difference from float, layer by layer from the input on.

    Args:
      images: uint8 [N, H, W, C]; at most `PICTURES` are used, evenly spread.
    """
    graph, found = network.graph, dict(layers)
    largest = 4 * max(graph.model.tensors[op.outputs[0]].size for op in graph.model.ops)
    count = max(FEWEST, min(PICTURES, LARGEST_MAPS // largest))
    chosen = images[spread(len(images), count)]
    exact: dict[int, Any] = {graph.model.inputs[0]: tf.constant(network.numbers(chosen))}
    rounded = dict(exact)
    for op in graph.model.ops:
        target = op.outputs[0]
        if op.index in graph.weights:
            weights, layer = graph.weights[op.index], layers[op.index]
            kernel = kernel_of(network, op.index, layer.integers * layer.steps[:, None])
            a = linear(op, exact[op.inputs[0]], tf.constant(weights.kernel), tf.constant(weights.bias))
            b = linear(op, rounded[op.inputs[0]], tf.constant(kernel), tf.constant(layer.bias, tf.float32))
            shift = _shift(op, a, b)
            found[op.index] = replace(layer, bias=layer.bias - shift.numpy().astype(np.float64))
            exact[target], off = activated(op, a), activated(op, b - shift)
        else:
            exact[target], off = (graph.computed(op, values, {}) for values in (exact, rounded))
        rounded[target] = on_steps(op, off, network.ranges)
        for index in op.inputs:
            if not any(index in later.inputs for later in graph.model.ops[op.index + 1 :]):
                exact.pop(index, None)
                rounded.pop(index, None)
    return found


def _shift(op: Op, exact: Any, found: Any) -> Any:
    """Return what to take off each channel of a layer's output before its activation."""
    channels = exact.shape[-1]
    exact, found = (tf.reshape(each, (-1, 1, 1, channels)) for each in (exact, found))
    if op.options.get("fused_activation", "NONE") == "NONE":
        return tf.reduce_mean(found - exact, axis=(0, 1, 2))
    return mean_shift(exact, found)
