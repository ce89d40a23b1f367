"""The strength and range of each tensor between convolutions, by the error of what is computed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqz_tf.base.pixels import Range
from sqz_tf.quantize.aware import (
    fake_quantize_kernel,
    ranged_layers,
)
from sqz_tf.quantize.schemes.grid import NOTHING, Grid
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.squeezenet import StatelessDropout

layers: Any = keras.layers


Strength = tuple[float, float, float]  # α, β, γ


# Where a kernel has a scale for each output channel: α against γ; zeros leave the channels as they are.
STRENGTHS: tuple[Strength, ...] = tuple((a, 0.0, 1 - a if a else 0.0) for a in (0.0, 0.5, 0.75, 0.9, 1.0))


# Where it has one scale, what writes the channel has a say, too.
SHARED_STRENGTHS: tuple[Strength, ...] = (
    *STRENGTHS,
    (0.25, 0.5, 0.25),
    (0.34, 0.33, 0.33),
    (0.5, 0.25, 0.25),
    (0.75, 0.25, 0.0),
    (0.5, 0.5, 0.0),
    (0.0, 0.5, 0.5),
)


FIRST_CLIP = 0.8  # to choose a strength with, where a range may be halved


LEFT_BY_ROUNDING = 0.5  # share of its error


CLIPS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.29, 0.24, 0.2)  # of the largest value


SEARCH_IMAGES = 48


QUANTILE_STEP = 7  # every so many positions; odd, so that all columns of a map are seen


TYPICAL_LARGE = 0.999  # quantile that stands for a channel's largest value: one outlier does not decide


@dataclass(frozen=True)
class Choice:
    """What was chosen for one tensor, and the signal-to-noise ratio in decibels of what is computed from it."""

    clip: float
    strength: float
    sqnr_min_max: float
    sqnr: float


@dataclass(frozen=True)
class Junction:
    """A tensor between convolutions: who writes its channels, who reads them.

    Attributes:
      name: the layer whose output range it has.
      producers: convolution → first channel it writes.
      consumers: convolutions that read it, directly or through pooling and padding.
      scalable: whether nothing else reads or writes it.
    """

    name: str
    producers: dict[str, int]
    consumers: tuple[str, ...]
    scalable: bool


def unit_scale(model: Any, x: np.ndarray) -> None:
    """Scale every tensor between convolutions to a root mean square of 1, in place; the outputs do not change.

    Published weights that take 0…255 pixels reach activations in the thousands, on which a new head cannot train.
    """
    for junction in junctions(model):
        if junction.scalable:
            values = keras.Model(model.input, model.get_layer(junction.name).output).predict_on_batch(x)
            rescale(model, junction, np.full(values.shape[-1], np.sqrt(np.mean(np.square(values))) + 1e-6, np.float32))


def junctions(model: Any) -> Iterator[Junction]:
    """Yield every tensor that has a range of its own and feeds convolutions, in graph order."""
    for name in ranged_layers(model):
        layer = model.get_layer(name)
        consumers, only_convolutions = _readers(layer)
        if not consumers:
            continue
        producers = _writers(layer)
        yield Junction(name, producers, tuple(consumers), only_convolutions and bool(producers))


def _readers(layer: Any) -> tuple[list[str], bool]:
    """Return the convolutions that read a layer's output, and whether nothing else does."""
    found, only = [], True
    for node in layer.outbound_nodes:
        consumer = node.outbound_layer
        if isinstance(consumer, layers.Conv2D):
            found.append(consumer.name)
        elif isinstance(consumer, (layers.MaxPooling2D, layers.ZeroPadding2D, StatelessDropout)):
            further, further_only = _readers(consumer)
            found, only = found + further, only and further_only
        else:
            only = False
    return found, only


def _writers(layer: Any) -> dict[str, int]:
    """Return the convolutions that write a layer's output and their first channel; empty if others do too."""
    if isinstance(layer, layers.Conv2D):
        return {layer.name: 0}
    if not isinstance(layer, layers.Concatenate):
        return {}
    writers, channel = {}, 0
    for part in layer.inbound_nodes[0].inbound_layers:
        if not isinstance(part, layers.Conv2D):
            return {}
        writers[part.name] = channel
        channel += part.output_shape[-1]
    return writers


@dataclass(frozen=True)
class _Found:
    clip: float
    strength: Strength
    scales: np.ndarray
    range: Range
    noise: float


def search(
    model: Any, junction: Junction, full: Range, x: np.ndarray, grid: Grid, saturable: bool
) -> tuple[_Found, Choice]:
    """Return the best strength, then the best clip for it, by the noise in what the consumers compute."""
    around = _Around(model, junction, x, grid)
    families = (STRENGTHS if grid.per_channel else SHARED_STRENGTHS) if junction.scalable else STRENGTHS[:1]

    def attempt(strength: Strength, clip: float) -> _Found:
        scales = around.scales(strength)
        scaled = around.values / scales
        wanted = min(0.0, clip * float(scaled.min())), max(NOTHING / 10, clip * float(scaled.max()))
        limits = grid.nearest(*wanted, saturable)
        if junction.scalable and grid.coarse and wanted[1] >= NOTHING:
            # The channels' common factor puts the wanted range on the grid.
            scales = scales * np.float32(wanted[1] / limits[1])
        return _Found(clip, strength, scales, limits, around.noise(scales, limits))

    plain = around.noise(np.ones(around.values.shape[-1], np.float32), full)
    first = FIRST_CLIP if grid.coarse else 1.0
    best = min((attempt(strength, first) for strength in families), key=_noise)
    best = min([best, *(attempt(best.strength, clip) for clip in (1.0, *CLIPS))], key=_noise)
    parts = len(junction.consumers)
    return best, Choice(best.clip, best.strength[0], _decibels(plain, parts), _decibels(best.noise, parts))


