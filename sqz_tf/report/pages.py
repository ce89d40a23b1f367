"""The report of an export, from one plain dict: `report.json`, `report.html`, the model card, the last words.

Everything shown is read from the dict, so a page can be drawn again from `report.json` alone. The same dict gives
the same bytes. Nothing on the page is fetched from elsewhere, and everything a user has named is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sqz_tf.report import plots
from sqz_tf.report import words as text
from sqz_tf.report.schema import FORMAT, plain, to_json, validate

__all__ = [
    "FORMAT",
    "Mistake",
    "mistakes",
    "render_html",
    "render_model_card",
    "summary_table",
    "to_json",
    "validate",
]

SPLITS = ("train", "calibration", "validation", "test")
STAGES = ("data", "dense", "pruned", "quantized", "float", "calibrated", "converted", "checked")
CONFUSIONS_SHOWN = 12
CLASSES_LISTED = 100
# Section id and heading, in the order of the page; `section_ID.html.j2` draws one, or nothing when it has no data.
SECTIONS = (
    ("accuracy", "Accuracy"),
    ("parity", "Parity"),
    ("size", "Size and cost"),
    ("mcu", "Memory on a microcontroller"),
    ("layers", "Layers"),
    ("calibration", "Calibration"),
    ("ristretto", "Fixed point"),
    ("training", "Training"),
    ("mistakes", "Mistakes"),
    ("confusion", "Confusions"),
    ("data", "Data"),
    ("making", "How it was made"),
)


@dataclass(frozen=True)
class Mistake:
    """A test picture the int8 model got wrong: uint8 [h, w, c] as the device sees it, class names, certainty."""

    image: np.ndarray
    truth: str
    predicted: str
    probability: float
    name: str


def mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    classes: Sequence[str],
    most: int = 24,
) -> list[Mistake]:
    """Return the surest mistakes, the surest first.

    Args:
      images: uint8 [N, h, w, c].
      labels: integers [N].
      scores: [N, classes]; int8 and uint8 are softmax outputs at scale 1/256, floats are probabilities.
      names: file name of each picture.
      classes: class names in output order.
      most: how many to return at most.
    """
    answers = np.argmax(scores, axis=1)
    wrong = np.flatnonzero(answers != labels)
    sure = _probability(scores)[wrong, answers[wrong]]
    order = wrong[np.argsort(-sure, kind="stable")][:most]
    return [
        Mistake(
            images[i], classes[labels[i]], classes[answers[i]], float(_probability(scores[i])[answers[i]]), names[i]
        )
        for i in order
    ]


def render_html(report: dict[str, Any], mistakes: Sequence[Mistake] = ()) -> str:
    """Return the page as one self-contained HTML text.

    Raises:
      OutputError: the dict is not a report, see `validate`.
    """
    values = plain(report)
    environment = _environment(autoescape=True)
    context = _context(values, mistakes)
    sections = []
    for name, title in SECTIONS:
        html = environment.get_template(f"section_{name}.html.j2").render(context).strip()
        if html:
            sections.append({"id": name, "title": title, "html": Markup(html)})
    return environment.get_template("report.html.j2").render(context, sections=sections)


def render_model_card(report: dict[str, Any]) -> str:
    """Return the output folder's `README.md`.

    Raises:
      OutputError: the dict is not a report, see `validate`.
    """
    values = plain(report)
    environment = _environment(autoescape=False)
    names = [plots.short(name, 60) for name in values["data"]["classes"]]
    listed = names if len(names) <= CLASSES_LISTED else [*names[:CLASSES_LISTED], "… (all in labels.txt)"]
    context = {**_words(values), "class_names": ", ".join(listed), "files": text.files(values["sizes"])}
    return environment.get_template("model_card.md.j2").render(context)


def summary_table(report: dict[str, Any]) -> str:
    """Return what a person wants to know at the end of a run: a table and the verdict, plain text.

    Raises:
      OutputError: the dict is not a report, see `validate`.
    """
    values = plain(report)
    head = ["", "top-1", "95 % interval", "size", "xz", "MACs", "RAM"]
    rows = [head, *(_summary_row(values, row) for row in text.accuracy_rows(values) if row["key"] != "final_float")]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), "", text.drop_sentence(values), *text.verdict_lines(values)])


def _summary_row(report: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Return the cells of one model; the dense network has the size of the final float file, not its zeros."""
    int8 = row["key"].startswith("int8")
    size = report["sizes"]["model_int8.tflite" if int8 else "model_f32.tflite"]
    arena = report.get("mcu", report["tflm"])["arena_bytes"] if int8 else None
    low, high = row["interval"]
    return [
        row["title"],
        text.percent(row["top1"]),
        f"{text.percent(low, '')}–{text.percent(high)}",
        plots.kib(size["bytes"]),
        "" if row["key"] == "float" else plots.kib(size["xz"]),
        text.si(report["macs"]),
        "" if arena is None else plots.kib(arena),
    ]


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("sqz_tf.report", "templates"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text.FILTERS)
    return environment


