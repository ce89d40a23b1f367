"""Let the integers of a rounded network move until it says what float says (Hinton et al. 2015, arXiv:1503.02531).

Zeros stay zeros, so that the pack stays as small; the others move in units of their steps, gradients passing straight
through the rounding. The first layers, which hold few weights and cost most of the time, stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sqz_tf.compress.graph import rows_of
from sqz_tf.compress.network import Network, batches, kernel_of
from sqz_tf.compress.rate import LARGEST, rate_of
from sqz_tf.compress.rounding import Rounded
from sqz_tf.train.keras import keras, tf

FROZEN = 0.05  # share of all weights that the first layers may hold to stay as they are
RATE = 0.02  # of a step, at the start; falls to 0 along a cosine
CENTRED = 0.25  # weight of the squared difference of centred logits beside the divergence


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learnt: uint8 pictures [N, H, W, C] and the float network's logits for them, float32 [N, classes]."""

    images: np.ndarray
    logits: np.ndarray


def tuned(
    network: Network,
    layers: Mapping[int, Rounded],
    lesson: Lesson,
    *,
    epochs: int,
    batch: int,
    seed: int,
) -> Iterator[dict[int, Rounded]]:
    """Yield the layers as they are after each of the epochs over all pictures of the lesson."""
    start = _frozen(layers)
    inputs = _Inputs(network, layers, lesson.images, start)
    student = _Student(network, layers, start)
    rng, steps = np.random.default_rng(seed), max(1, len(lesson.images) // batch)
    learn = student.learner(epochs * steps)
    for _ in range(epochs):
        for chosen in np.array_split(rng.permutation(len(lesson.images)), steps):
            learn(inputs.of(chosen), tf.constant(lesson.logits[chosen]))
        yield student.rounded()


def _frozen(layers: Mapping[int, Rounded]) -> int:
    """Return the first operator whose weights learn."""
    total, before = sum(layer.integers.size for layer in layers.values()), 0
    for index in sorted(layers):
        before += layers[index].integers.size
        if before > FROZEN * total:
            return index
    return 0


class _Inputs:
    """What the operators from `start` on read of each picture, kept as the integers of the int8 network."""

    def __init__(self, network: Network, layers: Mapping[int, Rounded], images: np.ndarray, start: int) -> None:
        graph, fixed = network.graph, constants(network, layers)
        (given,), wanted = graph.model.inputs, graph.read_from(start)

        def read(numbers: Any) -> list[Any]:
            values = graph.values({given: numbers}, fixed, network.ranges, end=start)
            return [values[index] for index in wanted]

        run = tf.function(read, reduce_retracing=True)
        self.tensors = [graph.model.tensors[index] for index in wanted]
        parts = [self._integers(run(tf.constant(network.numbers(part)))) for part in batches(images)]
        self.integers = [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _integers(self, values: Sequence[Any]) -> list[np.ndarray]:
        pairs = zip(values, self.tensors, strict=True)
        return [np.round(v.numpy() / t.scale[0] + t.zero_point[0]).astype(np.int8) for v, t in pairs]

    def of(self, chosen: np.ndarray) -> dict[int, Any]:
        """Return the real values of some pictures, tensor → float32 [N, ...]."""
        return {
            t.index: tf.constant((integers[chosen].astype(np.float32) - t.zero_point[0]) * np.float32(t.scale[0]))
            for integers, t in zip(self.integers, self.tensors, strict=True)
        }


def constants(network: Network, layers: Mapping[int, Rounded]) -> dict[int, tuple[Any, Any]]:
    """Return what rounded layers compute with: operator → (kernel, bias)."""
    return {
        index: (
            tf.constant(kernel_of(network, index, layer.integers * layer.steps[:, None])),
            tf.constant(layer.bias, tf.float32),
        )
        for index, layer in layers.items()
    }


class _Student:
    """The int8 network simulated, its integers from operator `start` on as variables in units of their steps."""

    def __init__(self, network: Network, layers: Mapping[int, Rounded], start: int) -> None:
        self.network, self.layers, self.start = network, layers, start
        self.fixed = constants(network, {index: layer for index, layer in layers.items() if index < start})
        learning = {index: layer for index, layer in layers.items() if index >= start}
        self.steps = {
            i: tf.constant(kernel_of(network, i, np.repeat(x.steps[:, None], x.integers.shape[1], 1)))
            for i, x in learning.items()
        }
        self.units = {i: tf.constant(_bias_units(network, i), tf.float32) for i in learning}
        self.integers = {
            i: tf.Variable(kernel_of(network, i, x.integers.astype(np.float64))) for i, x in learning.items()
        }
        self.used = {i: tf.constant(tf.cast(v != 0, tf.float32)) for i, v in self.integers.items()}
        self.biases = {i: tf.Variable(tf.cast(x.bias, tf.float32) / self.units[i]) for i, x in learning.items()}

    def learner(self, updates: int) -> Callable[[Mapping[int, Any], Any], None]:
        """Return one update: inputs of operator `start` and float's logits."""
        variables = [*self.integers.values(), *self.biases.values()]
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, updates), jit_compile=False)
        optimizer.build(variables)

        @tf.function(reduce_retracing=True)
        def learn(given: Any, wanted: Any) -> None:
            with tf.GradientTape() as tape:
                logits = self.network.graph.logits(given, self._weights(), self.network.ranges, self.start)
                loss = _loss(wanted, logits)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        return learn

    def _weights(self) -> dict[int, tuple[Any, Any]]:
        found = dict(self.fixed)
        for index, integers in self.integers.items():
            rounded = tf.clip_by_value(tf.round(integers), -LARGEST, LARGEST) * self.used[index]
            through = integers * self.used[index]
            kernel = (through + tf.stop_gradient(rounded - through)) * self.steps[index]
            found[index] = kernel, self.biases[index] * self.units[index]
        return found

    def rounded(self) -> dict[int, Rounded]:
        """Return the layers as they are now."""
        found = dict(self.layers)
        for index, variable in self.integers.items():
            old = self.layers[index]
            values = np.clip(np.round(variable.numpy()), -LARGEST, LARGEST) * self.used[index].numpy()
            integers = rows_of(self.network.graph.model.ops[index], values).astype(np.int8)
            bias = (self.biases[index] * self.units[index]).numpy().astype(np.float64)
            found[index] = replace(old, integers=integers, bias=bias, bits=rate_of(integers).total(integers))
        return found


def _bias_units(network: Network, index: int) -> float:
    """Return what a bias moves by: a step of the layer's output."""
    low, high = network.ranges[network.graph.model.ops[index].outputs[0]]
    return (high - low) / 255


def _loss(wanted: Any, logits: Any) -> Any:
    log_p, log_q = tf.nn.log_softmax(wanted), tf.nn.log_softmax(logits)
    divergence = tf.reduce_mean(tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), -1))
    off = wanted - logits
    off -= tf.reduce_mean(off, -1, keepdims=True)
    return divergence + CENTRED * tf.reduce_mean(tf.square(off))
