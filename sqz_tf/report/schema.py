"""What `report.json` must hold, and how it is written: sorted keys, no NaN, one list of numbers to a line."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from sqz_tf.base.errors import OutputError
from sqz_tf.report.plots import MATRIX_CLASSES

FORMAT = 1


class _Fraction:
    """A number in [0, 1]."""


class _Pair:
    """A list of two values of the given kind."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


class _Or:
    """A value of the given kind, or null."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind


ANY = "*"  # as a key: every other key
FRACTION = _Fraction()
NUMBER = (int, float)
ACCURACY = {"top1": FRACTION, "top5": FRACTION, "n": int, "interval": _Pair(FRACTION)}
EDGE = {
    "gate": str,
    "passed": _Or(bool),
    "n": int,
    "equal": _Or(bool),
    "max_abs_diff": _Or(NUMBER),
    "first_bad_layer": _Or(str),
    "agreement_top1": _Or(FRACTION),
    "skipped": _Or(str),
}
SIZE = {"bytes": int, "xz": int}
PAIRED = {"drop_pp": NUMBER, "interval_pp": _Pair(NUMBER), "lost": int, "gained": int, "n": int, "mcnemar_p": FRACTION}
TRIAL = {
    "weights": _Or(int),
    "outputs": _Or(int),
    "top1": FRACTION,
    "top5": FRACTION,
    "against_float": PAIRED,
    "agreement_top1": FRACTION,
    "divergence": NUMBER,
}
TRIMMING = {
    "judged_by": str,
    "images": int,
    "calibration_images": int,
    "margin_pp": NUMBER,
    "float_top1": FRACTION,
    "float_top5": FRACTION,
    "per_channel": bool,
    "trials": [TRIAL],
    "bits": {"weights": int, "outputs": int},
}

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
        "licence": _Or(str),
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
        "pruned": _Or(ACCURACY),
        "final_float": _Or(ACCURACY),
        "int8": ACCURACY,
        "drop_pp": NUMBER,
        "drop_interval_pp": _Pair(NUMBER),
        "mcnemar_p": FRACTION,
        "flips": {"lost": int, "gained": int},
    },
    "agreement_top1": FRACTION,
    "sparsity": {"target": FRACTION, "layers": {ANY: {"pruned": FRACTION, "tflite": FRACTION}}},
    "sizes": {"model_f32.tflite": SIZE, "model_int8.tflite": SIZE, ANY: SIZE},
    "params": int,
    "macs": int,
    "tflm": {
        "arena_bytes": _Or(int),
        "arena_measured_bytes": _Or(int),
        "margin_bytes": _Or(int),
        "ops": [str],
    },
    "parity": {ANY: EDGE},
    "sqnr": {"layers": {ANY: _Or(NUMBER)}, "worst": _Or(str)},
    "training": {ANY: _Or(dict)},
    "confusion": _Or((list, dict)),
    "gate": {"passed": bool, "failures": [str], "warnings": [str]},
    "seconds": {ANY: NUMBER},
}

# What a report of scheme `ristretto` holds besides.
RISTRETTO: dict[str, Any] = {
    "fractional_length": {ANY: (int, list)},  # of each tensor, or of each output channel of a kernel
    "bits": {ANY: int},  # of each class of numbers
    "ristretto": {
        "before": _Or(ACCURACY),  # fine-tuning; null where there was none
        "after": ACCURACY,
        "free_scale": _Or(ACCURACY),
        "against_free_scale": _Or(PAIRED),  # lost: right with free scales, wrong with powers of two
        "trimming": _Or(TRIMMING),
    },
}

# What a report holds besides whose model was compiled to C.
MCU: dict[str, Any] = {
    "mcu": {
        "target": str,
        "arena_bytes": int,
        "weight_bytes": int,
        "timeline": {"kept": [int], "working": [int]},  # bytes in each step
        "whole_maps": {"layers": [str], "bytes": [int]},  # bytes of maps alive in each layer, were they kept whole
    }
}


def validate(report: dict[str, Any]) -> None:
    """Check that a report is complete.

    Raises:
      OutputError: a key is missing, a value has another type, is not finite, or is no fraction where one belongs;
        the message names its place, such as `accuracy.int8.top1`.
    """
    _check(report, SCHEMA, "")
    if report["scheme"] == "ristretto":
        _check(report, RISTRETTO, "")
    if "mcu" in report:
        _check(report, MCU, "")
        _check_lengths(report["mcu"])
    if report["format"] != FORMAT:
        raise _wrong("format", report["format"], f"{FORMAT}")
    classes = len(report["data"]["classes"])
    for split, counts in report["data"]["per_class"].items():
        if len(counts) != classes:
            raise _wrong(f"data.per_class.{split}", f"{len(counts)} numbers", f"one for each of {classes} classes")
    if set(report["data"]["counts"]) != set(report["data"]["per_class"]):
        raise _wrong("data.per_class", sorted(report["data"]["per_class"]), "the splits of data.counts")


def _check_lengths(mcu: dict[str, Any]) -> None:
    """Check that what is drawn together has one length."""
    for name, first, second in (("timeline", "kept", "working"), ("whole_maps", "layers", "bytes")):
        expected, received = len(mcu[name][first]), len(mcu[name][second])
        if expected != received or not expected:
            raise _wrong(f"mcu.{name}.{second}", f"{received} values", f"{expected or 'at least 1'}, as in {first}")


def plain(report: dict[str, Any]) -> dict[str, Any]:
    """Return a checked copy of plain JSON values with sorted keys, as `report.json` gives it back."""
    values: dict[str, Any] = json.loads(json.dumps(report, default=_plain_value, sort_keys=True))
    validate(values)
    values["confusion"] = _sparse_if_large(values["confusion"])
    return values


def to_json(report: dict[str, Any]) -> str:
    """Return the text of `report.json`.

    Raises:
      OutputError: see `validate`.
    """
    text = json.dumps(plain(report), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    # A line break directly after the bracket cannot stand inside a JSON string, so no text is touched.
    return re.sub(r"\[\n[-+\d.eE,\s]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def _check(value: Any, kind: Any, where: str) -> None:
    if isinstance(kind, _Or):
        if value is not None:
            _check(value, kind.kind, where)
    elif isinstance(kind, _Pair):
        _check(value, [kind.kind], where)
        if len(value) != 2:
            raise _wrong(where, value, "two numbers")
    elif isinstance(kind, _Fraction):
        _check(value, NUMBER, where)
        if not 0 <= value <= 1:
            raise _wrong(where, value, "a fraction from 0 to 1")
    elif isinstance(kind, dict):
        _check_keys(value, kind, where)
    elif isinstance(kind, list):
        _check(value, list, where)
        for index, item in enumerate(value):
            _check(item, kind[0], f"{where}[{index}]")
    elif not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, NUMBER)):
        raise _wrong(where, value, _name(kind))
    elif isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, value, "a finite number")


def _check_keys(value: Any, kinds: dict[str, Any], where: str) -> None:
    _check(value, dict, where)
    for key, kind in kinds.items():
        place = f"{where}.{key}".lstrip(".")
        if key != ANY:
            if key not in value:
                raise _wrong(place, "nothing", "a value")
            _check(value[key], kind, place)
    for key in sorted(set(value) - set(kinds)) if ANY in kinds else ():
        _check(value[key], kinds[ANY], f"{where}.{key}")


def _wrong(where: str, received: Any, expected: str) -> OutputError:
    return OutputError(f"the report is malformed: {where} is {received!r:.80}", expected=expected)


def _name(kind: Any) -> str:
    return " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))


def _plain_value(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a plain JSON value")


def _sparse_if_large(confusion: Any) -> Any:
    """Keep only the cells that count, as [truth, answer, count], of a matrix too large to be looked at."""
    if not isinstance(confusion, list) or len(confusion) <= MATRIX_CLASSES:
        return confusion
    cells = ((truth, answer, count) for truth, row in enumerate(confusion) for answer, count in enumerate(row))
    return {"cells": [list(cell) for cell in cells if cell[2]]}
