"""`python -m sqz_tf.explore`: what is refused at once, and what sizes alone take."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sqz_tf import explore
from sqz_tf.base.errors import ConfigError
from sqz_tf.deploy.boards import boards
from sqz_tf.trials import study
from tests.helpers.needs import ROOT, require

SMALL = ["--classes", "10", "--input-size", "48", "--channels", "1", "--width", "0.25", "--board", "hifive1-revb"]


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return how the command ends, and its last line of errors."""
    try:
        code = explore.main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sweep", "width"], "expected --data SOURCE, or --classes N"),
        (["--classes", "10", "--data", "digits", "--sweep", "width"], "expected --data SOURCE, or --classes N"),
        (["--classes", "10"], "expected --sweep: a search needs training"),
        (["--data", "digits", "--epochs", "0"], "expected --sweep: a search needs training"),
        (["--data", "digits", "--sweep", "width", "--trials", "3"], "leave it or --sweep out"),
        ([*SMALL, "--sweep", "width", "--epochs", "3", "--storage", "sqlite://"], "--epochs, --storage: nothing is tr"),
        (["--data", "digits", "--sweep", "width", "--epochs", "0", "--learning-rate", "1"], "--learning-rate: nothing"),
        ([*SMALL, "--sweep", "width=0.2", "--sweep", "width=0.3"], "at once: --sweep width=0.2,0.3"),
        (["--data", "digits", "--sweep", "width", "--test-fraction", "0"], "0 would hold out nothing"),
        (["--classes", "10", "--sweep", "depth"], "--sweep is 'depth'; expected one of squeeze-ratio"),
        (["--classes", "10", "--sweep", "width", "--board", "arduino-one"], "board is 'arduino-one'; expected one of"),
        (["--classes", "10", "--sweep", "width", "--max-ram", "none"], "'none' is not a number of KB"),
        (["--classes", "10", "--sweep", "width", "--max-ram", "1"], "--max-ram is 1.0 KiB; expected more than 2.0 KiB"),
        (["--classes", "10", "--sweep", "width", "--max-flash", "5"], "--max-flash is 5.0 KiB; expected more than"),
        (["--classes", "10", "--sweep", "width", "--bypass", "simple", "--freq", "3"], "freq is 3 with simple bypass"),
        ([*SMALL, "--sweep", "width=0.2,0.3", "--max-flash", "30"], "no point keeps to the limits of hifive1-revb"),
        ([*SMALL, "--sweep", "width", "--seed", "-1"], "seed is -1"),
        (["--data", "a\udcff", "--sweep", "width"], "is not UTF-8; expected names that a page can hold"),
        ([*SMALL, "--sweep", "width", "--out", "/proc/nowhere"], "cannot write /proc/nowhere"),
        ([*SMALL, "--sweep", "width", "--out", f"{__file__}/out"], "is no folder"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments if "--out" in arguments else [*arguments, "--out", str(tmp_path / "out")]
    code, line = told(given, capsys)
    assert code in (1, 2)
    assert words in line
    assert list(tmp_path.iterdir()) == []


def test_a_broken_storage_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    arguments = ["--data", "digits", "--sweep", "width=0.2", "--storage", "here.db", "--out", str(tmp_path / "out")]
    code, line = told(arguments, capsys)
    assert (code, line.startswith("error: --storage here.db cannot be used")) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"exploring needs Optuna .*pip install 'sqz-tf\[explore\]'"):
        study.require_optuna()


def test_sizes_alone_need_no_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sizes"
    arguments = [*SMALL, "--sweep", "width=0.25,0.5", "--sweep", "bypass", "--out", str(out), "--quiet"]
    assert explore.main(arguments) == 0
    assert "page: " in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"explore.json", "points.csv", "explore.html"}
    assert explore.main([*arguments, "--json"]) == 0, "the same again"
    points = json.loads(capsys.readouterr().out)["points"]
    assert [(each["width"], each["bypass"]) for each in points] == [
        (0.25, "none"),
        (0.5, "none"),
        (0.25, "simple"),
        (0.25, "complex"),
    ]
    assert {each["state"] for each in points} == {"not trained"}


def test_sizes_alone_need_no_tensorflow(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['tensorflow'] = None; from sqz_tf import explore; sys.exit(explore.main(sys.argv[1:]))"
    )
    arguments = [*SMALL, "--sweep", "width=0.25", "--out", str(tmp_path / "sizes"), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", without, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


DIGITS = ["--data", "digits", "--input-size", "32", "--epochs", "2", "--board", "hifive1-revb"]


def explored(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sqz_tf.explore", *DIGITS, *arguments, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.slow
@pytest.mark.training
def test_an_interrupted_sweep_goes_on_to_the_same_result(tmp_path: Path) -> None:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    sweep = ("--sweep", "width=0.1,0.15")
    whole = explored(tmp_path / "whole", *sweep)
    assert whole.returncode == 0, whole.stderr
    command = [sys.executable, "-m", "sqz_tf.explore", *DIGITS, *sweep, "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as begun:
        assert begun.stderr is not None
        assert any(line.startswith("point 1") for line in begun.stderr), "it has finished an epoch"
        begun.send_signal(signal.SIGINT)
        told = begun.stderr.read()
    assert begun.returncode == 130
    assert explore.INTERRUPTED in told
    assert json.loads((tmp_path / "out" / "explore.json").read_text())["left"] == 2
    again = explored(tmp_path / "out", *sweep)
    assert again.returncode == 0, again.stderr
    points = [json.loads((tmp_path / name / "explore.json").read_text())["points"] for name in ("whole", "out")]
    for each in (*points[0], *points[1]):
        assert each.pop("seconds") > 0
    assert points[0] == points[1]
    assert [each["state"] for each in points[0]] == ["trained"] * 2
    assert {path.name for path in (tmp_path / "out").glob("*.svg")} == {"width.svg", "front.svg"}


@pytest.mark.slow
@pytest.mark.training
def test_a_search_leaves_out_what_is_too_large(tmp_path: Path) -> None:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    done = explored(tmp_path / "out", "--trials", "4", "--max-flash", "60", "--json")
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout)["points"]
    assert len(points) == 4
    for each in points:
        assert (each["state"] == "too large") == bool(each["lacking"])
        assert ("flash" in each["lacking"]) == (each["flash"] > 60 * 1024)
        assert ("RAM" in each["lacking"]) == (each["ram"] > boards()["hifive1-revb"].ram_bytes)
        assert (each["validation"] is None) == (each["state"] != "trained")
    more = explored(tmp_path / "out", "--trials", "5", "--max-flash", "60", "--json")
    assert json.loads(more.stdout)["points"][:4] == points
