"""What a section of the report is: one value; its template lies beside its module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqz_tf.report.mistakes import Mistake

Values = dict[str, Any]  # the content of report.json, or a part of it


def _always(report: Values) -> bool:
    return True


def _nothing(report: Values, wrong: Sequence[Mistake]) -> Values:
    return {}


def _sound(report: Values) -> None:
    """Nothing is to be checked besides the form."""


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
      name: its id on the page; `MODULE.html.j2` beside its module draws it, or nothing where it has nothing to say.
      title: its heading.
      template: the template's file.
      context: what the template is given besides the report and what every section has: texts, rows, `plots`.
      schema: keys that report.json holds for it alone, with their kinds (`report.schema`).
      needs: whether a report must hold those keys.
      check: raises OutputError if what it holds does not fit together.
    """

    name: str
    title: str
    template: str
    context: Callable[[Values, Sequence[Mistake]], Values] = _nothing
    schema: Values = field(default_factory=dict)
    needs: Callable[[Values], bool] = _always
    check: Callable[[Values], None] = _sound
