"""A SqueezeNet's int8 `.tflite` before it has learnt anything: what the compiler needs to say what it will take.

A compiled network's RAM, flash and code follow from its shapes. What the compiler does ask of the numbers (whether a
layer's sums can grow too large for a fast kernel) is answered by weights and scales drawn as training leaves them:
bell-shaped, each channel's largest at 127, maps that fill int8.
"""

from __future__ import annotations

import math

import numpy as np

from converters.tflite.build import Builder, Map
from sqz_tf.base.spec import ModelSpec
from sqz_tf.network.architecture import (
    COMPLEX_BYPASS,
    FIRES,
    POOL_AFTER,
    SIMPLE_BYPASS,
    layer_shapes,
    require_size,
)

PIXEL = 1 / 255  # what a step of the input stands for
WEIGHT = 1 / 256  # and a step of a weight, about


def untrained(spec: ModelSpec) -> bytes:
    """Return the int8 `.tflite` of a spec with drawn weights, the same for the same spec.

    Raises:
      ConfigError: the input is too small for the network.
    """
    require_size(spec)
    network = _Network(spec)
    x = network.pool(network.conv(network.input(), "conv1", stride=2), "conv1")
    for number in FIRES:
        x = network.pool(network.bypassed_fire(x, number), f"fire{number}")
    if spec.conv10_padding:
        x = network.build.pad(x, spec.conv10_padding)
    x = network.conv(x, "conv10")
    # No power of two, whatever the number of places: dividing by one takes no multiplier, and no trained scale is one.
    return network.build.finish(network.build.softmax(network.build.mean(x, x.scale / 1.7)))


def _root_mean_square(values: np.ndarray) -> float:
    """Return the spread around zero, which the few values of a narrow layer have, too, if they are all alike."""
    return math.sqrt(float(np.square(values, dtype=np.float64).mean()))


class _Network:
    """The network being written, in the order in which the converter writes it."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec, self.build = spec, Builder()
        self.shapes, self.rng = layer_shapes(spec), np.random.default_rng(0)

    def input(self) -> Map:
        return self.build.input(self.spec.input_size, self.spec.input_size, self.spec.channels, PIXEL)

    def conv(self, x: Map, name: str, scale: float | None = None, **options: object) -> Map:
        height, width, inputs, outputs = self.shapes[name]
        drawn = self.rng.normal(size=(outputs, height, width, inputs))
        weights = np.round(127 * drawn / np.abs(drawn).max(axis=(1, 2, 3), keepdims=True)).astype(np.int8)
        if scale is None:
            scale = x.scale * WEIGHT * math.sqrt(height * width * inputs) * _root_mean_square(weights)
        scales = (WEIGHT * self.rng.uniform(0.8, 1.25, outputs)).astype(np.float32)
        return self.build.conv(x, weights, np.zeros(outputs, np.int32), scales, scale, **options)  # type: ignore[arg-type]

    def pool(self, x: Map, after: str) -> Map:
        if after not in POOL_AFTER[self.spec.arch]:
            return x
        return self.build.max_pool(x, 3, 2, self.spec.pool_padding.upper())

    def fire(self, x: Map, number: int) -> Map:
        name = f"fire{number}"
        squeezed = self.conv(x, f"{name}_squeeze1x1")
        narrow = self.conv(squeezed, f"{name}_expand1x1")
        wide = self.conv(squeezed, f"{name}_expand3x3", narrow.scale, padding="SAME")
        return self.build.concatenation([narrow, wide])

    def bypassed_fire(self, x: Map, number: int) -> Map:
        bypass = self.spec.bypass
        if bypass == "complex" and number in COMPLEX_BYPASS:
            around = self.conv(x, f"fire{number}_bypass1x1")
        elif bypass != "none" and number in SIMPLE_BYPASS:
            around = x
        else:
            return self.fire(x, number)
        out = self.fire(x, number)
        return self.build.add(around, out, 1.25 * max(around.scale, out.scale))
