"""Round kernels weight by weight, with a view of what each rounding costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sqz_tf.base.pixels import Range
from sqz_tf.quantize.aware import (
    Kernels,
)
from sqz_tf.quantize.equalise import convolve, fake_quantize, layers
from sqz_tf.quantize.schemes.grid import SMALLEST_CHANNEL, Grid
from sqz_tf.train.keras import tf

CORRECTION_IMAGES = 96


MOMENT_ROWS = 40_000


NEWTON_STEPS = 3


RARELY = 0.05  # share of active positions below which a channel's mean says little


DAMPING = 0.01  # of the inputs' mean power, on the diagonal


def round_and_correct(model: Any, ranges: dict[str, Range], input_range: Range, grid: Grid, x: np.ndarray) -> Kernels:
    """Round every kernel and correct every bias, in place, layer by layer from the input on.

    The float and the quantized network run on `x` side by side, the quantized one on its own corrected values.

    Returns:
      The magnitude of integer 127 in each kernel.
    """
    bounds: Kernels = {}
    exact: dict[str, Any] = {model.layers[0].name: tf.constant(x)}
    quantized = {model.layers[0].name: fake_quantize(x, *input_range)}
    uses = {layer.name: len(layer.outbound_nodes) for layer in model.layers}
    for layer in model.layers[1:]:
        sources = tf.nest.flatten(layer.inbound_nodes[0].inbound_layers)
        inputs = [[values[part.name] for part in sources] for values in (exact, quantized)]
        if isinstance(layer, layers.Conv2D):
            a, b, bounds[layer.name] = _round_layer(layer, inputs[0][0], inputs[1][0], grid)
        else:
            a, b = (layer(values if len(values) > 1 else values[0]) for values in inputs)
        exact[layer.name] = a
        quantized[layer.name] = fake_quantize(b, *ranges[layer.name]) if layer.name in ranges else b
        for part in sources:
            uses[part.name] -= 1
            if not uses[part.name]:
                del exact[part.name], quantized[part.name]
    return bounds


def _round_layer(layer: Any, exact: Any, quantized: Any, grid: Grid) -> tuple[Any, Any, np.ndarray]:
    """Round a convolution and correct its bias; return its float and its quantized output, and the kernel's bound."""
    kernel, bias = layer.get_weights()
    moments = _second_moments(quantized, layer)
    with threadpool_limits(1, "blas"):  # whose sums depend on the number of threads, and that on the processors
        rounded, bound = round_on_grid(kernel, moments, grid)
    a = convolve(exact, layer, kernel) + bias
    b = convolve(quantized, layer, rounded) + bias
    shift = mean_shift(a, b)
    layer.set_weights([rounded, bias - shift.numpy()])
    return layer.activation(a), layer.activation(b - shift), bound


def round_on_grid(kernel: np.ndarray, moments: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel [H, W, I, O] as `round_kernel` rounds it, and the magnitude of integer 127 in it, [O] or [].

    With powers of two, half and twice `grid.bound` are tried, too: that is the best for rounding to nearest, and other
    weights can make up for what is cut off one as well as for what is rounded off.
    """
    bound = grid.bound(kernel)
    smallest = np.float32(np.max(bound) * SMALLEST_CHANNEL)  # so that biases stay within 32 bits
    bounds = np.stack([np.maximum(bound * np.float32(factor), smallest) for factor in grid.bound_factors])
    rounded = np.stack([round_kernel(kernel, moments, each) for each in bounds])
    errors = (kernel - rounded).reshape(len(rounded), -1, kernel.shape[-1]).astype(np.float64)
    costs = (errors * (moments @ errors)).sum(1)  # of each output channel
    if not grid.per_channel:
        best = int(costs.sum(1).argmin())
        return rounded[best], bounds[best]
    channels = np.arange(kernel.shape[-1])
    best = costs.argmin(0)
    return np.moveaxis(rounded[best, ..., channels], 0, -1), bounds[best, channels]


def mean_shift(exact: Any, found: Any) -> Any:
    """Return what to take off each channel of `found` so that its mean after ReLU is that of `exact`.

    Newton's method from the mean difference before ReLU; channels that are almost never active stay there.
    """
    shift = tf.reduce_mean(found - exact, axis=(0, 1, 2))
    wanted = tf.reduce_mean(tf.nn.relu(exact), axis=(0, 1, 2))
    for _ in range(NEWTON_STEPS):
        active = tf.reduce_mean(tf.cast(found > shift, tf.float32), axis=(0, 1, 2))
        excess = tf.reduce_mean(tf.nn.relu(found - shift), axis=(0, 1, 2)) - wanted
        shift += excess / tf.maximum(active, RARELY)
    return shift


def _second_moments(values: Any, layer: Any) -> np.ndarray:
    """Return the mean of x·xᵀ over the patches x a convolution sees, float64 [H·W·I, H·W·I].

    Each picture is scaled to the same power, so that none decides alone.
    """
    height, width = layer.kernel_size
    patches = tf.image.extract_patches(
        values, (1, height, width, 1), (1, *layer.strides, 1), (1, 1, 1, 1), layer.padding.upper()
    )
    patches /= tf.sqrt(tf.reduce_mean(tf.square(patches), axis=(1, 2, 3), keepdims=True) + 1e-12)
    rows = tf.reshape(patches, (-1, patches.shape[-1]))
    rows = rows[:: max(1, rows.shape[0] // MOMENT_ROWS)]
    return (tf.matmul(rows, rows, transpose_a=True) / rows.shape[0]).numpy().astype(np.float64)


def round_kernel(kernel: np.ndarray, moments: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return the kernel on its int8 grid, rounded so that the layer's output changes little.

    Weights are taken in the order of falling input power; the rounding error of one is spread over those that
    follow by the Cholesky factor of the inverse moments (Frantar et al. 2023, algorithm 1). A weight at ±127 or
    beyond stays there, so that the largest keeps the scale where it follows the weights; zeros stay zeros.

    Args:
      kernel: float32 [H, W, I, O].
      moments: float64 [H·W·I, H·W·I].
      bound: magnitude of integer 127, [O] or [].
    """
    weights = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    scale = np.broadcast_to(bound.astype(np.float64) / 127, weights.shape[-1:])
    order = np.argsort(-np.diag(moments), kind="stable")
    damped = moments[np.ix_(order, order)] + np.eye(len(order)) * (DAMPING * np.diag(moments).mean() + 1e-12)
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, kept = weights[order], weights[order]
    anchor = np.abs(kept) >= 126.999 * scale
    result = np.zeros_like(left)
    for i in range(len(left)):
        levels = np.clip(np.round(left[i] / scale), -127, 127)
        levels = np.where(anchor[i], np.sign(kept[i]) * 127, np.where(kept[i] == 0, 0, levels))
        result[i] = levels * scale
        left[i + 1 :] -= np.outer(spread[i, i + 1 :], (left[i] - result[i]) / spread[i, i])
    rounded = np.empty_like(weights)
    rounded[order] = result
    return rounded.reshape(kernel.shape).astype(np.float32)
