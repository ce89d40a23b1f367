"""How it was made: the command, time by stage, preprocessing, every setting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqz_tf.base.units import duration
from sqz_tf.report.mistakes import Mistake
from sqz_tf.report.plots import BLUE, Drawing, bar_value, name_rows
from sqz_tf.report.sections.section import Section, Values


def stage_seconds(stages: Sequence[tuple[str, float]]) -> str:
    """Draw how long each stage took, in the order given."""
    with Drawing(24 * len(stages) + 42) as drawing:
        axes = drawing.axes
        axes.barh(range(len(stages)), [seconds for _, seconds in stages], height=0.5, color=BLUE)
        for place, (_, seconds) in enumerate(stages):
            bar_value(axes, seconds, place, duration(seconds))
        name_rows(axes, [name for name, _ in stages])
        axes.set_xlim(0, 1.2 * max([1e-3, *(seconds for _, seconds in stages)]))
        axes.set_xlabel("seconds")
    return drawing.svg("seconds", "Seconds of each stage")


def settings(report: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every setting as (group, [(name, text)])."""
    # What was made stands above what was planned: mean and std are known only once the data are.
    groups = {**report["config"], "model": report["model"], "preprocess": report["preprocess"]}
    loose = {name: value for name, value in groups.items() if not isinstance(value, dict)}
    result = [
        (name, [(key, _shown(item)) for key, item in sorted(value.items())])
        for name, value in groups.items()
        if isinstance(value, dict)
    ]
    return [*result, ("run", [(key, _shown(item)) for key, item in sorted(loose.items())])] if loose else result


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def _stages(report: Values) -> list[tuple[str, float]]:
    """Return the stages in the order in which they ran; of reports that do not tell it, by name."""
    seconds, order = report["seconds"], report.get("stages", [])
    return [(name, seconds[name]) for name in [*order, *sorted(set(seconds) - set(order))] if name in seconds]


def _context(report: Values, wrong: Sequence[Mistake]) -> Values:
    stages = _stages(report)
    return {
        "total_seconds": sum(report["seconds"].values()),
        "settings": settings(report),
        "plots": {"seconds": stage_seconds(stages) if stages else ""},
    }


SECTION = Section("making", "How it was made", "making.html.j2", _context)
