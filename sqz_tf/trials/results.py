"""What an exploration leaves in its folder: points.csv, the plots, a page. Each file is written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sqz_tf import __version__
from sqz_tf.artifact.disk import disk_errors, make_parents, require_place
from sqz_tf.artifact.manifest import read_json
from sqz_tf.base.errors import OutputError
from sqz_tf.base.units import kib
from sqz_tf.trials import plots
from sqz_tf.trials.points import NAMES, Point, Sweep
from sqz_tf.trials.rows import Row, front, held_out_interval, interval, values

RECORD, TABLE, PAGE = "explore.json", "points.csv", "explore.html"
KIND = "exploration"
FORMAT = 1
PAPER = {
    "squeeze-ratio": "The paper's figure 3(a). Its networks (version 1.0, ImageNet) have 4.76, 7.50, 12.99, 18.47 and "
    "23.95 MiB of floats; their top-5 accuracy grew from 80.3 % to 86.0 % at a ratio of 0.75, and no further.",
    "pct-3x3": "The paper's figure 3(b), at a squeeze ratio of 0.5. Its networks (version 1.0, ImageNet) have 5.64, "
    "9.24, 12.99, 16.74 and 20.33 MiB of floats; their top-5 accuracy stayed at 85.6 % from a half on.",
    "bypass": "The paper's table 3 (version 1.0, ImageNet): top-1 57.5 % without, 60.4 % with simple, 58.8 % with "
    "complex bypass. It gives 4.8, 4.8 and 7.7 MB; counted, complex bypass has 1,589,672 parameters, 6.06 MiB.",
}


@dataclass(frozen=True)
class Result:
    """What is written.

    Attributes:
      rows: every point.
      sweeps: by name, those that were asked for, each with its points in order.
      data: where the pictures are; None for networks that are only measured.
      about: what was explored, a sentence.
      left: points that are not done yet.
      options: of an export that trains a point alike, by name; None and "" are left out.
    """

    rows: tuple[Row, ...]
    sweeps: Mapping[str, tuple[Sweep, tuple[Point, ...]]]
    data: str | None
    about: str
    left: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def of(self, points: Sequence[Point]) -> list[Row]:
        """Return the rows of points, in their order; those not done are left out."""
        known = {row.point: row for row in self.rows}
        return [known[point] for point in points if point in known]


def require_folder(folder: Path) -> None:
    """Make sure that the folder can be made, or is one of this command, without writing anything.

    Raises:
      OutputError: something else is there, or nothing can be written.
    """
    require_place(folder)
    if folder.exists():
        if not folder.is_dir():
            raise OutputError(f"--out {folder} is a file", expected="a folder", fix="choose another --out")
        if any(folder.iterdir()) and read_json(folder / RECORD).get("kind") != KIND:
            raise OutputError(
                f"--out {folder} exists and was not written by this command",
                expected=f"a new folder, or one with our {RECORD}",
                fix="choose another --out",
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(
                f"--out {folder} cannot be written to", expected="a folder of this user", fix="choose another --out"
            )


def make_folder(folder: Path) -> None:
    """Make the folder and say that it is ours."""
    with disk_errors(folder):
        make_parents(folder)
        if not (folder / RECORD).exists():
            _write(folder / RECORD, _text({"kind": KIND, "format": FORMAT}))


def write(folder: Path, result: Result) -> None:
    """Write all files of a result, in place of those that are there."""
    best = front(result.rows)
    files = {TABLE: table(result.rows, best), PAGE: page(result, best).encode()}
    for name, (sweep, points) in result.sweeps.items():
        trained = [row for row in result.of(points) if row.learnt]
        if trained:
            files[f"{name}.svg"] = plots.svg_file(name, plots.sweep_plot(sweep, trained))
    if best:
        files["front.svg"] = plots.svg_file("front", plots.front_plot(result.rows))
    with disk_errors(folder):
        for name, data in files.items():
            _write(folder / name, data)
        _write(folder / RECORD, _text(record(result)))


def record(result: Result) -> dict[str, Any]:
    """Return a result as plain values: explore.json."""
    best = front(result.rows)
    return {
        "kind": KIND,
        "format": FORMAT,
        "sqz_tf": __version__,
        "about": result.about,
        "sweeps": list(result.sweeps),
        "left": result.left,
        "points": [values(row, row in best) for row in result.rows],
    }


def table(rows: Sequence[Row], best: Sequence[Row]) -> bytes:
    """Return points.csv: a line each, with every column of `rows.values`."""
    text = io.StringIO()
    lines = [values(row, row in best) for row in rows]
    writer = csv.DictWriter(text, list(lines[0]) if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    os.replace(partial, path)


# What a person reads.


def page(result: Result, best: Sequence[Row]) -> str:
    """Return the page as one HTML text that fetches nothing."""
    loader = ChoiceLoader([PackageLoader("sqz_tf.trials", "templates"), PackageLoader("sqz_tf.report", "templates")])
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    drawn = {"front": Markup(plots.inline("front", "Accuracy by flash", plots.front_plot(result.rows)))} if best else {}
    undone = f" {result.left} more are not done yet." if result.left else ""
    return environment.get_template("explore.html.j2").render(
        title=f"Design space: {result.data or 'sizes alone'}",
        version=__version__,
        subtitle=result.about,
        plots=drawn,
        front=[{**_words(row, result), "command": _command(row, result)} for row in best],
        sweeps=[_sweep(name, *each, result) for name, each in result.sweeps.items()],
        points=[_words(row, result) for row in result.rows],
        points_lead=f"{len(result.rows)} points.{undone}",
    )


def _sweep(name: str, sweep: Sweep, points: Sequence[Point], result: Result) -> dict[str, Any]:
    rows = result.of(points)
    trained = [row for row in rows if row.learnt]
    plot = plots.inline(name, sweep.title, plots.sweep_plot(sweep, trained)) if trained else ""
    named = [
        {**_words(row, result), "value": plots.value_text(sweep.field, getattr(row.point, sweep.field))} for row in rows
    ]
    return {
        "name": name,
        "title": sweep.title,
        "field": sweep.field,
        "lead": PAPER.get(name, ""),
        "plot": Markup(plot),
        "rows": named,
    }


def _words(row: Row, result: Result) -> dict[str, str]:
    """Return the cells of a row."""
    sizes, learnt = row.sizes, row.learnt
    mark = "" if sizes.linked else "~"
    taken = {
        "parameters": f"{sizes.parameters:,}",
        "float_mib": f"{sizes.float_mib:.2f}",
        "int8": kib(sizes.int8_bytes),
        "macs": f"{sizes.macs:,}",
        "ram": mark + kib(sizes.ram),
        "flash": mark + kib(sizes.flash),
    }
    return {
        "name": name_of(row.point, [each.point for each in result.rows]),
        **(taken if sizes.known else dict.fromkeys(taken, "–")),
        "validation": f"{learnt.validation:.1%}" if learnt else "–",
        "interval": _range(interval(row)) if learnt else "–",
        "test": f"{learnt.test_right / learnt.test_pictures:.1%}" if learnt else "–",
        "test_interval": _range(held_out_interval(learnt)) if learnt else "–",
        "state": row.state,
        "why": row.why,
    }


def _range(limits: tuple[float, float]) -> str:
    return f"{100 * limits[0]:.1f} to {100 * limits[1]:.1f} %"


def name_of(point: Point, every: Sequence[Point]) -> str:
    """Return what tells a point from the others: the fields that differ among them."""
    differing = [name for name in NAMES if len({getattr(each, name) for each in every}) > 1]
    said = [f"{name} {plots.value_text(name, getattr(point, name))}" for name in differing]
    return ", ".join(said) or point.arch


def _command(row: Row, result: Result) -> str:
    """Return the command that exports a point, trained as here."""
    given = {name: value for name, value in result.options.items() if value not in (None, "")}
    options = {"data": result.data or "", **given, **asdict(row.point)}
    said = " ".join(f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in options.items())
    return f"python -m sqz_tf.export {said}"


def summary(result: Result) -> str:
    """Return a result for a terminal: a line a point, those of the front marked."""
    best = front(result.rows)
    head = ["", "point", "parameters", "MiB", "MACs", "RAM", "flash", "validation", "state"]
    rows = [head]
    for row in result.rows:
        said = _words(row, result)
        rows.append(["*" if row in best else "", *(said[name] for name in ("name", "parameters", "float_mib", "macs"))])
        rows[-1] += [said[name] for name in ("ram", "flash", "validation", "state")]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    left = {0, 1, len(head) - 1}
    lines = [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    note = ["* no other point takes as little flash and is right as often"] if best else []
    return "\n".join([*lines, *note])
