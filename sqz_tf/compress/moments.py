"""How much the network's answer depends on each weight: the Fisher information of its own predictions.

For logits z and probabilities p of a picture, J·diag(p) − p·pᵀ·J is the Hessian of the divergence KL(float ‖
changed). With random ε, v = √p∘ε − p·(√p·ε) has that middle matrix as its covariance, so gradients d of v·z are
samples whose mean outer product is the Hessian. Of a layer's gradients D [K, O] only E[D·Dᵀ] and the diagonal of
E[Dᵀ·D] are kept: a Kronecker product of what goes in and what goes out.

A few hundred pictures leave E[D·Dᵀ] noisy. It is drawn toward the sum over positions of the map of |δ|²·x·xᵀ, x
what the kernel sees there and δ what comes back (Martens and Grosse 2015, arXiv:1503.05671, as if positions had
nothing to do with each other): hundreds of samples from each picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite.reader import Op
from sqz_tf.compress.graph import DEPTHWISE, Graph
from sqz_tf.train.keras import tf

FLATTENING = 0.3  # of the mean, added to what goes out: classes that no picture shows would get nothing
TOWARD_POSITIONS = 0.7  # how far what goes in is drawn toward the sum over positions
DAMPING = 0.01  # of the mean of the diagonal

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Moments:
    """What a layer's weights matter: changing column k of row o by e costs outputs[o] · eᵀ·inputs·e / 2 nats.

    Attributes:
      inputs: float64 [K + 1, K + 1], an output channel's K weights in the order of the kernel's axes, then the bias.
      outputs: float64 [O], sum 1.
    """

    inputs: np.ndarray
    outputs: np.ndarray


def moments(
    graph: Graph, numbers: Iterator[np.ndarray], count: int, seed: int, progress: Progress
) -> dict[int, Moments]:
    """Return the moments of every weighted layer.

    Args:
      numbers: `count` pictures, float32 [1, H, W, C], in the units of the graph's input.
      seed: of ε.
      progress: told after each picture.
    """
    rng = np.random.default_rng(seed)
    classes = graph.model.output_tensors()[0].size
    sample = _sampler(graph)
    sums = {index: _Sums() for index in graph.weights}
    for done, picture in enumerate(numbers, 1):
        noise = rng.standard_normal((1, classes)).astype(np.float32)
        for index, parts in sample(tf.constant(picture), tf.constant(noise)).items():
            sums[index].add(*(part.numpy() for part in parts))
        progress(done, count)
    return {index: each.moments(count) for index, each in sums.items()}


def _sampler(graph: Graph) -> Callable[[Any, Any], dict[int, tuple[Any, Any, Any]]]:
    """Return what gives a picture's gradients D [O, K + 1] of each layer as Dᵀ·D, |D|² and the sum over positions."""
    kernels = {index: tf.constant(weights.kernel) for index, weights in graph.weights.items()}
    (given,) = graph.model.inputs

    @tf.function(reduce_retracing=True)
    def sample(picture, noise):  # type: ignore[no-untyped-def]
        biases = {index: _at_each_position(graph, index) for index in kernels}
        with tf.GradientTape() as tape:
            tape.watch([kernels, biases])
            values = graph.values({given: picture}, {index: (kernels[index], biases[index]) for index in kernels}, {})
            logits = tf.reshape(values[graph.model.outputs[0]], (1, -1))
            root = tf.sqrt(tf.stop_gradient(tf.nn.softmax(logits)))
            direction = root * (noise - root * tf.reduce_sum(root * noise))
            along = tf.reduce_sum(logits * direction)
        of_kernels, of_biases = tape.gradient(along, [kernels, biases])
        found = {}
        for index in kernels:
            op, back = graph.model.ops[index], of_biases[index]
            back = tf.reshape(back, (-1, back.shape[-1]))
            rows = tf.concat([_as_rows(op, of_kernels[index]), tf.reduce_sum(back, 0)[:, None]], 1)
            whole = tf.matmul(rows, rows, transpose_a=True), tf.reduce_sum(tf.square(rows), 1)
            found[index] = (*whole, _over_positions(graph, op, values[op.inputs[0]], back))
        return found

    return sample  # type: ignore[no-any-return]


