"""Training: accuracy and loss by epoch, phase after phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, CARD, GREY, Drawing
from sqz_tf.report.sections.section import Section, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PHASES = {
    "small": "small pictures",
    "float": "float",
    "sparse": "sparse",
    "dense": "dense again",
    "pruned": "pruning",
    "qat": "QAT",
}


def training_curves(training: Mapping[str, Any], name: str) -> str:
    """Draw `accuracy` or `loss` over the epochs of all phases, one after the other."""
    from matplotlib.ticker import MaxNLocator

    with Drawing(250) as drawing:
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


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    drawn = any(history and history.get("loss") for history in report["training"].values())
    return {
        "plots": {
            "training": training_curves(report["training"], "accuracy") if drawn else "",
            "loss": training_curves(report["training"], "loss") if drawn else "",
        }
    }


SECTION = Section("training", "Training", "training.html.j2", _context)
