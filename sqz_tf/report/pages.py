"""The report of an export, from one plain dict: `report.json`, `report.html`, the model card, the last words.

Everything shown is read from the dict, so a page can be drawn again from `report.json` alone. The same dict gives
the same bytes. Nothing on the page is fetched from elsewhere, and everything a user has named is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sqz_tf.base.units import kib, short
from sqz_tf.report import words as text
from sqz_tf.report.document import plain
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.sections.data import split_rows
from sqz_tf.report.sections.every import SECTIONS
from sqz_tf.report.sections.parity import edges

CLASSES_LISTED = 100


def render_html(report: dict[str, Any], mistakes: Sequence[Mistake] = ()) -> str:
    """Return the page as one self-contained HTML text.

    Raises:
      OutputError: the dict is not a report, see `validate`.
    """
    values = plain(report)
    environment = _environment(autoescape=True)
    shared = {**_words(values), "tiles": text.tiles(values)}
    sections = []
    for section in SECTIONS:
        context = section.context(values, mistakes)
        plots = {name: Markup(svg) for name, svg in context.get("plots", {}).items()}
        html = environment.get_template(section.template).render({**shared, **context, "plots": plots}).strip()
        if html:
            sections.append({"id": section.name, "title": section.title, "html": Markup(html)})
    return environment.get_template("report.html.j2").render(shared, sections=sections)


def render_model_card(report: dict[str, Any]) -> str:
    """Return the output folder's `README.md`.

    Raises:
      OutputError: the dict is not a report, see `validate`.
    """
    values = plain(report)
    environment = _environment(autoescape=False)
    names = [short(name, 60) for name in values["data"]["classes"]]
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
        kib(size["bytes"]),
        "" if row["key"] == "float" else kib(size["xz"]),
        text.si(report["macs"]),
        "" if arena is None else kib(arena),
    ]


def _environment(*, autoescape: bool) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("sqz_tf.report", each) for each in ("templates", "sections")]),
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
        "agreement_sentence": text.agreement_sentence(report),
        "float_sentence": text.float_sentence(report),
        "no_arena": text.NO_ARENA,
        "pruned_here": report["sparsity"]["target"] > 0,
        "edges": edges(report["parity"]),
        "preprocessing": text.preprocessing(report["preprocess"]),
        "split_rows": split_rows(report["data"]),
        "layers_lost": text.layers_lost(report["sparsity"]["layers"]),
    }
