"""Accuracy: every model on the same held-out pictures, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, Drawing, name_rows
from sqz_tf.report.sections.section import Section, Values
from sqz_tf.report.words import accuracy_rows, agreement_sentence


def accuracy_intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Draw top-1 of each stage with its interval; rows of (label, top1, low, high), fractions."""
    with Drawing(34 * len(rows) + 44) as drawing:
        axes = drawing.axes
        for place, (_, top1, low, high) in enumerate(rows):
            axes.plot([100 * low, 100 * high], [place, place], color=BLUE, linewidth=5, alpha=0.3)
            axes.plot([100 * top1], [place], color=BLUE, marker="o", markersize=8)
        name_rows(axes, [label for label, *_ in rows], ink=True)
        axes.set_xlabel("top-1 on the test pictures, %, with its 95 % interval")
        low, high = min(row[2] for row in rows), max(row[3] for row in rows)
        margin = max(0.005, 0.06 * (high - low))
        axes.set_xlim(100 * max(0.0, low - margin), 100 * min(1.0, high + margin) + 0.2)
        axes.locator_params(axis="x", nbins=6)
    return drawing.svg("accuracy", "Top-1 accuracy of each stage with its 95 % interval")


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    rows = [(row["title"], row["top1"], *row["interval"]) for row in accuracy_rows(report)]
    return {"plots": {"accuracy": accuracy_intervals(rows)}, "agreement_sentence": agreement_sentence(report)}


SECTION = Section("accuracy", "Accuracy", "accuracy.html.j2", _context)
