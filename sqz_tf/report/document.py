"""`report.json`: checked, and written with sorted keys, no NaN, one list of numbers to a line."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from converters import strict_json
from sqz_tf.report.plots import MATRIX_CLASSES
from sqz_tf.report.schema import FORMAT, SCHEMA, check, malformed
from sqz_tf.report.sections.every import SECTIONS


def validate(report: dict[str, Any]) -> None:
    """Check that a report is complete.

    Raises:
      OutputError: a key is missing, a value has another type, is not finite, or is no fraction where one belongs;
        the message names its place, such as `accuracy.int8.top1`.
    """
    check(report, SCHEMA, "")
    for section in SECTIONS:
        if section.needs(report):
            check(report, section.schema, "")
            section.check(report)
    if report["format"] != FORMAT:
        raise malformed("format", report["format"], f"{FORMAT}")
    classes = len(report["data"]["classes"])
    for split, counts in report["data"]["per_class"].items():
        if len(counts) != classes:
            raise malformed(f"data.per_class.{split}", f"{len(counts)} numbers", f"one for each of {classes} classes")
    if set(report["data"]["counts"]) != set(report["data"]["per_class"]):
        raise malformed("data.per_class", sorted(report["data"]["per_class"]), "the splits of data.counts")


def plain(report: dict[str, Any]) -> dict[str, Any]:
    """Return a checked copy of plain JSON values with sorted keys, as `report.json` gives it back."""
    values: dict[str, Any] = strict_json.plain(report, _plain_value)
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