def _words(report: dict[str, Any]) -> dict[str, Any]:
    """Return what both documents say in words and rows."""
    return {
        "report": report,
        "subtitle": text.subtitle(report),
        "drop_sentence": text.drop_sentence(report),
        "exact_sentence": text.exact_sentence(report),
        "accuracy_rows": text.accuracy_rows(report),
        "float_sentence": text.float_sentence(report),
        "no_arena": text.NO_ARENA,
        "pruned_here": report["sparsity"]["target"] > 0,
        "edges": text.edges(report["parity"]),
        "preprocessing": text.preprocessing(report["preprocess"]),
        "split_rows": _split_rows(report["data"]),
        "layers_lost": text.layers_lost(report["sparsity"]["layers"]),
    }


def _context(report: dict[str, Any], wrong: Sequence[Mistake]) -> dict[str, Any]:
    cells = text.confused(report["confusion"], report["data"]["classes"])
    return {
        **_words(report),
        "tiles": text.tiles(report),
        "layer_rows": text.layer_rows(report),
        "confusions": cells[:CONFUSIONS_SHOWN],
        "weakest": text.weakest(report["confusion"], report["data"]["classes"], CONFUSIONS_SHOWN),
        "mistakes": [_picture(mistake) for mistake in wrong],
        "mistakes_sentence": text.mistakes_sentence(report, len(wrong)),
        "total_seconds": sum(report["seconds"].values()),
        "settings": text.settings(report),
        "ristretto": _ristretto(report) if "ristretto" in report else {},
        "mcu_sentence": text.mcu_sentence(report) if "mcu" in report else "",
        "plots": {name: Markup(svg) for name, svg in _plots(report).items()},
    }


def _plots(report: dict[str, Any]) -> dict[str, str]:
    """Return the drawings; an empty text where there is nothing to draw."""
    classes = report["data"]["classes"]
    rows = [(row["title"], row["top1"], *row["interval"]) for row in text.accuracy_rows(report)]
    layers, sqnr, matrix = report["sparsity"]["layers"], report["sqnr"], report["confusion"]
    drawn = any(history and history.get("loss") for history in report["training"].values())
    return {
        "accuracy": plots.accuracy_intervals(rows),
        "sizes": plots.file_sizes(report["sizes"]),
        "seconds": plots.stage_seconds(_stages(report["seconds"])) if report["seconds"] else "",
        "training": plots.training_curves(report["training"], "accuracy") if drawn else "",
        "loss": plots.training_curves(report["training"], "loss") if drawn else "",
        "sparsity": plots.layer_sparsity(layers, report["sparsity"]["target"]) if layers else "",
        "sqnr": plots.layer_sqnr(sqnr["layers"], sqnr["worst"]) if sqnr["layers"] else "",
        "confusion": plots.confusion_matrix(matrix, classes) if isinstance(matrix, list) else "",
        "bits": _bits(report["ristretto"]["trimming"]) if "ristretto" in report else "",
        **(_mcu_plots(report["mcu"]) if "mcu" in report else {}),
    }


def _mcu_plots(mcu: dict[str, Any]) -> dict[str, str]:
    """Return the drawings of the compiled model's memory."""
    arena, over, maps = mcu["arena_bytes"], mcu["timeline"], mcu["whole_maps"]
    return {
        "ram": plots.ram_timeline(over["kept"], over["working"], arena),
        "maps": plots.whole_map_ram(maps["layers"], maps["bytes"], arena),
    }


def _ristretto(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the section on fixed point says in words and rows."""
    found = report["ristretto"]
    paired, trimming = found["against_free_scale"], found["trimming"]
    return {
        "rows": text.ristretto_rows(found),
        "lengths": text.length_rows(report["fractional_length"]),
        "free_scale_sentence": text.free_scale_sentence(paired) if paired else "",
        "trials": text.trimming_rows(trimming) if trimming else [],
    }


def _bits(trimming: dict[str, Any] | None) -> str:
    """Return the drawing of accuracy against bits, or an empty text."""
    lines = text.trimming_lines(trimming) if trimming else {}
    if trimming is None or not all(lines.values()):
        return ""
    what = "top-1" if trimming["judged_by"] == "labels" else "same answer as float"
    level = trimming["float_top1"]
    return plots.accuracy_by_bits(lines, level, max(0.0, level - trimming["margin_pp"] / 100), what)


def _stages(seconds: dict[str, float]) -> list[tuple[str, float]]:
    known = [name for name in STAGES if name in seconds]
    return [(name, seconds[name]) for name in [*known, *sorted(set(seconds) - set(known))]]


def _split_rows(data: dict[str, Any]) -> list[dict[str, Any]]:
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


def _probability(scores: np.ndarray) -> np.ndarray:
    if scores.dtype == np.int8:
        return (scores.astype(np.float64) + 128) / 256
    return scores.astype(np.float64) / (256 if scores.dtype == np.uint8 else 1)


def _picture(mistake: Mistake) -> dict[str, Any]:
    """Return what the page shows of a mistake; the image as a `data:` address."""
    pixels = mistake.image[..., 0] if mistake.image.shape[-1] == 1 else mistake.image
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(png, "PNG", optimize=True)
    return {
        "source": "data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
        "small": max(pixels.shape[:2]) < 120,
        "truth": plots.short(mistake.truth, 40),
        "predicted": plots.short(mistake.predicted, 40),
        "probability": mistake.probability,
        "name": plots.short(mistake.name, 60),
    }
