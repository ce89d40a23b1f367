"""The network that is compressed: its real-valued weights, its int8 file, and what pictures are to each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from converters.tflite.reader import Model
from sqz_tf.compress.graph import SOFTMAX, Graph, GraphError, Weights, as_stored, rows_of
from sqz_tf.compress.rounding import StepGrid
from sqz_tf.train.keras import tf

SAME = 0.05  # of the weights' norm: what rounding to int8 leaves, and fine-tuning or other units of a pixel do not
BATCH = 25


@dataclass(frozen=True, eq=False)
class Network:
    """What is compressed.

    Attributes:
      int8: the `.tflite` whose weights are replaced.
      graph: its operators with the weights to approach; float ones where the float file has the same, else its own.
      ranges: tensor → (lowest, highest) real value of its int8 numbers; of all up to the logits.
    """

    int8: bytes
    graph: Graph
    ranges: Mapping[int, tuple[float, float]]

    @classmethod
    def read(cls, int8: bytes, float32: bytes | None) -> Network:
        """Return the network of an int8 `.tflite`.

        Args:
          int8: one input of pixels, one output.
          float32: the network that it was quantized from, operator for operator, if there is one.

        Raises:
          GraphError: it holds what cannot be differentiated, or is not int8.
        """
        own = Graph.read(int8)
        (given,) = own.model.input_tensors()
        (made,) = own.model.output_tensors()
        for tensor in (given, made):
            if tensor.dtype != "int8" or len(tensor.scale) != 1:
                raise GraphError(
                    f"{tensor.name[:80]!r} is {tensor.dtype}", expected="int8 in and out, as model_int8.tflite"
                )
        weights = dict(own.weights)
        if float32 is not None:
            other = Graph.read(float32)
            if [op.name for op in other.model.ops] == [op.name for op in own.model.ops]:
                weights = {index: _nearer(other.weights[index], each) for index, each in weights.items()}
        return cls(int8, replace(own, weights=weights), _ranges(own.model))

    def numbers(self, images: np.ndarray) -> np.ndarray:
        """Return what uint8 pictures [N, H, W, C] are to the graph: float32."""
        (given,) = self.graph.model.input_tensors()
        return (images.astype(np.float32) - (128 + given.zero_point[0])) * np.float32(given.scale[0])

    def rows(self, index: int) -> np.ndarray:
        """Return a layer's weights as [O, K]."""
        return rows_of(self.graph.model.ops[index], self.graph.weights[index].kernel)

    def grid(self, index: int) -> StepGrid:
        """Return the steps that a layer may have: powers of two stay such, one scale stays one."""
        scale = self.graph.model.tensors[self.graph.model.ops[index].inputs[1]].scale
        whole = bool(np.all(np.log2(scale) == np.round(np.log2(scale))))
        return StepGrid(per_octave=1 if whole else 4, shared=len(scale) == 1)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return what the real-valued network computes before its softmax, float32 [N, classes]."""
        weights = {index: (tf.constant(w.kernel), tf.constant(w.bias)) for index, w in self.graph.weights.items()}
        (given,) = self.graph.model.inputs
        run = tf.function(lambda x: self.graph.logits({given: x}, weights, {}), reduce_retracing=True)
        return np.concatenate([run(tf.constant(self.numbers(x))).numpy() for x in batches(images)])


def batches(images: np.ndarray) -> list[np.ndarray]:
    """Return pictures in parts of at most `BATCH`, nearly equal."""
    return np.array_split(images, max(1, -(-len(images) // BATCH)))


def kernel_of(network: Network, index: int, rows: np.ndarray) -> np.ndarray:
    """Return rows [O, K] in the shape of an operator's kernel, float32."""
    shape = network.graph.weights[index].kernel.shape
    return np.asarray(as_stored(network.graph.model.ops[index], rows).reshape(shape), np.float32)


def _nearer(float32: Weights, own: Weights) -> Weights:
    """Return the float weights if the int8 ones are those, rounded."""
    if float32.kernel.shape != own.kernel.shape:
        return own
    off = np.linalg.norm(float32.kernel - own.kernel)
    return float32 if off <= SAME * np.linalg.norm(float32.kernel) else own


def _ranges(model: Model) -> dict[int, tuple[float, float]]:
    tensors = (model.tensors[op.outputs[0]] for op in model.ops if op.name != SOFTMAX)
    return {
        t.index: (t.scale[0] * (-128 - t.zero_point[0]), t.scale[0] * (127 - t.zero_point[0]))
        for t in tensors
        if t.dtype == "int8" and len(t.scale) == 1
    }
