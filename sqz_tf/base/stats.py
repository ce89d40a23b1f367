"""Accuracy with its uncertainty: NumPy and the standard library only, so the light runtime can use it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sqz_tf.base.errors import DataError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Accuracy:
    """Fractions in [0, 1] over `n` pictures; `interval` is the 95 % Wilson interval of `top1`."""

    top1: float
    top5: float
    n: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same `n` pictures.

    `lost` pictures only the reference gets right (b of the 2×2 table), `gained` only the candidate (c).
    `drop_pp` = 100 (b - c) / n percentage points, positive when the candidate is worse; `interval_pp` is its
    95 % interval; `mcnemar_p` the exact two-sided p value of "neither is better".
    """

    drop_pp: float
    interval_pp: tuple[float, float]
    lost: int
    gained: int
    n: int
    mcnemar_p: float


def top_k_correct(scores: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Tell for each picture whether its label is among the `k` highest scores; of equal scores the lower index wins.

    Counts the classes ranked before the label, so nothing is sorted or negated: `argsort(-scores)` is wrong for
    int8, where -(-128) overflows.

    Args:
      scores: [N, classes], any real dtype.
      labels: integers [N] in [0, classes).
      k: at least 1; from `classes` on every picture counts.

    Returns:
      bool [N].

    Raises:
      DataError: the shapes do not fit, a label is out of range, a score is NaN, or k < 1.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    _check_scores(scores, labels)
    if k < 1:
        raise DataError(f"k is {k}", expected="at least 1")
    own = scores[np.arange(len(labels)), labels][:, None]
    before = np.arange(scores.shape[1])[None, :] < labels[:, None]
    rank = (scores > own).sum(axis=1) + ((scores == own) & before).sum(axis=1)
    result: np.ndarray = rank < k
    return result


def wilson_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927, JASA 22:209).

    Returns:
      (low, high) in [0, 1]; (0, 1) for n = 0.

    Raises:
      DataError: `successes` is not in 0…n.
    """
    if not 0 <= successes <= n:
        raise DataError(f"{successes} of {n} pictures are right", expected=f"a count from 0 to {n}")
    if n == 0:
        return 0.0, 1.0
    z = _z(confidence)
    p, spread = successes / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (p * (1 - p) + spread / 4)) / (1 + spread)
    # The limits are exactly 0 and 1 at the ends, where rounding would leave a trace.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return low, high


def accuracy(scores: np.ndarray, labels: np.ndarray) -> Accuracy:
    """Return top-1 and top-5 accuracy with the 95 % interval of top-1.

    Args:
      scores: [N, classes]; see `top_k_correct`.
      labels: integers [N].

    Raises:
      DataError: there is no picture, or the arrays do not fit.
    """
    return accuracy_of(top_k_correct(scores, labels, 1), top_k_correct(scores, labels, 5))


def accuracy_of(top1: np.ndarray, top5: np.ndarray) -> Accuracy:
    """Return the accuracy of pictures that are known to be right or wrong.

    Args:
      top1, top5: bool [N], whether the label is the best class, and among the five best.

    Raises:
      DataError: there is no picture.
    """
    n, right = len(top1), int(top1.sum())
    if n == 0:
        raise DataError("there is no picture to judge on", expected="at least 1")
    return Accuracy(right / n, float(top5.mean()), n, wilson_interval(right, n))


def answered(answers: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Tell for each picture whether its label is among the first `k` answers.

    Args:
      answers: integers [N, m], classes of each picture, best first.
      labels: integers [N].

    Returns:
      bool [N].
    """
    found: np.ndarray = (answers[:, :k] == np.asarray(labels)[:, None]).any(axis=1)
    return found


def confusion(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count pictures by label and by predicted class; of equal scores the lower index wins.

    Args:
      scores: [N, classes]; see `top_k_correct`.
      labels: integers [N].

    Returns:
      int64 [classes, classes]; row: label, column: prediction.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    _check_scores(scores, labels)
    counts = np.zeros((scores.shape[1],) * 2, np.int64)
    np.add.at(counts, (labels, scores.argmax(axis=1)), 1)
    return counts


def paired_drop(reference_correct: np.ndarray, candidate_correct: np.ndarray, confidence: float = CONFIDENCE) -> Paired:
    """Compare two classifiers judged on the same pictures.

    The interval is Wald's with one picture added to each discordant cell (Bonett and Price 2012, J. Educ. Behav.
    Stat. 37:479), recommended for paired proportions by Fagerland, Lydersen and Laake (2014, Stat. Med. 33:2850):
    it keeps its coverage where hardly any picture changes sides, the usual case here.

    Args:
      reference_correct: bool [N].
      candidate_correct: bool [N].

    Raises:
      DataError: the arrays are empty or of different lengths.
    """
    reference = np.asarray(reference_correct, bool)
    candidate = np.asarray(candidate_correct, bool)
    if reference.shape != candidate.shape or reference.ndim != 1 or not reference.size:
        raise DataError(
            f"results of shapes {reference.shape} and {candidate.shape} are to be paired",
            expected="two equally long, non-empty rows",
        )
    n = len(reference)
    lost, gained = int((reference & ~candidate).sum()), int((candidate & ~reference).sum())
    low, high = _bonett_price(lost, gained, n, confidence)
    drop = 100 * (lost - gained) / n
    return Paired(drop, (100 * low, 100 * high), lost, gained, n, mcnemar_exact(lost, gained))


def mcnemar_exact(lost: int, gained: int) -> float:
    """Return the exact two-sided p value of McNemar's test: is a coin that lands `lost` : `gained` fair?"""
    tosses, fewer = lost + gained, min(lost, gained)
    if lost == gained:
        return 1.0
    tail = sum(math.comb(tosses, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / 2**tosses)


def _bonett_price(lost: int, gained: int, n: int, confidence: float) -> tuple[float, float]:
    p, q = (lost + 1) / (n + 2), (gained + 1) / (n + 2)
    half = _z(confidence) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return max(-1.0, p - q - half), min(1.0, p - q + half)


def _z(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise DataError(f"confidence is {confidence}", expected="a number between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _check_scores(scores: np.ndarray, labels: np.ndarray) -> None:
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise DataError(
            f"scores of shape {scores.shape} with labels of shape {labels.shape}",
            expected="[N, classes] and [N]",
        )
    if labels.dtype.kind not in "iu" and labels.size:
        raise DataError(f"labels are {labels.dtype}", expected="integers")
    if labels.size and not (labels.min() >= 0 and labels.max() < scores.shape[1]):
        raise DataError(f"labels run from {labels.min()} to {labels.max()}", expected=f"0 to {scores.shape[1] - 1}")
    if scores.dtype.kind == "f" and np.isnan(scores).any():
        raise DataError("a score is NaN", expected="numbers", fix="the model's output is broken")
