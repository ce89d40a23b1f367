"""Points of an exploration whose figures are made up."""

from __future__ import annotations

from dataclasses import replace

from sqz_tf.base.spec import ModelSpec
from sqz_tf.trials.learning import Learnt
from sqz_tf.trials.points import Point
from sqz_tf.trials.rows import Row
from sqz_tf.trials.sizes import Sizes

BASE = ModelSpec(input_size=48, channels=1, classes=10, width=0.25)


def sizes(flash: int, lacking: tuple[str, ...] = ()) -> Sizes:
    return Sizes(
        parameters=100,
        int8_bytes=130,
        float_mib=flash / 1000,
        macs=1000,
        ram=2000,
        flash=flash,
        arena=1000,
        stack=900,
        static=100,
        weights=flash - 5,
        code=5,
        linked=True,
        optimize="speed",
        milliseconds=(1.0, 2.0),
        lacking=lacking,
    )


def learnt(validation: float, curve: tuple[float, ...] = ()) -> Learnt:
    return Learnt(validation, 40, 9, 20, curve or (validation,), 1.5)


def row(width: float, flash: int, validation: float) -> Row:
    """Return a trained point."""
    point = replace(Point.of(BASE), width=width)
    return Row(point, sizes(flash), "trained", learnt(validation), 1, "", 1)
