"""Thousands of damaged inputs of each kind that comes from strangers: no traceback, at most 1 GB, at most 20 s each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from sqz_tf import classify
from tests.helpers import hostile, hostile_models
from tests.helpers.hostile import Fault
from tests.helpers.hostile_weights import weight_files
from tests.helpers.near_workers import forked_workers, workers_here
from tests.strangers import fuzz
from tests.strangers.fuzz import Share

NAMES = (
    *("tflite", "tflite network", "tflite fit", "tflite labels", "sqz", "preprocess.json", "manifest.json", "zip"),
    *(f"picture {kind}" for kind in hostile.FORMATS if hostile.picture_file(kind)),
    *(f"weights {ending}" for ending in weight_files()),
)
QUICK = (*(name for name in NAMES[:8] if name != "tflite fit"), "picture PNG", "picture JPEG", "picture TIFF")
FEW, REAL = 20, 10  # inputs of one kind: in quick tests; in slow tests through the real command
MANY = -(-20_000 // (2 * (len(NAMES) - 1)))  # in slow tests, 20,000 in all; `fuzz.main` runs as many as are asked for
COSTLY = {"tflite fit": 50}  # `fit` compiles what is whole for a board, for seconds


@pytest.mark.parametrize("structured", [True, False], ids=["structured", "random"])
@pytest.mark.parametrize("name", [name for name in QUICK if name in NAMES])
def test_damaged_inputs_end_in_an_answer_or_one_line(name: str, structured: bool) -> None:
    assert fuzz.run(Share(name, structured, 0, FEW))["faults"] == []


@pytest.mark.slow
@pytest.mark.parametrize("structured", [True, False], ids=["structured", "random"])
@pytest.mark.parametrize("name", NAMES)
def test_thousands_of_damaged_inputs_end_in_an_answer_or_one_line(name: str, structured: bool) -> None:
    assert fuzz.run(Share(name, structured, 1, COSTLY.get(name, MANY)))["faults"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_real_command_ends_as_well(name: str) -> None:
    assert fuzz.run(Share(name, True, 99, REAL, real=True))["faults"] == []


def test_a_fault_is_seen() -> None:
    assert hostile.judged(("x",), 0, "") is None
    assert hostile.judged(("x",), 1, "error: no model\n") is None
    assert hostile.judged(("x",), -11, "")
    assert hostile.judged(("x",), 1, "Traceback (most recent call last):\n")
    assert hostile.judged(("x",), 1, "error: unforeseen")
    assert hostile.run_here(("sqz_tf.classify", "missing.tflite", "a.png")) is None
    failing = ("tests.helpers.hostile",)  # has no `main`
    assert "AttributeError" in (hostile.run_here(failing) or Fault("", "")).what
    assert hostile.timed(lambda command: None, ("x",))[1] is None
    assert "seconds" in (hostile.timed(lambda command: None, ("x",), most=-1)[1] or Fault("", "")).what
    assert "the share ended with" in fuzz.run(Share("no kind", True, 0, 1))["faults"][0]


@pytest.mark.parametrize(
    ("build", "said"),
    [("plain", ""), ("depthwise_without_bias", "signal 11 (SIGSEGV"), ("pads_far", "failed to prepare")],
)
def test_a_forked_worker_ends_and_is_told_of_as_the_real_one(
    build: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fuzz.prepared(tmp_path)
    (tmp_path / "model.tflite").write_bytes(hostile_models.classifier(build))
    arguments = [str(tmp_path / "model.tflite"), str(tmp_path / "picture.png"), "--quiet"]
    with forked_workers():
        forked = classify.main(arguments), capfd.readouterr()
    real = classify.main(arguments), capfd.readouterr()
    assert forked == real
    code, (shown, errors) = real
    assert (code, errors.count("\n")) == ((1, 1) if said else (0, 0))
    assert said in errors
    assert bool(shown) is not bool(said)


def test_a_worker_in_this_process_answers_as_the_real_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [str(fuzz.prepared(tmp_path) / "model.tflite"), str(tmp_path / "picture.png"), "--json"]
    with workers_here(), mock.patch.object(subprocess, "Popen", None):
        code, here = classify.main(arguments), capfd.readouterr().out
    assert code == classify.main(arguments) == 0
    assert here == capfd.readouterr().out


def test_what_is_recorded_is_not_run_again(tmp_path: Path) -> None:
    record = tmp_path / "record"
    share = Share("zip", False, 0, 1)
    first = fuzz.run_all([share], record)
    record.write_text(json.dumps({**first[0], "slowest": 7.5}) + "\n")
    assert fuzz.run_all([share], record)[0]["slowest"] == 7.5
    assert "7.5" in fuzz.table(fuzz.run_all([share], record))
