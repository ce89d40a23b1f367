"""`tools.kill_and_resume`: when it kills, and what it takes for a difference."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tools.kill_and_resume import hashes, moments, stage_seconds


def test_kills_are_spread_evenly_over_the_stages_in_their_order() -> None:
    stages = [1.0, 100.0, 10.0]
    when = list(moments(300, 2.0, stages, random.Random(1)))
    assert len(when) == 300
    for place, seconds in enumerate((1, 100, 8)):  # none in the last fifth of the last stage
        own = when[100 * place : 100 * (place + 1)]
        assert {moment.done for moment in own} == {None, place}
        assert max(moment.seconds for moment in own if moment.done is not None) == pytest.approx(seconds, rel=0.1)
        assert all(moment.seconds < 2 for moment in own if moment.done is None)
    assert len(set(when)) == 300


@pytest.mark.parametrize(
    ("file", "text", "differs"),
    [
        ("report.json", {"gate": "passed", "seconds": {"data": 2, "checked": 3}, "stages": ["data"]}, False),
        ("report.json", {"gate": "failed", "seconds": {"data": 1, "checked": 3}, "stages": ["data"]}, True),
        ("manifest.json", {"files": 1}, False),
        ("README.md", "another", True),
        ("c/extra.c", "another", True),
    ],
)
def test_a_result_differs_by_anything_but_seconds(file: str, text: object, differs: bool, tmp_path: Path) -> None:
    report = {"gate": "passed", "seconds": {"data": 1, "checked": 3}, "stages": ["data"]}
    for name, content in {"README.md": "", "report.json": json.dumps(report), "manifest.json": "{}"}.items():
        (tmp_path / name).write_text(content)
    before = hashes(tmp_path)
    assert stage_seconds(tmp_path) == [1, 3]
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps(text))
    assert (hashes(tmp_path) != before) is differs
