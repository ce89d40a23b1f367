"""Confusions: which classes are taken for which."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqz_tf.base.units import short
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, INK, ORANGE, WIDTH, Drawing
from sqz_tf.report.sections.section import Section, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COUNTED_CLASSES = 14  # up to here each cell shows its count


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Draw true classes as rows, answers as columns, shaded by the share of the row.

    Args:
      counts: [truth, answer], at most `MATRIX_CLASSES` of each.
      classes: their names.
    """
    number = len(classes)
    with Drawing(WIDTH) as drawing:
        axes = drawing.axes
        for truth, row in enumerate(counts):
            for answer, count in enumerate(row):
                if count:
                    _cell(axes, truth, answer, count, sum(row), number <= COUNTED_CLASSES)
        axes.set_xlim(-0.5, number - 0.5)
        axes.set_ylim(number - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.grid(visible=False)
        names = [short(name, 14) for name in classes]
        size = max(5.0, min(11.0, 260 / number))
        upright = number <= 12 and max(map(len, names)) <= 3
        turn: Any = {} if upright else {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(number), names, fontsize=size, **turn)
        axes.set_yticks(range(number), names, fontsize=size)
        axes.set_xlabel("answer of the int8 model")
        axes.set_ylabel("truth")
    return drawing.svg("confusion", "Confusion matrix of the int8 model: rows are true classes, columns answers")


def _cell(axes: Axes, truth: int, answer: int, count: int, total: int, counted: bool) -> None:
    from matplotlib.patches import Rectangle

    right = truth == answer
    strength = 0.12 + 0.43 * (count / total if right else math.sqrt(count / total))
    box = Rectangle((answer - 0.47, truth - 0.47), 0.94, 0.94, color=BLUE if right else ORANGE, alpha=strength)
    box.set_linewidth(0)
    axes.add_patch(box)
    if counted:
        axes.text(answer, truth, str(count), ha="center", va="center", color=INK, fontsize=11)


def cells(confusion: Any) -> list[tuple[int, int, int]]:
    """Return (truth, answer, count) of every cell that is not zero, from a matrix or its sparse form."""
    if confusion is None:
        return []
    if isinstance(confusion, dict):
        return [tuple(cell) for cell in confusion["cells"]]
    return [(t, a, count) for t, row in enumerate(confusion) for a, count in enumerate(row) if count]


def confused(confusion: Any, classes: list[str]) -> list[dict[str, Any]]:
    """Return the pairs taken for each other, the most frequent first."""
    found = cells(confusion)
    totals = _totals(found)
    wrong = sorted((cell for cell in found if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell[0], cell[1]))
    return [
        {"truth": classes[truth], "answer": classes[answer], "count": number, "share": number / totals[truth]}
        for truth, answer, number in wrong
    ]


def weakest(confusion: Any, classes: list[str], most: int) -> list[dict[str, Any]]:
    """Return the classes recognised least, where the matrix itself cannot be read for them."""
    if len(classes) <= COUNTED_CLASSES:
        return []
    found = cells(confusion)
    right = {truth: number for truth, answer, number in found if truth == answer}
    totals = _totals(found)
    order = sorted((right.get(truth, 0) / total, truth) for truth, total in totals.items())
    return [
        {"name": classes[truth], "right": right.get(truth, 0), "total": totals[truth]}
        for share, truth in order[:most]
        if share < 1
    ]


def _totals(found: Iterable[tuple[int, int, int]]) -> dict[int, int]:
    totals: dict[int, int] = {}
    for truth, _, number in found:
        totals[truth] = totals.get(truth, 0) + number
    return totals


CONFUSIONS_SHOWN = 12


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    matrix, classes = report["confusion"], report["data"]["classes"]
    return {
        "confusions": confused(matrix, classes)[:CONFUSIONS_SHOWN],
        "weakest": weakest(matrix, classes, CONFUSIONS_SHOWN),
        "plots": {"confusion": confusion_matrix(matrix, classes) if isinstance(matrix, list) else ""},
    }


SECTION = Section("confusion", "Confusions", "confusion.html.j2", _context)
