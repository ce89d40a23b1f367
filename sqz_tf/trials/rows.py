"""What is known of each point of a study, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqz_tf.base.stats import wilson_interval
from sqz_tf.trials.learning import Learnt
from sqz_tf.trials.points import Point
from sqz_tf.trials.sizes import Sizes

TRAINED, TOO_LARGE, STOPPED, NOTHING, NOT_TRAINED = "trained", "too large", "stopped", "learnt nothing", "not trained"
FAILED = "failed"


@dataclass(frozen=True)
class Row:
    """A point, what it takes, and how well it learns.

    Attributes:
      state: trained, too large for the limits, stopped because it could not win, learnt nothing, failed for another
        reason, or not trained.
      learnt: None unless it is trained.
      epochs: that were run.
      why: what a reader should know of the state.
      seed: of its training.
    """

    point: Point
    sizes: Sizes
    state: str
    learnt: Learnt | None = None
    epochs: int = 0
    why: str = ""
    seed: int = 0


def front(rows: Sequence[Row]) -> list[Row]:
    """Return the trained rows that no other beats, by flash: none takes as little and is right as often.

    Of rows that are equal in both the first stays.
    """
    best, found = -1.0, []
    trained = [row for row in rows if row.learnt]
    for row in sorted(trained, key=lambda row: (row.sizes.flash, -_validation(row))):
        if _validation(row) > best:
            best = _validation(row)
            found.append(row)
    return found


def _validation(row: Row) -> float:
    assert row.learnt is not None
    return row.learnt.validation


def interval(row: Row) -> tuple[float, float]:
    """Return the 95 % interval of a trained row's validation accuracy."""
    assert row.learnt is not None
    right = round(row.learnt.validation * row.learnt.validation_pictures)
    return wilson_interval(right, row.learnt.validation_pictures)


def held_out_interval(learnt: Learnt) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy on held-out pictures."""
    return wilson_interval(learnt.test_right, learnt.test_pictures)


def values(row: Row, in_front: bool) -> dict[str, Any]:
    """Return a row as plain values by column; what is not known is None, and so is test accuracy off the front."""
    learnt, sizes = row.learnt, asdict(row.sizes)
    low, high = sizes.pop("milliseconds")
    lacking = sizes.pop("lacking")
    found = {**asdict(row.point), **sizes, "milliseconds_low": round(low, 3), "milliseconds_high": round(high, 3)}
    if not row.sizes.known:
        found = {**dict.fromkeys(found), **asdict(row.point)}
    found |= {"lacking": " and ".join(lacking), "state": row.state, "why": row.why, "epochs": row.epochs}
    found |= {"seed": row.seed, "front": in_front}
    found |= dict.fromkeys(("validation", "validation_low", "validation_high", "validation_pictures"))
    found |= dict.fromkeys(("test", "test_low", "test_high", "test_pictures", "seconds"))
    if learnt:
        found["validation"], (found["validation_low"], found["validation_high"]) = learnt.validation, interval(row)
        found |= {"validation_pictures": learnt.validation_pictures, "seconds": round(learnt.seconds, 1)}
    if learnt and in_front:
        found["test"] = learnt.test_right / learnt.test_pictures
        found["test_low"], found["test_high"] = held_out_interval(learnt)
        found["test_pictures"] = learnt.test_pictures
    return found
