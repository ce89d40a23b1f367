"""Plots of a report as inline SVG: real text, no ids in common, colours left to the page's style sheet.

Each function takes plain values of `report.json` and returns one `<svg>` element, the same bytes for the same
values. Colours are drawn in the tones of `ROLES` and handed over as CSS variables, so that the page decides
what they look like in light and dark. Blue and orange are Okabe and Ito's, told apart by every kind of eye.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

WIDTH = 430  # CSS pixels at natural size; the page scales a plot to the width of its column
MATRIX_CLASSES = 40  # more than that cannot be read as a matrix
COUNTED_CLASSES = 14  # up to here each cell shows its count
NAME_LENGTH = 22

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
PHASES = {"float": "float", "pruned": "pruning", "qat": "QAT"}


def accuracy_intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Draw top-1 of each stage with its interval; rows of (label, top1, low, high), fractions."""
    with _drawing(34 * len(rows) + 44) as drawing:
        axes = drawing.axes
        for place, (_, top1, low, high) in enumerate(rows):
            axes.plot([100 * low, 100 * high], [place, place], color=BLUE, linewidth=5, alpha=0.3)
            axes.plot([100 * top1], [place], color=BLUE, marker="o", markersize=8)
        _name_rows(axes, [label for label, *_ in rows], ink=True)
        axes.set_xlabel("top-1 on the test pictures, %, with its 95 % interval")
        low, high = min(row[2] for row in rows), max(row[3] for row in rows)
        margin = max(0.005, 0.06 * (high - low))
        axes.set_xlim(100 * max(0.0, low - margin), 100 * min(1.0, high + margin) + 0.2)
        axes.locator_params(axis="x", nbins=6)
    return drawing.svg("accuracy", "Top-1 accuracy of each stage with its 95 % interval")


