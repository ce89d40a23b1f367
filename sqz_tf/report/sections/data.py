"""Data: splits, licence, notes."""

from __future__ import annotations

from typing import Any

from sqz_tf.report.sections.section import Section

SPLITS = ("train", "calibration", "validation", "test")


def split_rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each split: its pictures, the fewest and the most in a class."""
    names = [name for name in SPLITS if name in data["counts"]]
    names += sorted(set(data["counts"]) - set(names))
    return [
        {
            "name": name,
            "total": data["counts"][name],
            "fewest": min(data["per_class"][name]),
            "most": max(data["per_class"][name]),
            "per_class": data["per_class"][name],
        }
        for name in names
    ]


SECTION = Section("data", "Data", "data.html.j2")
