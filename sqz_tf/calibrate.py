"""Post-training calibration: channel scales, activation ranges and biases, each chosen by measured error.

Four steps, each exact or corrected against the float network on calibration pictures without labels:

1. Equalise. ReLU(s·x) = s·ReLU(x) for s > 0, so a channel may be divided by s where it is produced and multiplied
   by s where it is consumed (Nagel et al. 2019, arXiv:1906.04721). The strength α trades the spread of the
   activations against that of the consumers' weights (Xiao et al. 2023, arXiv:2211.10438):
   s_c = large|a_c|^α / max|w_c|^(1−α), where large is the 99.9th percentile. Where a kernel has one scale for all
   channels, those that write the tensor have a say, too: s_c = large|a_c|^α · max|v_c|^β / max|w_c|^γ.
2. Choose ranges. Each tensor is clipped where the error of what its consumers compute from it, activations and
   weights quantized, is smallest: for the best strength, the best clip, tensor by tensor. With powers of two a common
   factor of the channels puts that range on the grid.
3. Round with a view. Layer by layer from the input on, each kernel is rounded weight by weight, and what one
   rounding costs is made up by the weights not rounded yet, as the inputs' second moments tell
   (Frantar et al. 2023, arXiv:2210.17323); zeros stay zeros. Powers of two are chosen by what this leaves. Then the
   mean error left in each output channel is taken off its bias (Nagel et al. 2019, section 4.2).
4. Choose the ranges of the scores by what their rounding changes in the final probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sqz_tf._keras import keras, tf
from sqz_tf.grid import FREE, NOTHING, SMALLEST_CHANNEL, Grid, Range
from sqz_tf.model import StatelessDropout, copy_model
from sqz_tf.quantize import Kernels, activation_ranges, fake_quantize_kernel, quantize_aware, ranged_layers, saturable

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
SCORE_CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.5, 0.35)
MEAN_CLIPS = (1.2, 1.1, *SCORE_CLIPS)  # the nearest range to the largest value may not hold it
SEARCH_IMAGES = 48
CORRECTION_IMAGES = 96
MOMENT_ROWS = 40_000
NEWTON_STEPS = 3
RARELY = 0.05  # share of active positions below which a channel's mean says little
QUANTILE_STEP = 7  # every so many positions; odd, so that all columns of a map are seen
TYPICAL_LARGE = 0.999  # quantile that stands for a channel's largest value: one outlier does not decide
DAMPING = 0.01  # of the inputs' mean power, on the diagonal

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Choice:
    """What was chosen for one tensor, and the signal-to-noise ratio in decibels of what is computed from it."""

    clip: float
    strength: float
    sqnr_min_max: float
    sqnr: float


@dataclass(frozen=True)
class Calibration:
    """What to quantize, and what it was made from.

    Attributes:
      model: the network to quantize with `ranges`: equalised, rounded, biases corrected.
      equalised: the float network that computes what the given one did, its channels scaled like `model`'s.
      bounds: magnitude of integer 127 in each kernel of `model`; None leaves them to the grid.
      choices: tensor → what was chosen for it.
    """

    model: Any
    equalised: Any
    ranges: dict[str, Range]
    bounds: Kernels | None = None
    choices: dict[str, Choice] = field(default_factory=dict)


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


def calibrate(
    model: Any, x: np.ndarray, input_range: Range, grid: Grid = FREE, progress: Progress | None = None
) -> Calibration:
    """Return the best ranges found for a plain network, and the equalised, rounded, corrected network they are for.

    Args:
      model: the plain graph (no batch norm, activations inside the convolutions); not changed.
      x: calibration input float32 [N, H, W, C].
      input_range: the numbers that pixels 0 and 255 are to the model.
      grid: which scales are allowed.
    """
    tell = progress or (lambda label, done, total: None)
    result = copy_model(model)
    ranges = activation_ranges(model, x, grid)
    choices: dict[str, Choice] = {}
    every, full = list(junctions(result)), saturable(model)
    for number, junction in enumerate(every):
        tell("calibrate", number, len(every) + 1)
        found, choices[junction.name] = _search(
            result, junction, ranges[junction.name], x[:SEARCH_IMAGES], grid, junction.name in full
        )
        _rescale(result, junction, found.scales)
        ranges[junction.name] = found.range
    equalised = copy_model(result)
    bounds = round_and_correct(result, ranges, input_range, grid, x[:CORRECTION_IMAGES])
    ranges = choose_score_ranges(result, ranges, input_range, x, grid, bounds)
    tell("calibrate", len(every) + 1, len(every) + 1)
    return Calibration(result, equalised, ranges, bounds, choices)


def divergence(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the mean Kullback-Leibler divergence of probabilities [N, classes], in nats."""
    return float((wanted * np.log((wanted + 1e-8) / (found + 1e-8))).sum(1).mean())


def predict(model: Any, x: np.ndarray, batch_size: int = 25) -> np.ndarray:
    """Return a model's outputs in bounded memory."""
    return np.concatenate([model.predict_on_batch(x[i : i + batch_size]) for i in range(0, len(x), batch_size)])


