"""Ristretto's trimming: how few bits each class of numbers needs, everything else in float.

For each bit width, weights and layer outputs are put on a fixed-point grid in turn, then both at the widths found and
at 8 bits (Gysel, Motamedi, Ghiasi 2016, arXiv:1604.03168, section 4). A bit width is one for the whole class; the
fractional length is each layer's own. Two things differ from Ristretto: fractional lengths are searched for the
smallest squared error instead of taken from the maximum, and the expand layers of a Fire module share the format of
their concatenation, as TFLite demands. The input needs no search: its pixels are 8 bits as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.stats import Paired, accuracy, paired_drop, top_k_correct
from sqz_tf.quantize.aware import ranged_layers
from sqz_tf.quantize.calibrate import Progress, divergence
from sqz_tf.quantize.fixed_point import (
    SEARCHED,
    Format,
    best_fractional_length,
    best_fractional_lengths,
    fake_quantize,
    fractional_length,
    least,
)
from sqz_tf.train.keras import keras, tf
from sqz_tf.train.squeezenet import convolutions, copy_model

BITS = (16, 8, 7, 6, 5, 4)
MARGIN_PP = 3.0  # what Ristretto's own script for SqueezeNet allows
PRODUCT_BITS = 8  # what a `.tflite` holds
BATCH = 25

Formats = dict[str, Format]


@dataclass(frozen=True)
class Trial:
    """One choice of bit widths; None is float.

    `top1` and `top5` are fractions in [0, 1]; `against_float` pairs the answers with those of the float network.
    How near the two are shows sooner in the share of equal answers, `agreement_top1`, and in the mean Kullback-Leibler
    `divergence` of the probabilities, in nats.
    """

    weights: int | None
    outputs: int | None
    top1: float
    top5: float
    against_float: Paired
    agreement_top1: float
    divergence: float


@dataclass(frozen=True)
class Trimming:
    """The whole table.

    Attributes:
      judged_by: `labels`, or `agreement` with the float network's answers where there are none.
      images: pictures judged on.
      calibration_images: pictures that outputs' fractional lengths were chosen on.
      margin_pp: the largest drop allowed to a class of its own, in percentage points.
      float_top1: fraction in [0, 1]; 1 if judged by agreement.
      float_top5: the same among the five highest.
      per_channel: whether a kernel had a fractional length for each output channel.
      trials: weights alone, outputs alone, both as chosen, both at 8 bits.
      bits: the width chosen for each class, `weights` and `outputs`.
    """

    judged_by: str
    images: int
    calibration_images: int
    margin_pp: float
    float_top1: float
    float_top5: float
    per_channel: bool
    trials: tuple[Trial, ...]
    bits: dict[str, int]


def trim(
    model: Any,
    x: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    bits: Sequence[int] = BITS,
    margin_pp: float = MARGIN_PP,
    per_channel: bool = False,
    candidates: Iterable[int] = SEARCHED,
    progress: Progress | None = None,
) -> Trimming:
    """Return how accuracy falls with the bits of weights and of layer outputs, and the widths that suffice.

    Args:
      model: the plain graph (no batch norm, activations inside the convolutions); not changed.
      x: calibration input float32 [N, H, W, C].
      test: input to judge on, float32 [M, H, W, C], or anything sliced that gives it.
      labels: integers [M]; without them the float network's answers are what is right.
      bits: widths to try, 2 to 16.
      margin_pp: the largest drop of top-1 that a width may cost its class, in percentage points.
      per_channel: give each output channel of a kernel a fractional length of its own.
      candidates: fractional lengths tried, relative to the one the maximum gives; (0,) takes that one.
      progress: called with a label, trials done, trials in all.

    Raises:
      ConfigError: a bit width cannot be simulated, or there is none.
      DataError: there are no pictures.
    """
    widths = _checked(bits)
    if not len(x) or not len(test):
        raise DataError("there are no pictures to trim on", expected="at least 1 to calibrate and 1 to judge")
    judge = _Judge(model, test, labels, progress, steps=2 * len(widths) + 4)
    weights = {width: _weight_formats(model, width, per_channel, candidates) for width in (*widths, PRODUCT_BITS)}
    outputs = output_formats(model, x, (*widths, PRODUCT_BITS), candidates)
    judge.step()
    trials = [judge.trial(weights[width], {}) for width in widths]
    trials += [judge.trial({}, outputs[width]) for width in widths]
    chosen = {
        "weights": smallest(((trial.weights, trial.against_float.drop_pp) for trial in trials), margin_pp),
        "outputs": smallest(((trial.outputs, trial.against_float.drop_pp) for trial in trials), margin_pp),
    }
    trials.append(judge.trial(weights[chosen["weights"]], outputs[chosen["outputs"]]))
    trials.append(judge.trial(weights[PRODUCT_BITS], outputs[PRODUCT_BITS]))
    return Trimming(
        judged_by="agreement" if labels is None else "labels",
        images=len(test),
        calibration_images=len(x),
        margin_pp=margin_pp,
        float_top1=judge.top1,
        float_top5=judge.top5,
        per_channel=per_channel,
        trials=tuple(dict.fromkeys(trials)),
        bits=chosen,
    )


def smallest(drops: Iterable[tuple[int | None, float]], margin_pp: float) -> int:
    """Return the smallest width down to which no drop exceeds the margin; the largest width if even that does.

    Args:
      drops: pairs of bit width and drop in percentage points; pairs without a width are left out.
      margin_pp: the largest drop allowed.
    """
    found = 0
    for width, drop in sorted(((width, drop) for width, drop in drops if width), reverse=True):
        if drop > margin_pp:
            return found or width
        found = width
    return found


def output_formats(
    model: Any, x: np.ndarray, bits: Iterable[int], candidates: Iterable[int] = SEARCHED
) -> dict[int, Formats]:
    """Return for each bit width the format of every layer output that has one, by squared error on `x`.

    Args:
      model: the plain graph.
      x: calibration input float32 [N, H, W, C].
      bits: widths, 2 to 16.
      candidates: fractional lengths tried, relative to the one the maximum gives.
    """
    names = ranged_layers(model)
    probe = keras.Model(model.input, [model.get_layer(name).output for name in names])
    largest = np.zeros(len(names))
    for outputs in _probed(probe, x):
        largest = np.maximum(largest, [np.abs(output).max() for output in outputs])
    costs: dict[tuple[int, int], dict[int, float]] = {
        (place, width): {fractional_length(value, width) + offset: 0.0 for offset in candidates}
        for place, value in enumerate(largest)
        for width in bits
    }
    for outputs in _probed(probe, x):
        for (place, width), errors in costs.items():
            for length in errors:
                errors[length] += _squared_error(outputs[place], Format(width, length))
    return {
        width: {name: Format(width, least(costs[place, width])) for place, name in enumerate(names)} for width in bits
    }


def _checked(bits: Sequence[int]) -> tuple[int, ...]:
    widths = tuple(sorted(set(bits), reverse=True))
    if not widths or not all(2 <= width <= 16 for width in widths):
        raise ConfigError(f"bit widths to trim are {list(bits)}", expected="some of 2 to 16")
    return widths


def _weight_formats(model: Any, bits: int, per_channel: bool, candidates: Iterable[int]) -> Formats:
    """Return the format of each kernel."""

    def form(kernel: np.ndarray) -> Format:
        if per_channel:
            return Format(bits, best_fractional_lengths(kernel, bits), narrow=True)
        by_maximum = fractional_length(kernel, bits)
        tried = [by_maximum + offset for offset in candidates]
        return Format(bits, best_fractional_length(kernel, bits, narrow=True, candidates=tried), narrow=True)

    return {layer.name: form(layer.kernel.numpy()) for layer in convolutions(model)}


def _probed(probe: Any, x: np.ndarray) -> Iterator[list[Any]]:
    for start in range(0, len(x), BATCH):
        found = probe(x[start : start + BATCH], training=False)
        yield found if isinstance(found, list) else [found]


def _squared_error(values: Any, form: Format) -> float:
    return float(tf.reduce_sum(tf.math.squared_difference(values, _on_grid(values, form))))


def _on_grid(values: Any, form: Format) -> Any:
    low, high = form.range
    return tf.quantization.fake_quant_with_min_max_args(values, low, high, num_bits=form.bits)


class _Judge:
    """Runs a network with numbers on their grids and compares its answers with the float network's."""

    def __init__(
        self, model: Any, test: np.ndarray, labels: np.ndarray | None, progress: Progress | None, steps: int
    ) -> None:
        self.model, self.test = model, test
        self._tell = progress or (lambda label, done, total: None)
        self._done, self._steps = 0, steps
        self.scores = self._scores(model, {})
        self.labels = self.scores.argmax(axis=1) if labels is None else np.asarray(labels)
        self.right = top_k_correct(self.scores, self.labels, 1)
        found = accuracy(self.scores, self.labels)
        self.top1, self.top5 = found.top1, found.top5
        self.step()

    def step(self) -> None:
        """Tell that one more part is done."""
        self._done += 1
        self._tell("trim", self._done, self._steps)

    def trial(self, weights: Formats, outputs: Formats) -> Trial:
        """Return how the network answers with kernels and layer outputs in these formats; none is float."""
        scores = self._scores(_with_weights(self.model, weights), outputs)
        found = accuracy(scores, self.labels)
        self.step()
        return Trial(
            _width(weights),
            _width(outputs),
            found.top1,
            found.top5,
            paired_drop(self.right, top_k_correct(scores, self.labels, 1)),
            float(np.mean(scores.argmax(axis=1) == self.scores.argmax(axis=1))),
            divergence(self.scores, scores),
        )

    def _scores(self, model: Any, outputs: Formats) -> np.ndarray:
        batches = range(0, len(self.test), BATCH)
        return np.concatenate([run(model, self.test[start : start + BATCH], outputs).numpy() for start in batches])