def _at_each_position(graph: Graph, index: int) -> Any:
    """Return a layer's bias as one tensor for all positions of its output: its gradient is what comes back to each."""
    shape = graph.model.tensors[graph.model.ops[index].outputs[0]].shape
    return tf.broadcast_to(tf.constant(graph.weights[index].bias), shape)


def _over_positions(graph: Graph, op: Op, x: Any, back: Any) -> Any:
    """Return the sum over positions of |δ|²·x·xᵀ, the bias's x being 1: float32 [K + 1, K + 1].

    Args:
      x: what the layer reads.
      back: δ, float32 [positions, O].
    """
    kernel = graph.weights[op.index].kernel
    if op.name == "FULLY_CONNECTED":
        return _weighted_square(tf.reshape(x, (1, -1)), back)
    strides, dilation = (1, *op.options["stride"], 1), (1, *op.options["dilation"], 1)
    seen = tf.image.extract_patches(x, (1, *kernel.shape[1:3], 1), strides, dilation, op.options["padding"])
    if op.name == "CONV_2D":
        return _weighted_square(tf.reshape(seen, (-1, kernel[0].size)), back)
    # A depthwise layer: each channel sees its own, and all weights of one place in the kernel are alike.
    seen = tf.reshape(seen, (-1, kernel.shape[1] * kernel.shape[2], x.shape[-1]))
    seen = tf.repeat(seen, kernel.shape[-1] // x.shape[-1], axis=-1)
    return _weighted_square(tf.reshape(tf.transpose(seen, (0, 2, 1)), (-1, seen.shape[1])), tf.reshape(back, (-1, 1)))


def _weighted_square(seen: Any, back: Any) -> Any:
    """Return Σ |δ|²·x·xᵀ of rows x [P, K], with a 1 behind each, and δ [P, O]."""
    seen = tf.pad(seen, ((0, 0), (0, 1)), constant_values=1)
    power = tf.reduce_sum(tf.square(back), -1, keepdims=True)
    return tf.matmul(seen * power, seen, transpose_a=True)


class _Sums:
    """The squares of a layer's gradients, added up."""

    def __init__(self) -> None:
        self.inputs: Any = 0.0
        self.outputs: Any = 0.0
        self.positions: Any = 0.0

    def add(self, inputs: np.ndarray, outputs: np.ndarray, positions: np.ndarray) -> None:
        self.inputs = self.inputs + inputs.astype(np.float64)
        self.outputs = self.outputs + outputs.astype(np.float64)
        self.positions = self.positions + positions.astype(np.float64)

    def moments(self, count: int) -> Moments:
        share = self.outputs / max(self.outputs.sum(), 1e-300)
        share = (share + FLATTENING * share.mean()) / (1 + FLATTENING)
        inputs = self.inputs / count
        alike = self.positions * (np.trace(inputs) / max(np.trace(self.positions), 1e-300))
        inputs = (1 - TOWARD_POSITIONS) * inputs + TOWARD_POSITIONS * alike
        inputs[np.diag_indices_from(inputs)] += DAMPING * np.diag(inputs).mean() + 1e-300
        return Moments(inputs, share)


def _as_rows(op: Op, kernel: Any) -> Any:
    """Return the gradient of a kernel as [O, K], as `rows_of` does with arrays."""
    if op.name == DEPTHWISE:
        return tf.transpose(tf.reshape(kernel, (-1, kernel.shape[-1])))
    return tf.reshape(kernel, (kernel.shape[0], -1))


def with_flat_head(found: Mapping[int, Moments]) -> dict[int, Moments]:
    """Return moments in which all outputs of the last layer matter alike: pictures show few of a thousand classes."""
    last = max(found)
    size = len(found[last].outputs)
    return {**found, last: Moments(found[last].inputs, np.full(size, 1 / size))}