def choose_score_ranges(
    model: Any, ranges: dict[str, Range], input_range: Range, x: np.ndarray, grid: Grid, bounds: Kernels
) -> dict[str, Range]:
    """Return the ranges with those behind the last junction (scores, their mean) chosen to change probabilities least.

    Each is judged by what its own rounding changes: next to the noise of all layers before it, that would not be seen.
    """
    names, between = ranged_layers(model), [junction.name for junction in junctions(model)]
    scores = names[names.index(between[-1]) + 1 :]
    chosen = {name: pair for name, pair in ranges.items() if name not in scores}
    for name in scores:
        if not grid.power_of_two and name != scores[-1]:
            chosen[name] = ranges[name]
            continue
        quantized = quantize_aware(model, chosen, input_range, grid, bounds)
        values = predict(keras.Model(quantized.input, quantized.get_layer(f"quant_{name}").output), x)
        layer = model.get_layer(name)
        rest = keras.Model(layer.output, model.output)
        chosen[name] = _least_change(_score_ranges(layer, values, ranges[name], grid, chosen), values, rest)
    return chosen


def _score_ranges(layer: Any, values: np.ndarray, full: Range, grid: Grid, chosen: dict[str, Range]) -> list[Range]:
    """Return the ranges that a tensor of scores may have; `chosen` has that of the tensor it is made of."""
    found = [grid.nearest(clip * full[0], clip * full[1]) for clip in SCORE_CLIPS]
    if isinstance(layer, layers.GlobalAveragePooling2D):
        source, rows = chosen[layer.inbound_nodes[0].inbound_layers.name], layer.input_shape[1]
        averaged = (grid.averaged(clip * float(values.max()), rows, source) for clip in MEAN_CLIPS)
        found += [limits for limits in averaged if limits]
    return list(dict.fromkeys(found))


def _least_change(offered: list[Range], scores: np.ndarray, rest: Any) -> Range:
    """Return the range of scores that changes the probabilities least; what follows, `rest`, is not quantized."""
    wanted = predict(rest, scores)

    def cost(limits: Range) -> float:
        return divergence(wanted, predict(rest, fake_quantize(scores, *limits).numpy()))

    return min(sorted(offered, key=lambda limits: limits[1] - limits[0]), key=cost)


def unit_scale(model: Any, x: np.ndarray) -> None:
    """Scale every tensor between convolutions to a root mean square of 1, in place; the outputs do not change.

    Published weights that take 0…255 pixels reach activations in the thousands, on which a new head cannot train.
    """
    for junction in junctions(model):
        if junction.scalable:
            values = keras.Model(model.input, model.get_layer(junction.name).output).predict_on_batch(x)
            _rescale(model, junction, np.full(values.shape[-1], np.sqrt(np.mean(np.square(values))) + 1e-6, np.float32))


# Junctions ---------------------------------------------------------------------------------------------------


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


# Search ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    clip: float
    strength: Strength
    scales: np.ndarray
    range: Range
    noise: float


def _search(
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
        if junction.scalable and grid.power_of_two and wanted[1] >= NOTHING:
            # The channels' common factor puts the wanted range on the grid.
            scales = scales * np.float32(wanted[1] / limits[1])
        return _Found(clip, strength, scales, limits, around.noise(scales, limits))

    plain = around.noise(np.ones(around.values.shape[-1], np.float32), full)
    first = FIRST_CLIP if grid.power_of_two else 1.0
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
        self.exact = [_convolve(path(self.values), layer, layer.kernel) for path, layer in self.readers]
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
            _relative_noise(_convolve(path(quantized), layer, self._rounded(kernel * scales[:, None])), wanted)
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
            parts.append(layer.activation(_convolve(inputs, layer, self._rounded(kernel / part)) + bias / part))
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


def _convolve(values: Any, layer: Any, kernel: Any) -> Any:
    """Return a convolution without bias and activation."""
    return tf.nn.conv2d(values, kernel, layer.strides, layer.padding.upper())


def fake_quantize(values: Any, low: float, high: float) -> Any:
    """Return values on the grid of 256 that TFLite would use for this range."""
    return tf.quantization.fake_quant_with_min_max_vars(values, low, high)


def _on_grid(kernel: np.ndarray, grid: Grid) -> Any:
    """Return a kernel [H, W, I, O] rounded to the nearest numbers of its grid."""
    return fake_quantize_kernel(kernel, grid.bound(kernel))


def _rescale(model: Any, junction: Junction, scales: np.ndarray) -> None:
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


# Rounding and bias correction --------------------------------------------------------------------------------


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
    rounded, bound = round_on_grid(kernel, _second_moments(quantized, layer), grid)
    a = _convolve(exact, layer, kernel) + bias
    b = _convolve(quantized, layer, rounded) + bias
    shift = mean_shift(a, b)
    layer.set_weights([rounded, bias - shift.numpy()])
    return layer.activation(a), layer.activation(b - shift), bound


def round_on_grid(kernel: np.ndarray, moments: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel [H, W, I, O] as `round_kernel` rounds it, and the magnitude of integer 127 in it, [O] or [].

    With powers of two, half and twice `grid.bound` are tried, too: that is the best for rounding to nearest, and other
    weights can make up for what is cut off one as well as for what is rounded off.
    """
    bound = grid.bound(kernel)
    factors = (1.0, 0.5, 2.0) if grid.power_of_two else (1.0,)
    smallest = np.float32(np.max(bound) * SMALLEST_CHANNEL)  # so that biases stay within 32 bits
    bounds = np.stack([np.maximum(bound * np.float32(factor), smallest) for factor in factors])
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