class _Around:
    """A junction's values, the convolutions that write it and those that read it."""

    def __init__(self, model: Any, junction: Junction, x: np.ndarray, grid: Grid) -> None:
        self.grid = grid
        self.values = keras.Model(model.input, model.get_layer(junction.name).output).predict_on_batch(x)
        self.readers = [(_path(model, junction.name, name), model.get_layer(name)) for name in junction.consumers]
        self.kernels = [layer.kernel.numpy() for _, layer in self.readers]
        self.exact = [convolve(path(self.values), layer, layer.kernel) for path, layer in self.readers]
        writers = {} if grid.per_channel else junction.producers  # one scale a channel follows it: nothing changes
        self.writers = [
            (first, layer, keras.Model(model.input, layer.input).predict_on_batch(x))
            for first, layer in ((first, model.get_layer(name)) for name, first in writers.items())
        ]

    def scales(self, strength: Strength) -> np.ndarray:
        """Return s = large|a|^α · max|w written|^β / max|w read|^γ, float32 [channels], of geometric mean 1."""
        alpha, beta, gamma = strength
        if not any(strength) or not np.any(self.values):
            return np.ones(self.values.shape[-1], np.float32)
        rows = np.abs(self.values).reshape(-1, self.values.shape[-1])[::QUANTILE_STEP]
        activation = np.quantile(rows, TYPICAL_LARGE, axis=0).astype(np.float64)
        read = np.max([np.abs(kernel).max((0, 1, 3)) for kernel in self.kernels], axis=0).astype(np.float64)
        written = np.ones_like(read)
        for first, layer, _ in self.writers:
            largest = np.abs(layer.kernel.numpy()).max((0, 1, 2))
            written[first : first + len(largest)] = largest
        used = (activation > 0) & (read > 0) & (written > 0)
        scales = np.ones_like(activation)
        scales[used] = activation[used] ** alpha * written[used] ** beta / read[used] ** gamma
        scales[used] /= np.exp(np.log(scales[used]).mean())
        return np.clip(scales, 1 / 32, 32).astype(np.float32)

    def noise(self, scales: np.ndarray, limits: Range) -> float:
        """Return the relative noise of what the consumers compute, summed over them."""
        quantized = fake_quantize(self._written(scales), *limits)
        return sum(
            _relative_noise(convolve(path(quantized), layer, self._rounded(kernel * scales[:, None])), wanted)
            for (path, layer), kernel, wanted in zip(self.readers, self.kernels, self.exact, strict=True)
        )

    def _written(self, scales: np.ndarray) -> Any:
        """Return the values over `scales`, written by rounded kernels where their rounding depends on the scales."""
        if not self.writers:
            return self.values / scales
        parts = []
        for first, layer, inputs in self.writers:
            kernel, bias = layer.get_weights()
            part = scales[first : first + len(bias)]
            parts.append(layer.activation(convolve(inputs, layer, self._rounded(kernel / part)) + bias / part))
        return tf.concat(parts, -1)

    def _rounded(self, kernel: np.ndarray) -> Any:
        """Return a kernel with the share of its rounding errors that `round_kernel` will leave."""
        rounded = _on_grid(kernel, self.grid)
        return rounded if self.grid.per_channel else kernel + LEFT_BY_ROUNDING * (rounded - kernel)


def _noise(found: _Found) -> float:
    return found.noise


def _relative_noise(found: Any, wanted: Any) -> float:
    """Return noise power over signal power, the mean over pictures: each picture counts the same.

    A constant difference per channel does not count: bias correction takes it away.
    """
    difference = found - wanted
    difference -= tf.reduce_mean(difference, axis=(0, 1, 2), keepdims=True)
    power = tf.reduce_sum(tf.square(wanted), axis=(1, 2, 3)) + 1e-12
    return float(tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=(1, 2, 3)) / power))


def _decibels(noise: float, parts: int) -> float:
    """Return the signal-to-noise ratio for relative noise summed over parts, at most 99."""
    return float(-10 * np.log10(noise / parts)) if noise > 0 else 99.0


def _path(model: Any, source: str, target: str) -> Callable[[Any], Any]:
    """Return what lies between a tensor and the convolution that reads it: pooling, padding or nothing."""
    layer, between = model.get_layer(target), []
    while (layer := layer.inbound_nodes[0].inbound_layers).name != source:
        between.append(layer)

    def apply(values: Any) -> Any:
        for step in reversed(between):
            values = step(values)
        return values

    return apply


def convolve(values: Any, layer: Any, kernel: Any) -> Any:
    """Return a convolution without bias and activation."""
    return tf.nn.conv2d(values, kernel, layer.strides, layer.padding.upper())


def fake_quantize(values: Any, low: float, high: float) -> Any:
    """Return values on the grid of 256 that TFLite would use for this range."""
    return tf.quantization.fake_quant_with_min_max_vars(values, low, high)


def _on_grid(kernel: np.ndarray, grid: Grid) -> Any:
    """Return a kernel [H, W, I, O] rounded to the nearest numbers of its grid."""
    return fake_quantize_kernel(kernel, grid.bound(kernel))


def rescale(model: Any, junction: Junction, scales: np.ndarray) -> None:
    """Divide channels by `scales` where they are written and multiply where they are read."""
    if np.all(scales == 1):
        return
    for name, first in junction.producers.items():
        kernel, bias = model.get_layer(name).get_weights()
        part = scales[first : first + len(bias)]
        model.get_layer(name).set_weights([kernel / part, bias / part])
    for name in junction.consumers:
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel * scales[:, None], bias])
