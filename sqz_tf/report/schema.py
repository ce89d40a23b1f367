"""What `report.json` must hold: kinds of values, and the keys that every report has."""

from __future__ import annotations

import math
from typing import Any

from sqz_tf.base.errors import OutputError

FORMAT = 1


class Fraction:
    """A number in [0, 1]."""


class Pair:
    """A list of two values of the given kind."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class Or:
    """A value of the given kind, or null."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


ANY = "*"  # as a key: every other key
FRACTION = Fraction()
NUMBER = (int, float)
ACCURACY = {"top1": FRACTION, "top5": FRACTION, "n": int, "interval": Pair(FRACTION)}
EDGE = {
    "gate": str,
    "passed": Or(bool),
    "n": int,
    "equal": Or(bool),
    "max_abs_diff": Or(NUMBER),
    "first_bad_layer": Or(str),
    "agreement_top1": Or(FRACTION),
    "skipped": Or(str),
}
SIZE = {"bytes": int, "xz": int}
PAIRED = {"drop_pp": NUMBER, "interval_pp": Pair(NUMBER), "lost": int, "gained": int, "n": int, "mcnemar_p": FRACTION}

# Keys not named here may be added freely. Null means that the stage was not part of the run.
SCHEMA: dict[str, Any] = {
    "format": int,
    "sqz_tf": str,
    "name": str,
    "command": str,
    "scheme": str,
    "data": {
        "source": str,
        "name": str,
        "classes": [str],
        "counts": {ANY: int},
        "per_class": {ANY: [int]},
        "licence": Or(str),
        "notes": [str],
    },
    "model": {"arch": str, "input_size": int, "channels": int, "width": NUMBER, "bypass": str},
    "preprocess": {
        "width": int,
        "height": int,
        "channels": int,
        "fit": str,
        "resize_width": int,
        "resize_height": int,
        "scale": NUMBER,
        "mean": [NUMBER],
        "std": [NUMBER],
    },
    "config": {"check": {"max_drop": NUMBER}, ANY: object},
    "accuracy": {
        "float": ACCURACY,
        "pruned": Or(ACCURACY),
        "final_float": Or(ACCURACY),
        "int8": ACCURACY,
        "drop_pp": NUMBER,
        "drop_interval_pp": Pair(NUMBER),
        "mcnemar_p": FRACTION,
        "flips": {"lost": int, "gained": int},
    },
    "agreement_top1": FRACTION,
    "sparsity": {"target": FRACTION, "layers": {ANY: {"pruned": FRACTION, "tflite": FRACTION}}},
    "sizes": {"model_f32.tflite": SIZE, "model_int8.tflite": SIZE, ANY: SIZE},
    "params": int,
    "macs": int,
    "tflm": {
        "arena_bytes": Or(int),
        "arena_measured_bytes": Or(int),
        "margin_bytes": Or(int),
        "ops": [str],
    },
    "parity": {ANY: EDGE},
    "sqnr": {"layers": {ANY: Or(NUMBER)}, "worst": Or(str)},
    "training": {ANY: Or(dict)},
    "confusion": Or((list, dict)),
    "gate": {"passed": bool, "failures": [str], "warnings": [str]},
    "seconds": {ANY: NUMBER},
}


def check(value: Any, kind: Any, where: str) -> None:
    """Raise OutputError unless a value is of a kind; `where` names its place, such as `accuracy.int8.top1`."""
    if isinstance(kind, Or):
        if value is not None:
            check(value, kind.kind, where)
    elif isinstance(kind, Pair):
        check(value, [kind.kind], where)
        if len(value) != 2:
            raise malformed(where, value, "two numbers")
    elif isinstance(kind, Fraction):
        check(value, NUMBER, where)
        if not 0 <= value <= 1:
            raise malformed(where, value, "a fraction from 0 to 1")
    elif isinstance(kind, dict):
        _check_keys(value, kind, where)
    elif isinstance(kind, list):
        check(value, list, where)
        for index, item in enumerate(value):
            check(item, kind[0], f"{where}[{index}]")
    elif not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, NUMBER)):
        raise malformed(where, value, _name(kind))
    elif isinstance(value, float) and not math.isfinite(value):
        raise malformed(where, value, "a finite number")


def _check_keys(value: Any, kinds: dict[str, Any], where: str) -> None:
    check(value, dict, where)
    for key, kind in kinds.items():
        place = f"{where}.{key}".lstrip(".")
        if key != ANY:
            if key not in value:
                raise malformed(place, "nothing", "a value")
            check(value[key], kind, place)
    for key in sorted(set(value) - set(kinds)) if ANY in kinds else ():
        check(value[key], kinds[ANY], f"{where}.{key}")


def malformed(where: str, received: Any, expected: str) -> OutputError:
    """Return the error for a value that is not what belongs in its place."""
    return OutputError(f"the report is malformed: {where} is {received!r:.80}", expected=expected)


def _name(kind: Any) -> str:
    return " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
