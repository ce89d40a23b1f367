"""Layers: zeros kept and quantization noise of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.order import layer_order
from sqz_tf.report.plots import BLUE, GREY, MUTED, ORANGE, Drawing, bar_value, legend, name_rows
from sqz_tf.report.sections.section import Section, Values
from sqz_tf.report.words import percent, points


def layer_sparsity(layers: Mapping[str, Mapping[str, float]], target: float) -> str:
    """Draw each layer's fraction of zeros in float (ring) and in the int8 `.tflite` (dot).

    Args:
      layers: layer name → `pruned`, the fraction in float, and `tflite`.
      target: what pruning aimed at; 0 if nothing was pruned.
    """
    wanted = f", target {target:.0%}" if target else ""
    names = layer_order(layers)
    with Drawing(18 * len(names) + 62) as drawing:
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
        name_rows(axes, names)
        axes.set_xlim(0, 100)
        axes.set_xlabel("zero weights, %")
        legend(axes)
    return drawing.svg("sparsity", f"Share of zero weights in each of {len(names)} layers{wanted}")


def layer_sqnr(layers: Mapping[str, float | None], worst: str | None) -> str:
    """Draw each layer's signal-to-quantization-noise ratio in dB, the worst one marked."""
    names = [name for name in layer_order(layers) if layers[name] is not None]
    values = [float(layers[name] or 0.0) for name in names]
    with Drawing(18 * len(names) + 46) as drawing:
        axes = drawing.axes
        for place, (name, value) in enumerate(zip(names, values, strict=True)):
            color = ORANGE if name == worst else BLUE
            axes.plot([0, value], [place, place], color=color, linewidth=2.5, alpha=0.4)
            axes.plot([value], [place], "o", color=color, markersize=5)
            bar_value(axes, max(value, 0.0), place, f"{value:.1f}, worst" if name == worst else f"{value:.1f}")
        name_rows(axes, names)
        axes.set_xlim(min([0.0, *values]), 1.18 * max([1.0, *values]))
        axes.set_xlabel("signal to quantization noise, dB")
    return drawing.svg("sqnr", f"Signal-to-quantization-noise ratio of {len(names)} layers; worst is {worst}")


def layer_rows(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return one row of texts for each layer known to either measurement."""
    sparsity, sqnr = report["sparsity"]["layers"], report["sqnr"]["layers"]
    rows = []
    for name in layer_order({*sparsity, *sqnr}):
        zeros = sparsity.get(name)
        ratio = sqnr.get(name)
        rows.append(
            {
                "name": name,
                "pruned": percent(zeros["pruned"], digits=2) if zeros else "",
                "tflite": percent(zeros["tflite"], digits=2) if zeros else "",
                "sqnr": "" if ratio is None else points(ratio, 1),
            }
        )
    return rows


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    layers, sqnr = report["sparsity"]["layers"], report["sqnr"]
    return {
        "layer_rows": layer_rows(report),
        "plots": {
            "sparsity": layer_sparsity(layers, report["sparsity"]["target"]) if layers else "",
            "sqnr": layer_sqnr(sqnr["layers"], sqnr["worst"]) if sqnr["layers"] else "",
        },
    }


SECTION = Section("layers", "Layers", "layers.html.j2", _context)
