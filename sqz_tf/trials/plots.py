"""The paper's figure 3 for one's own data, and the front, as Matplotlib draws them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqz_tf.report.plots import BLUE, CARD, GREY, INK, ORANGE, STYLE, Drawing, legend
from sqz_tf.trials.points import Sweep
from sqz_tf.trials.rows import Row, front, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 280
PERCENT_FIELDS = ("pct_3x3",)
LABEL = {"textcoords": "offset points", "fontsize": 10, "color": INK}

Draw = Callable[["Axes"], None]


def sweep_plot(sweep: Sweep, rows: Sequence[Row]) -> Draw:
    """Return what draws a sweep: accuracy by size, as figure 3 does, each point with its value.

    Args:
      rows: its trained points, in the order of its values.
    """

    def draw(axes: Axes) -> None:
        sizes = [row.sizes.float_mib for row in rows]
        _errors(axes, sizes, rows, BLUE)
        if not isinstance(sweep.values[0], str):
            axes.plot(sizes, [100 * _validation(row) for row in rows], color=BLUE, linewidth=2)
        for x, row in zip(sizes, rows, strict=True):
            _label(axes, x, row, value_text(sweep.field, getattr(row.point, sweep.field)))
        axes.set_title(sweep.title, loc="left", fontsize=11.5, color=INK)
        axes.set_xlabel("float32 weights and biases, MiB")
        axes.set_ylabel("validation top-1, %")
        axes.margins(x=0.12, y=0.18)

    return draw


def front_plot(rows: Sequence[Row]) -> Draw:
    """Return what draws every trained point by its flash, and the line of those that no other beats."""

    def draw(axes: Axes) -> None:
        best = front(rows)
        others = [row for row in rows if row.learnt and row not in best]
        _errors(axes, [row.sizes.flash / 1024 for row in others], others, GREY)
        flash = [row.sizes.flash / 1024 for row in best]
        _errors(axes, flash, best, ORANGE)
        axes.step(
            flash, [100 * _validation(row) for row in best], where="post", color=ORANGE, linewidth=2, label="front"
        )
        axes.set_xlabel("flash, KiB")
        axes.set_ylabel("validation top-1, %")
        legend(axes)

    return draw


def _errors(axes: Axes, x: Sequence[float], rows: Sequence[Row], color: str) -> None:
    """Draw points with their 95 % intervals."""
    if not rows:
        return
    levels = [100 * _validation(row) for row in rows]
    limits = [[100 * side for side in interval(row)] for row in rows]
    below = [level - low for level, (low, _) in zip(levels, limits, strict=True)]
    above = [high - level for level, (_, high) in zip(levels, limits, strict=True)]
    axes.errorbar(x, levels, yerr=[below, above], fmt="o", color=color, markersize=5, linewidth=1, capsize=2)


def _label(axes: Axes, x: float, row: Row, text: str) -> None:
    axes.annotate(text, (x, 100 * _validation(row)), xytext=(7, 5), **LABEL)  # type: ignore[arg-type]


def _validation(row: Row) -> float:
    assert row.learnt is not None
    return row.learnt.validation


def value_text(field: str, value: Any) -> str:
    """Return a field's value as the plots say it."""
    if field in PERCENT_FIELDS:
        return f"{100 * value:g} %"
    return f"{value:g}" if isinstance(value, float) else str(value).removeprefix("squeezenet-")


def inline(name: str, label: str, draw: Draw) -> str:
    """Return a plot as an `<svg>` element for a page with the report's style sheet."""
    with Drawing(HEIGHT) as drawing:
        draw(drawing.axes)
    return drawing.svg(name, label)


def svg_file(name: str, draw: Draw) -> bytes:
    """Return a plot as an SVG file that stands alone; the same points give the same bytes."""
    import matplotlib

    with Drawing(HEIGHT) as drawing:
        draw(drawing.axes)
    text = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        drawing.figure.savefig(text, format="svg", facecolor=CARD, metadata={"Date": None})
    return text.getvalue()
