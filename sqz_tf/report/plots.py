"""Plots of a report as inline SVG: real text, no ids in common, colours left to the page's style sheet.

Each function takes plain values of `report.json` and returns one `<svg>` element, the same bytes for the same
values. Colours are drawn in the tones of `ROLES` and handed over as CSS variables, so that the page decides
what they look like in light and dark. Blue and orange are Okabe and Ito's, told apart by every kind of eye.
Matplotlib is imported when something is drawn, not before.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from sqz_tf.base.units import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 430  # CSS pixels at natural size; the page scales a plot to the width of its column


MATRIX_CLASSES = 40  # more than that cannot be read as a matrix


ROLES = {
    "ink": "#101214",
    "muted": "#606468",
    "line": "#d0d4d8",
    "card": "#fcfdfe",
    "blue": "#0072b2",
    "orange": "#d55e00",
    "grey": "#9098a0",
}


INK, MUTED, LINE, CARD, BLUE, ORANGE, GREY = ROLES.values()


STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called $x$
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same layout on every machine
    "font.size": 11.5,
    "text.color": MUTED,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "lines.solid_capstyle": "round",
}


class Drawing:
    """A figure being drawn in `STYLE`; `svg` gives the element once the block has ended."""

    def __init__(self, height: float) -> None:
        self.height = height

    def __enter__(self) -> Drawing:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self._style = matplotlib.rc_context(STYLE)
        self._style.__enter__()
        self.figure = Figure(figsize=(WIDTH / 72, self.height / 72), layout="constrained")
        FigureCanvasSVG(self.figure)
        self.axes: Axes = self.figure.subplots()
        return self

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(None, None, None)

    def svg(self, name: str, label: str) -> str:
        """Return the figure as one `<svg>` element whose ids begin with `name`."""
        import matplotlib

        text = io.StringIO()
        with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's browser has the glyphs
            self.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        return _inline(text.getvalue(), name, label)


def _inline(svg: str, name: str, label: str) -> str:
    """Turn a Matplotlib file into an element that can stand in a page beside others of its kind."""
    body = svg[svg.index("<svg") :]
    view = re.search(r'viewBox="([^"]*)"', body)
    inner = body[body.index(">") + 1 :]
    inner = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", inner, flags=re.DOTALL)
    inner = re.sub(r"\s*<defs>\s*</defs>", "", inner)
    inner = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", inner)  # Matplotlib before 3.10
    inner = re.sub(r"font-family: [^;\"]*;? ?", "", inner)
    inner = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", inner)
    inner = re.sub(r'\bid="', f'id="{name}-', inner).replace("url(#", f"url(#{name}-")
    inner = inner.replace('xlink:href="#', f'href="#{name}-')
    inner = re.sub(r"\s*\n\s*", "\n", inner)
    for role, color in ROLES.items():
        inner = inner.replace(color, f"var(--{role})")
    box = view[1] if view else ""
    return f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="{box}">{inner.strip()}'


def name_rows(axes: Axes, names: Sequence[str], ink: bool = False) -> None:
    """Put names beside rows 0, 1, … from top to bottom."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.tick_params(axis="y", labelcolor=INK if ink else MUTED)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def bar_value(axes: Axes, x: float, place: int, text: str) -> None:
    """Write a value just right of the end of its bar."""
    axes.annotate(text, (x, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=10.5, color=INK)


def legend(axes: Axes) -> None:
    """Put the legend above the plot, where it hides nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=3,
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.6,
    )