def _width(formats: Formats) -> int | None:
    return next((form.bits for form in formats.values()), None)


def _with_weights(model: Any, formats: Formats) -> Any:
    """Return a copy of a network with its kernels on their grids, or the network itself if none has one."""
    if not formats:
        return model
    result = copy_model(model)
    for name, form in formats.items():
        kernel, *rest = result.get_layer(name).get_weights()
        result.get_layer(name).set_weights([fake_quantize(kernel, form), *rest])
    return result


def run(model: Any, x: np.ndarray, outputs: Mapping[str, Format]) -> Any:
    """Return a network's output with the outputs of some layers put on their grids, layer by layer.

    Args:
      model: the plain graph.
      x: input float32 [N, H, W, C].
      outputs: layer name → format.
    """
    values = {model.layers[0].name: tf.constant(x)}
    left = {layer.name: len(layer.outbound_nodes) for layer in model.layers}
    for layer in model.layers[1:]:
        sources = [source.name for source in tf.nest.flatten(layer.inbound_nodes[0].inbound_layers)]
        inputs = [values[source] for source in sources]
        found = layer(inputs if len(inputs) > 1 else inputs[0])
        values[layer.name] = _on_grid(found, outputs[layer.name]) if layer.name in outputs else found
        for source in sources:
            left[source] -= 1
            if not left[source]:
                del values[source]
    return values[model.layers[-1].name]
