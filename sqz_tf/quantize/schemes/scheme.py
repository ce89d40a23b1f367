"""What a quantization scheme is: one value, with everything that tells it from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.tflite.from_keras import Scales
from converters.tflite.reader import Model
from sqz_tf.quantize.schemes.grid import Grid


@dataclass(frozen=True, eq=False)
class Judged:
    """What the held-out pictures said, for a scheme's own figures.

    Attributes:
      labels: integers [N].
      int8: scores of the result, int8 [N, classes].
      before: the same before it was fine-tuned; None where it was not.
      rival: the same of the scheme it is compared with; None where it has none.
      trimming: how few bits would do, as plain values; None where it was not asked.
    """

    labels: np.ndarray
    int8: np.ndarray
    before: np.ndarray | None = None
    rival: np.ndarray | None = None
    trimming: dict[str, Any] | None = None


def _unchanged(model: bytes) -> bytes:
    return model


def _no_more(model: bytes, expected: Scales) -> None:
    """Nothing besides integers is promised."""


def _no_figures(model: Model, judged: Judged) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Scheme:
    """One way to make 8 bits of a float network.

    Attributes:
      name: as `--scheme` has it.
      about: what it is, in a few words.
      per_channel: whether a kernel has a scale for each output channel, unless told otherwise.
      grid: makes the grid, given `per_channel`.
      distilling_epochs: how long published weights are distilled, unless told otherwise; 0: not at all.
      operators: what its `.tflite` may hold besides SqueezeNet's own operators.
      finish: the last edit of the converted `.tflite`.
      verify: raises ValueError unless a `.tflite` has the scales it was trained with.
      rival: the scheme to compare with on the same pictures, if any.
      trims: with a rival: whether it is tried how few bits would do (`sqz_tf.quantize.trimming`, powers of two).
      figures: further sections of report.json.
    """

    name: str
    about: str
    per_channel: bool
    grid: Callable[[bool], Grid]
    distilling_epochs: int = 0
    operators: frozenset[str] = frozenset()
    finish: Callable[[bytes], bytes] = _unchanged
    verify: Callable[[bytes, Scales], None] = _no_more
    rival: str | None = None
    trims: bool = False
    figures: Callable[[Model, Judged], dict[str, Any]] = _no_figures
