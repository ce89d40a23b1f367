"""The table as text, as CSV and as JSON, from its plain values."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from sqz_tf.report.words import MINUS, percent

HEAD = (
    "",
    "compression",
    "bits",
    "size",
    "smaller",
    "paper",
    "top-1",
    "95 % interval",
    "lost to AlexNet",
    "95 % interval",
)
COLUMNS = (
    *("number", "key", "network", "compression", "bits", "bytes", "times", "values_bytes", "values_times"),
    *("top1", "top1_low", "top1_high", "top5", "pictures", "lost_pp", "lost_low_pp", "lost_high_pp", "mcnemar_p"),
    *("paper_megabytes", "paper_times", "paper_top1", "paper_top5", "how"),
)


def size(count: int) -> str:
    """Return bytes in both units that are in use: `240 MB (229 MiB)`, `57.3 kB (55.9 KiB)`."""
    if count >= 1_000_000:
        return f"{_three(count / 1e6)} MB ({_three(count / 2**20)} MiB)"
    return f"{_three(count / 1e3)} kB ({_three(count / 1024)} KiB)"


def _three(value: float) -> str:
    """Return a number with three digits, or more before the point."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"


def times(value: float | None) -> str:
    """Return how many times smaller: `1 ×`, `4.9 ×`, `363 ×`."""
    if value is None:
        return ""
    return f"{value:.0f} ×" if value >= 9.95 or value == round(value) else f"{value:.1f} ×"


def lost(row: dict[str, Any]) -> tuple[str, str]:
    """Return the points of top-1 that a row loses to AlexNet, and their interval."""
    if row["lost"] is None:
        return "", ""
    low, high = row["lost"]["interval_pp"]
    found = [f"{value:.2f}".replace("-", MINUS) for value in (row["lost"]["drop_pp"], low, high)]
    return found[0], f"{found[1]} to {found[2]}"


def to_text(values: dict[str, Any]) -> str:
    """Return what a person wants to see on a terminal."""
    rows = [HEAD, *(_cells(number, row) for number, row in enumerate(values["rows"], 1))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([values["alexnet"], values["squeezenet"], "", *lines, "", *closing(values)])


def closing(values: dict[str, Any]) -> list[str]:
    """Return what has to be said below the table."""
    return [*values_alone(values), f"judged on {values['counts']['test']} held-out pictures", *values["notes"]]


def values_alone(values: dict[str, Any]) -> list[str]:
    """Say what pruned networks would take if, as in the paper, only values counted and not where they stand."""
    return [
        f"{row['network']}, {row['compression']}: values alone {size(row['values_bytes'])}, "
        f"{times(row['values_times'])}"
        for row in values["rows"]
        if row["values_bytes"] is not None
    ]


def _cells(number: int, row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["accuracy"]["interval"]
    paper = times(row["paper"]["times"]) if row["paper"] else ""
    return (
        f"{number:>2} {row['network']}",
        *(row["compression"], row["bits"], size(row["bytes"]), times(row["times"]), paper),
        *(percent(row["accuracy"]["top1"]), f"{percent(low, '')}–{percent(high)}", *lost(row)),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    left = 2  # columns of words
    cells = [
        cell.ljust(width) if at < left else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def to_csv(values: dict[str, Any]) -> str:
    """Return the rows as CSV, one line each, numbers unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_record(number, row) for number, row in enumerate(values["rows"], 1))
    return text.getvalue()


def _record(number: int, row: dict[str, Any]) -> list[Any]:
    accuracy, difference, paper = row["accuracy"], row["lost"] or {}, row["paper"] or {}
    own = [row[name] for name in COLUMNS[1:9]]
    judged = [accuracy["top1"], *accuracy["interval"], accuracy["top5"], accuracy["n"]]
    compared = [difference.get("drop_pp"), *difference.get("interval_pp", (None, None)), difference.get("mcnemar_p")]
    published = [paper.get(name) for name in ("megabytes", "times", "top1", "top5")]
    return [number, *own, *judged, *compared, *published, row["how"]]


def to_json(values: dict[str, Any]) -> str:
    """Return everything as JSON."""
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
