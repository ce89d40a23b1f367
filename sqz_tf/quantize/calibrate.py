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

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sqz_tf.base.pixels import Range
from sqz_tf.quantize.aware import (
    Kernels,
    activation_ranges,
    quantize_aware,
    ranged_layers,
    saturable,
)
from sqz_tf.quantize.equalise import SEARCH_IMAGES, Choice, fake_quantize, junctions, layers, rescale, search
from sqz_tf.quantize.rounding import CORRECTION_IMAGES, round_and_correct
from sqz_tf.quantize.schemes.free import FREE
from sqz_tf.quantize.schemes.grid import Grid
from sqz_tf.train.keras import keras
from sqz_tf.train.squeezenet import copy_model

SCORE_CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.5, 0.35)


MEAN_CLIPS = (1.2, 1.1, *SCORE_CLIPS)  # the nearest range to the largest value may not hold it


Progress = Callable[[str, int, int], None]


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
        found, choices[junction.name] = search(
            result, junction, ranges[junction.name], x[:SEARCH_IMAGES], grid, junction.name in full
        )
        rescale(result, junction, found.scales)
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
        if not grid.coarse and name != scores[-1]:
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
