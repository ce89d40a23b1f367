"""How much the network's answer depends on each weight: the Fisher information of its own predictions.

For logits z and probabilities p of a picture, J·diag(p) − p·pᵀ·J is the Hessian of the divergence KL(float ‖
changed). With random ε, v = √p∘ε − p·(√p·ε) has that middle matrix as its covariance, so gradients d of v·z are
samples whose mean outer product is the Hessian. Of a layer's gradients D [K, O] only E[D·Dᵀ] and the diagonal of
E[Dᵀ·D] are kept: a Kronecker product of what goes in and what goes out (Martens and Grosse 2015, arXiv:1503.05671).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sqz_tf.compress.graph import Graph
from sqz_tf.train.keras import tf

FLATTENING = 0.3  # of the mean, added to what goes out: classes that no picture shows would get nothing
DAMPING = 0.05  # of the mean of the diagonal

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
    variables = {index: (tf.Variable(w.kernel), tf.Variable(w.bias)) for index, w in graph.weights.items()}

    @tf.function(reduce_retracing=True)
    def gradients(picture, noise):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            logits = graph.logits({graph.model.inputs[0]: picture}, variables, {})
            root = tf.sqrt(tf.stop_gradient(tf.nn.softmax(logits)))
            direction = root * (noise - root * tf.reduce_sum(root * noise))
            along = tf.reduce_sum(logits * direction)
        return tape.gradient(along, variables)

    rng = np.random.default_rng(seed)
    classes = graph.model.output_tensors()[0].size
    sums = {index: _Sums(graph, index) for index in variables}
    for done, picture in enumerate(numbers, 1):
        noise = rng.standard_normal((1, classes)).astype(np.float32)
        for index, (kernel, bias) in gradients(tf.constant(picture), tf.constant(noise)).items():
            sums[index].add(kernel.numpy(), bias.numpy())
        progress(done, count)
    return {index: each.moments(count) for index, each in sums.items()}


class _Sums:
    def __init__(self, graph: Graph, index: int) -> None:
        self.depthwise = graph.model.ops[index].name == "DEPTHWISE_CONV_2D"
        kernel, bias = graph.weights[index].kernel, graph.weights[index].bias
        size = kernel.size // len(bias) + 1
        self.inputs, self.outputs = np.zeros((size, size)), np.zeros(len(bias))

    def add(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        rows = as_rows(kernel, self.depthwise)
        columns = np.concatenate([rows, bias[:, None]], axis=1)
        self.inputs += columns.T @ columns
        self.outputs += np.square(columns).sum(1)

    def moments(self, count: int) -> Moments:
        share = self.outputs / max(self.outputs.sum(), 1e-300)
        share = (share + FLATTENING * share.mean()) / (1 + FLATTENING)
        inputs = self.inputs / count
        inputs[np.diag_indices_from(inputs)] += DAMPING * np.diag(inputs).mean() + 1e-300
        return Moments(inputs, share)


def as_rows(kernel: np.ndarray, depthwise: bool) -> np.ndarray:
    """Return a kernel as [O, K]."""
    return kernel.reshape(-1, kernel.shape[-1]).T if depthwise else kernel.reshape(kernel.shape[0], -1)


def with_flat_head(found: Mapping[int, Moments]) -> dict[int, Moments]:
    """Return moments in which all outputs of the last layer matter alike: pictures show few of a thousand classes."""
    last = max(found)
    size = len(found[last].outputs)
    return {**found, last: Moments(found[last].inputs, np.full(size, 1 / size))}
