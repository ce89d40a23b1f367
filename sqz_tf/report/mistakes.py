"""The pictures that int8 got wrong, the surest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mistake:
    """A test picture the int8 model got wrong: uint8 [h, w, c] as the device sees it, class names, certainty."""

    image: np.ndarray
    truth: str
    predicted: str
    probability: float
    name: str


def mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str],
    most: int = 24,
) -> list[Mistake]:
    """Return the surest mistakes, the surest first.

    Args:
      images: uint8 [N, h, w, c].
      labels: integers [N].
      scores: [N, classes]; int8 and uint8 are softmax outputs at scale 1/256, floats are probabilities.
      names: file name of each picture.
      classes: class names in output order.
      most: how many to return at most.
    """
    answers = np.argmax(scores, axis=1)
    wrong = np.flatnonzero(answers != labels)
    sure = _probability(scores)[wrong, answers[wrong]]
    order = wrong[np.argsort(-sure, kind="stable")][:most]
    return [
        Mistake(
            images[i], classes[labels[i]], classes[answers[i]], float(_probability(scores[i])[answers[i]]), names[i]
        )
        for i in order
    ]


def _probability(scores: np.ndarray) -> np.ndarray:
    if scores.dtype == np.int8:
        return (scores.astype(np.float64) + 128) / 256
    return scores.astype(np.float64) / (256 if scores.dtype == np.uint8 else 1)
