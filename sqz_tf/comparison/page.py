"""The table as a self-contained page, with a plot of accuracy against size."""

from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sqz_tf.comparison.table import lost, size, times, values_alone
from sqz_tf.report.plots import BLUE, INK, ORANGE, Drawing, legend
from sqz_tf.report.words import percent

COLOURS = {"AlexNet": BLUE, "SqueezeNet": ORANGE}
HEIGHT = 330


def render(values: dict[str, Any]) -> str:
    """Return the page as HTML; everything a user has named is escaped."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("sqz_tf.comparison"), PackageLoader("sqz_tf.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, size=size, times=times, lost=lost)
    plot = Markup(size_plot(values["rows"]))
    return environment.get_template("compare.html.j2").render(values, plot=plot, alone=values_alone(values))


def size_plot(rows: list[dict[str, Any]]) -> str:
    """Draw top-1 with its interval against bytes on a logarithmic scale; numbers are those of the table's rows."""
    with Drawing(HEIGHT) as drawing:
        axes = drawing.axes
        for network, colour in COLOURS.items():
            mine = [(number, row) for number, row in enumerate(rows, 1) if row["network"] == network]
            if mine:
                _points(axes, mine, network, colour)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_short)
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("size")
        axes.set_ylabel("top-1, %")
        axes.margins(x=0.08, y=0.12)
        legend(axes)
    return drawing.svg("sizes", "Top-1 accuracy of each row against its bytes")


def _points(axes: Any, mine: list[tuple[int, dict[str, Any]]], network: str, colour: str) -> None:
    """Draw a network's rows; numbers stand above and below by turns, since neighbours are often of a size."""
    mine = sorted(mine, key=lambda pair: pair[1]["bytes"])
    x = [row["bytes"] for _, row in mine]
    tops = [100 * row["accuracy"]["top1"] for _, row in mine]
    ends = [[100 * bound for bound in row["accuracy"]["interval"]] for _, row in mine]
    below = [top - low for top, (low, _) in zip(tops, ends, strict=True)]
    above = [high - top for top, (_, high) in zip(tops, ends, strict=True)]
    axes.errorbar(x, tops, [below, above], fmt="o", color=colour, label=network, linewidth=1, alpha=0.85)
    for order, ((number, _), left, (low, high)) in enumerate(zip(mine, x, ends, strict=True)):
        place, shift = (high, 4) if order % 2 else (low, -12)
        axes.annotate(str(number), (left, place), xytext=(-3, shift), textcoords="offset points", color=INK)


def _short(count: float, position: float = 0) -> str:
    return f"{count / 1e6:g} MB" if count >= 1e6 else f"{count / 1e3:g} kB"
