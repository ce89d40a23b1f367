"""What an exploration leaves: a table, plots and a page that hold what is known, written whole."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from dataclasses import asdict, replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sqz_tf import explore, export
from sqz_tf.base.errors import OutputError
from sqz_tf.deploy.boards import boards
from sqz_tf.trials.points import SWEEPS, Point
from sqz_tf.trials.request import Prepared
from sqz_tf.trials.results import Result, make_folder, page, record, require_folder, summary, write
from sqz_tf.trials.rows import front
from tests.helpers.explored import BASE, row, sizes

START = Point.of(BASE)
ROWS = tuple(
    row(width=width, flash=flash, validation=right) for width, flash, right in [(0.2, 20, 0.5), (0.3, 30, 0.9)]
)
LARGE = replace(ROWS[0], point=replace(START, width=0.9), sizes=sizes(900, ("RAM",)), learnt=None, state="too large")


def result(data: str | None = "my <b>pictures</b>", left: int = 0) -> Result:
    points = tuple(each.point for each in (*ROWS, LARGE))
    return Result((*ROWS, LARGE), {"width": (SWEEPS["width"], points)}, data, "a board", left)


def test_everything_known_is_in_the_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "out")
    write(tmp_path / "out", result(left=2))
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"explore.json", "points.csv", "explore.html", "width.svg", "front.svg"}
    told = json.loads((tmp_path / "out" / "explore.json").read_text())
    assert (told["kind"], told["left"], told["sweeps"]) == ("exploration", 2, ["width"])
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "points.csv").read_text())))
    assert [line["width"] for line in lines] == ["0.2", "0.3", "0.9"]
    assert [line["front"] for line in lines] == ["True", "True", "False"]
    assert [line["validation"] for line in lines] == ["0.5", "0.9", ""]
    assert [line["lacking"] for line in lines] == ["", "", "RAM"]
    assert (float(lines[0]["test"]), lines[2]["test"]) == (0.45, "")
    assert list(lines[0]) == list(told["points"][0])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    write(tmp_path / "out", result(left=2))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_the_page_fetches_nothing_and_escapes_what_a_person_named() -> None:
    html = page(result(), front(ROWS))
    assert "my &lt;b&gt;pictures&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org/", "")
    assert "--data &#39;my &lt;b&gt;pictures&lt;/b&gt;&#39; --arch squeezenet-1.1 --width 0.2" in html
    assert "too large" in html


def test_the_command_of_a_point_trains_it_as_it_was_trained(tmp_path: Path) -> None:
    splits, data = "train=a b,test=c'd", "my photos.zip"
    asked = ["--data", data, "--splits", splits, "--zip-encoding", "cp437", "--channels", "1", "--epochs", "7"]
    asked += ["--learning-rate", "0.03", "--seed", "5", "--threads", "2", "--out", str(tmp_path)]
    request = explore._request(explore.build_parser().parse_args(asked))
    html = page(replace(result(data), options=request.carried), front(ROWS[:1]))
    (command,) = re.findall("<code>(python .*)</code>", html)
    words = shlex.split(unescape(command))
    assert words[:3] == ["python", "-m", "sqz_tf.export"]
    found = vars(export.build_parser().parse_args(words[3:]))
    expected = {"data": data, "splits": splits, "zip_encoding": "cp437", "channels": 1, "epochs": 7}
    expected |= {"learning_rate": 0.03, "seed": 5, "threads": 2, **asdict(ROWS[0].point)}
    assert {name: found[name] for name in expected} == expected


def test_a_page_of_sizes_alone_has_no_front() -> None:
    only = replace(result(None), rows=(LARGE,))
    html = page(only, [])
    assert "The front" not in html
    assert record(only)["points"][0]["validation"] is None


def test_the_table_marks_the_front() -> None:
    lines = summary(result()).splitlines()
    assert [line.startswith("*") for line in lines[1:4]] == [True, True, False]
    assert lines[3].endswith("too large")


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("important")
    with pytest.raises(OutputError, match="was not written by this command"):
        require_folder(foreign)
    with pytest.raises(OutputError, match="is a file"):
        require_folder(foreign / "thesis.txt")
    require_folder(tmp_path / "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["foreign", "thesis.txt"]
    make_folder(tmp_path / "new")
    require_folder(tmp_path / "new")


def test_points_of_an_earlier_sweep_stay_behind_those_of_this_one(tmp_path: Path) -> None:
    point = Point.of(BASE)
    earlier = [row(0.1, 100, 0.5), row(0.2, 100, 0.5)]
    now = [replace(earlier[0], point=replace(point, bypass=bypass)) for bypass in ("simple", "none")]
    board = boards()["hifive1-revb"]
    request = SimpleNamespace(folder=tmp_path, data="photos", board=board, ram=None, flash=None, carried={})
    swept = {"bypass": (SWEEPS["bypass"], tuple(each.point for each in now))}
    found = Prepared(cast(Any, request), swept, now, None, None)._written([*earlier, *reversed(now)], 0)
    assert [each.point for each in found.rows] == [each.point for each in (*now, *earlier)]
    assert len(json.loads((tmp_path / "explore.json").read_text())["points"]) == 4
