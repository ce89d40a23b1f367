"""A comparison from an export: every row, the same after an interruption, and refusals before any work."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sqz_tf import compare
from sqz_tf.artifact.manifest import verify_manifest
from sqz_tf.comparison.rows import ORDER
from sqz_tf.comparison.work import SEED_OF
from tests.helpers.exports import unbroken_folder
from tests.helpers.needs import ROOT

pytestmark = pytest.mark.training
RESULTS = {"compare.json", "compare.csv", "compare.html", "manifest.json"}


def line(out: Path, *more: str) -> list[str]:
    given = ["--export", str(unbroken_folder()), "--epochs", "3", "--out", str(out), *more]
    return [sys.executable, "-m", "sqz_tf.compare", *given]


@pytest.mark.slow
def test_every_row_is_there_and_an_interrupted_run_gives_the_same(tmp_path: Path) -> None:
    whole = subprocess.run(line(tmp_path / "whole", "--json"), capture_output=True, text=True, cwd=ROOT)
    assert whole.returncode == 0, whole.stderr
    values = json.loads(whole.stdout)
    assert [row["key"] for row in values["rows"]] == list(ORDER)
    assert values["alexnet"].startswith("scaled AlexNet: input 64×64×3, width 0.1")
    rows = {row["key"]: row for row in values["rows"]}
    assert rows["alexnet"]["times"] == 1
    assert 2 < rows["alexnet_pruned"]["times"] < rows["alexnet_deep"]["times"]
    assert rows["squeezenet_deep_6"]["bytes"] < rows["squeezenet_deep_8"]["bytes"]
    assert all(row["accuracy"]["n"] == values["counts"]["test"] for row in rows.values())
    assert {path.name for path in (tmp_path / "whole").iterdir()} == RESULTS
    assert verify_manifest(tmp_path / "whole") == []

    broken = tmp_path / "broken"
    interrupt(line(broken))
    again = subprocess.run(line(broken, "--json"), capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 0, again.stderr
    assert "squeezenet: taken from the earlier run" in again.stderr
    assert json.loads(again.stdout)["rows"] == values["rows"]


def interrupt(command: list[str]) -> None:
    """Stop a run after AlexNet's first epoch."""
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert running.stderr
    said = next((text for text in running.stderr if text.startswith("alexnet      1/")), "")
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)
    assert (running.returncode, bool(said)) == (130, True)


def test_what_an_export_fixes_is_not_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["--export", "x", "--width", "1", "--input-size", "64"]) == 1
    assert "--input-size, --width would change what --export has fixed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"train": {"epochs": 0}}, "was quantized without training"),
        ({"train": {"epochs": 9}, "weights": {"layout": "export"}}, r"started from weights \(--weights\), and AlexNet"),
        ({"train": {"epochs": 9, "teacher": "ab"}, "dsd": {}}, r"learnt from a teacher \(--teacher\), and"),
        ({"train": {"epochs": 9}, "dsd": {"sparsity": 0.3}}, r"was trained dense, sparse, dense \(--dsd\), and"),
        ({"train": {"epochs": 9}, "start": {"epochs": 27}}, r"began with smaller pictures \(--start-size\), and"),
    ],
)
def test_an_export_that_was_trained_as_alexnet_cannot_be_is_refused(
    config: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"config": config}))
    assert compare.main(["--export", str(tmp_path), "--dry-run", "--out", str(tmp_path / "o")]) == 1
    assert re.search(told, capsys.readouterr().err)


def test_a_seed_that_a_stage_could_not_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (2**32 - 10, -1):
        assert compare.main(["--data", "digits", "--dry-run", "--seed", str(seed)]) == 1
        assert f"--seed is {seed}; expected a number from 0 to" in capsys.readouterr().err
    assert max(SEED_OF.values()) <= compare.ADDED_TO_SEED


def test_an_export_without_the_float_networks_answers_is_refused_by_a_dry_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"config": {"train": {"epochs": 9}}}))
    assert compare.main(["--export", str(tmp_path), "--dry-run", "--out", str(tmp_path / "o")]) == 1
    assert "does not hold reference_answers.npy" in capsys.readouterr().err
    assert compare.main(["--export", "digits", "--dry-run", "--out", str(tmp_path / "o")]) == 0, "one that is shipped"


def test_too_few_pictures_to_pack_are_refused_without_an_option_that_there_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        place = tmp_path / "pictures" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (30 * number, 0, 0)).save(place / f"{number}.png")
    assert compare.main(["--data", str(tmp_path / "pictures"), "--out", str(tmp_path / "o"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "SqueezeNet is packed, too, which learns from" in said
    assert "--pack" not in said


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["--export", str(tmp_path), "--dry-run", "--out", str(tmp_path / "o")]) == 1
    assert "expected a folder that an export wrote" in capsys.readouterr().err
