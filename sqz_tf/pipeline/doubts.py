"""Networks that pass every comparison and know nothing: told as soon as the float network has answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sqz_tf.base.stats import wilson_interval
from sqz_tf.pipeline.run import Material, Run


def doubts(run: Run, material: Material, network: Path, what: str, fix: str) -> tuple[str, ...]:
    """Say if a float network is right no more often than a guess, and return that.

    Args:
      network: the stage's folder, with its scores on the held-out pictures.
      what: what is right so rarely.
      fix: what to do.
    """
    data = material.dataset
    labels = np.asarray(data.labels[data.splits["test"]])
    guess = no_more_than_a_guess(np.load(network / "scores.npy"), labels, data.classes)
    line = f"warning: {what} is {guess}: {fix}" if guess else ""
    if line:
        run.console.note(f"note: {line}")
    return (line,) if line else ()


def no_more_than_a_guess(scores: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> str:
    """Say how often a network is right if that may be by guessing; else return nothing.

    A guess is the most frequent class for every picture; where pictures of some classes alone are at hand, one of all
    the classes by lot.

    Args:
      scores: [N, outputs].
      labels: the output that is right for each picture, integers [N].
      names: of the outputs.
    """
    counts, right = np.bincount(labels, minlength=len(names)), int((scores.argmax(1) == labels).sum())
    guessed, how = counts.max() / len(labels), f"always {names[int(counts.argmax())]}"
    if not counts.all():
        guessed, how = 1 / len(names), "by lot"
    halved = len(labels) - right <= (1 - guessed) * len(labels) / 2  # of a rare class the interval says little
    if halved or wilson_interval(right, len(labels))[0] > guessed:
        return ""
    return f"right on {right} of {len(labels)} held-out pictures, hardly more than guesses ({how}: {guessed:.1%})"