def training_curves(training: Mapping[str, Any], name: str) -> str:
    """Draw `accuracy` or `loss` over the epochs of all phases, one after the other."""
    with _drawing(250) as drawing:
        axes, start = drawing.axes, 0
        for phase in _phases(training):
            stop = start + len(training[phase]["loss"])
            _curves(axes, start, training[phase], name)
            _phase_mark(axes, start, stop, PHASES.get(phase, phase))
            start = stop
        axes.set_xlim(0.5, start + 0.5)
        axes.grid(axis="x", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy, %" if name == "accuracy" else name)
        corner: Any = "lower right" if name == "accuracy" else "upper right"
        axes.legend(loc=corner, handlelength=1.4, facecolor=CARD, edgecolor="none", framealpha=1)
        axes.set_title(" ")  # keeps the place of the phases' names
    return drawing.svg(f"training-{name}", f"{name.capitalize()} over the epochs of training, pruning and quantization")


def accuracy_by_bits(lines: Mapping[str, Mapping[int, float]], level: float, least: float, what: str) -> str:
    """Draw how accuracy falls with the bit width of each class of numbers.

    Args:
      lines: class → bit width → fraction in [0, 1].
      level: the float network's, drawn as a line.
      least: the smallest that is allowed, drawn broken.
      what: what the fractions are, for the axis.
    """
    widths = sorted({width for values in lines.values() for width in values})
    with _drawing(250) as drawing:
        axes = drawing.axes
        axes.axhline(100 * level, color=GREY, linewidth=1, label="float")
        axes.axhline(100 * least, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="allowed")
        for (name, values), color, marker in zip(lines.items(), (BLUE, ORANGE), ("o", "s"), strict=False):
            places = [widths.index(width) for width in sorted(values)]
            shares = [100 * values[width] for width in sorted(values)]
            axes.plot(places, shares, color=color, marker=marker, markersize=6, linewidth=2, label=name)
        axes.set_xticks(range(len(widths)), [str(width) for width in widths])
        axes.grid(axis="x", visible=False)
        axes.set_ylim(-2, 102)
        axes.set_xlabel("bits, everything else in float")
        axes.set_ylabel(f"{what}, %")
        axes.legend(loc="lower right", handlelength=1.4, facecolor=CARD, edgecolor="none", framealpha=1)
    shown = ", ".join(f"{name} {min(values)} to {max(values)} bits" for name, values in lines.items())
    return drawing.svg("bits", f"{what} against bit width: {shown}")


def confusion_matrix(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Draw true classes as rows, answers as columns, shaded by the share of the row.

    Args:
      counts: [truth, answer], at most `MATRIX_CLASSES` of each.
      classes: their names.
    """
    number = len(classes)
    with _drawing(WIDTH) as drawing:
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


def layer_sparsity(layers: Mapping[str, Mapping[str, float]], target: float) -> str:
    """Draw each layer's fraction of zeros in float (ring) and in the int8 `.tflite` (dot).

    Args:
      layers: layer name → `pruned`, the fraction in float, and `tflite`.
      target: what pruning aimed at; 0 if nothing was pruned.
    """
    wanted = f", target {target:.0%}" if target else ""
    names = layer_order(layers)
    with _drawing(18 * len(names) + 62) as drawing:
        axes = drawing.axes
        if target:
            axes.axvline(100 * target, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        for place, name in enumerate(names):
            pruned, tflite = layers[name]["pruned"], layers[name]["tflite"]
            lost = tflite < pruned - 1e-9
            axes.plot([0, 100 * tflite], [place, place], color=ORANGE if lost else BLUE, linewidth=2.5, alpha=0.4)
            axes.plot([100 * tflite], [place], "o", color=ORANGE if lost else BLUE, markersize=5)
            axes.plot([100 * pruned], [place], "o", markersize=9, markeredgecolor=MUTED, markerfacecolor="none")
        axes.plot([], [], "o", color=BLUE, markersize=5, label="in the .tflite")
        before = "after pruning" if target else "in float"
        axes.plot([], [], "o", markersize=9, markeredgecolor=MUTED, markerfacecolor="none", label=before)
        _name_rows(axes, names)
        axes.set_xlim(0, 100)
        axes.set_xlabel("zero weights, %")
        _legend(axes)
    return drawing.svg("sparsity", f"Share of zero weights in each of {len(names)} layers{wanted}")


def layer_sqnr(layers: Mapping[str, float | None], worst: str | None) -> str:
    """Draw each layer's signal-to-quantization-noise ratio in dB, the worst one marked."""
    names = [name for name in layer_order(layers) if layers[name] is not None]
    values = [float(layers[name] or 0.0) for name in names]
    with _drawing(18 * len(names) + 46) as drawing:
        axes = drawing.axes
        for place, (name, value) in enumerate(zip(names, values, strict=True)):
            color = ORANGE if name == worst else BLUE
            axes.plot([0, value], [place, place], color=color, linewidth=2.5, alpha=0.4)
            axes.plot([value], [place], "o", color=color, markersize=5)
            _value(axes, max(value, 0.0), place, f"{value:.1f}, worst" if name == worst else f"{value:.1f}")
        _name_rows(axes, names)
        axes.set_xlim(min([0.0, *values]), 1.18 * max([1.0, *values]))
        axes.set_xlabel("signal to quantization noise, dB")
    return drawing.svg("sqnr", f"Signal-to-quantization-noise ratio of {len(names)} layers; worst is {worst}")


def file_sizes(sizes: Mapping[str, Mapping[str, int]], most: int = 10) -> str:
    """Draw the `most` largest files: their bytes, and in a darker tone what is left of them in an xz archive."""
    names = sorted(sizes, key=lambda name: (-sizes[name]["bytes"], name))[:most]
    with _drawing(28 * len(names) + 62) as drawing:
        axes = drawing.axes
        sizes_kib = [sizes[name]["bytes"] / 1024 for name in names]
        axes.barh(range(len(names)), sizes_kib, height=0.66, color=BLUE, alpha=0.3, label="as it is")
        packed = [sizes[name]["xz"] / 1024 for name in names]
        axes.barh(range(len(names)), packed, height=0.3, color=BLUE, label="packed with xz")
        for place, size in enumerate(sizes_kib):
            _value(axes, size, place, kib(1024 * size))
        _name_rows(axes, names)
        axes.set_xlim(0, 1.22 * max(sizes_kib))
        axes.set_xlabel("KiB")
        _legend(axes)
    return drawing.svg("sizes", "Bytes of each file, as it is and packed with xz")


def stage_seconds(stages: Sequence[tuple[str, float]]) -> str:
    """Draw how long each stage took, in the order given."""
    with _drawing(24 * len(stages) + 42) as drawing:
        axes = drawing.axes
        axes.barh(range(len(stages)), [seconds for _, seconds in stages], height=0.5, color=BLUE)
        for place, (_, seconds) in enumerate(stages):
            _value(axes, seconds, place, duration(seconds))
        _name_rows(axes, [name for name, _ in stages])
        axes.set_xlim(0, 1.2 * max([1e-3, *(seconds for _, seconds in stages)]))
        axes.set_xlabel("seconds")
    return drawing.svg("seconds", "Seconds of each stage")


def ram_timeline(kept: Sequence[int], working: Sequence[int], arena: int) -> str:
    """Draw the bytes in use in each step of the compiled model, and the arena they lie in.

    Args:
      kept: what waits from step to step.
      working: what is made and read within the step, on top of it.
      arena: bytes reserved.
    """
    with _drawing(250) as drawing:
        axes, steps = drawing.axes, range(len(kept))
        low = [size / 1024 for size in kept]
        high = [(below + above) / 1024 for below, above in zip(kept, working, strict=True)]
        axes.fill_between(steps, low, step="mid", color=BLUE, alpha=0.55, linewidth=0, label="kept for later steps")
        axes.fill_between(steps, low, high, step="mid", color=ORANGE, alpha=0.45, linewidth=0, label="within the step")
        axes.axhline(arena / 1024, color=GREY, linewidth=1, linestyle=(0, (4, 3)), label="arena")
        axes.set_xlim(0, max(1, len(kept) - 1))
        axes.set_ylim(0, 1.06 * arena / 1024)
        axes.grid(axis="x", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("step: one row of the picture each")
        axes.set_ylabel("KiB")
        _legend(axes)
    label = f"RAM in use in each of {len(kept)} steps, at most {kib(max(map(sum, zip(kept, working, strict=True))))}"
    return drawing.svg("ram", f"{label} of {kib(arena)} reserved")


def whole_map_ram(layers: Sequence[str], sizes: Sequence[int], arena: int) -> str:
    """Draw the bytes of feature maps alive while each layer runs, where maps are kept whole; the worst is named.

    Args:
      layers: names, in the order they run.
      sizes: bytes for each.
      arena: what the compiled model reserves, for comparison.
    """
    with _drawing(250) as drawing:
        axes, worst = drawing.axes, max(range(len(sizes)), key=lambda index: sizes[index])
        colors = [ORANGE if index == worst else BLUE for index in range(len(sizes))]
        axes.bar(range(len(sizes)), [size / 1024 for size in sizes], width=0.8, color=colors, alpha=0.6)
        axes.axhline(arena / 1024, color=INK, linewidth=1.4, label="the compiled model's arena")
        side: Any = "left" if worst < len(sizes) / 2 else "right"
        at = (worst, sizes[worst] / 1024)
        axes.annotate(short(layers[worst]), at, xytext=(0, 4), textcoords="offset points", ha=side, color=INK)
        axes.set_ylim(0, 1.12 * sizes[worst] / 1024)
        axes.set_xlim(-0.6, len(sizes) - 0.4)
        axes.grid(axis="x", visible=False)
        axes.set_xticks([])
        axes.set_xlabel("layers in the order they run")
        axes.set_ylabel("KiB")
        _legend(axes)
    return drawing.svg("maps", f"RAM of whole feature maps in each of {len(layers)} layers, most in {layers[worst]}")


def layer_order(names: Iterable[str]) -> list[str]:
    """Return layer names in the order of the network: by number, then squeeze before expand."""

    def place(name: str) -> tuple[float, int, str]:
        number = re.search(r"\d+", name)
        parts = ("pad", "squeeze", "expand", "concat", "bypass", "add", "pool", "mean", "softmax")
        part = next((index for index, word in enumerate(parts) if word in name), -1)
        return (float(number[0]) if number else math.inf, part, name)

    return sorted(names, key=place)


def short(name: str, most: int = NAME_LENGTH) -> str:
    """Return a printable name of at most `most` characters; names differ at their ends, so the middle goes."""
    printable = "".join(letter if letter.isprintable() else "�" for letter in " ".join(name.split()))
    if len(printable) <= most:
        return printable
    return f"{printable[: most // 2]}…{printable[-((most - 1) // 2) :]}"


def kib(size: float) -> str:
    """Return bytes as text with three digits or more: `57.3 KiB`, `1.31 MiB`."""
    if size < 1024:
        return f"{size:.0f} B"
    if size < 2**20:
        return f"{size / 1024:.1f} KiB"
    return f"{size / 2**20:.2f} MiB"


def duration(seconds: float) -> str:
    """Return seconds as text: `0.4 s`, `52 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _drawing:
    """A figure being drawn in `STYLE`; `svg` gives the element once the block has ended."""

    def __init__(self, height: float) -> None:
        self.height = height

    def __enter__(self) -> _drawing:
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


def _name_rows(axes: Axes, names: Sequence[str], ink: bool = False) -> None:
    """Put names beside rows 0, 1, … from top to bottom."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.tick_params(axis="y", labelcolor=INK if ink else MUTED)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def _value(axes: Axes, x: float, place: int, text: str) -> None:
    """Write a value just right of the end of its bar."""
    axes.annotate(text, (x, place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=10.5, color=INK)


def _legend(axes: Axes) -> None:
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


def _phases(training: Mapping[str, Any]) -> list[str]:
    known = [phase for phase in PHASES if phase in training]
    return [phase for phase in [*known, *sorted(set(training) - set(known))] if (training[phase] or {}).get("loss")]


def _curves(axes: Axes, start: int, history: Mapping[str, Any], name: str) -> None:
    first, factor = not axes.lines, 100.0 if name == "accuracy" else 1.0
    for key, color, width, label in (
        (name, GREY, 1.4, "training"),
        (f"val_{name}", BLUE, 2.0, "validation"),
    ):
        values = [factor * value for value in history.get(key) or ()]
        epochs = range(start + 1, start + len(values) + 1)
        marker = "o" if len(values) == 1 else None
        axes.plot(epochs, values, color=color, linewidth=width, marker=marker, label=label if first else None)


def _phase_mark(axes: Axes, start: int, stop: int, name: str) -> None:
    """Draw a line where a phase starts and its name above it."""
    if start:
        axes.axvline(start + 0.5, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    middle = ((start + stop + 1) / 2, 1)
    text = axes.annotate(
        name, middle, xycoords=("data", "axes fraction"), xytext=(0, 5), textcoords="offset points", ha="center"
    )
    text.set_in_layout(False)


def _cell(axes: Axes, truth: int, answer: int, count: int, total: int, counted: bool) -> None:
    right = truth == answer
    strength = 0.12 + 0.43 * (count / total if right else math.sqrt(count / total))
    box = Rectangle((answer - 0.47, truth - 0.47), 0.94, 0.94, color=BLUE if right else ORANGE, alpha=strength)
    box.set_linewidth(0)
    axes.add_patch(box)
    if counted:
        axes.text(answer, truth, str(count), ha="center", va="center", color=INK, fontsize=11)
