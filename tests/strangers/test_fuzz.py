"""Thousands of damaged inputs of each kind that comes from strangers: no traceback, at most 1 GB, at most 20 s each."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.artifact.manifest import manifest
from sqz_tf.base.spec import CheckConfig, DataConfig, to_dict
from tests.helpers import echo_models, hostile
from tests.helpers.hostile import Attack
from tests.helpers.needs import ROOT

GIGABYTE = 10**9
MANY, FEW, REAL = 5000, 20, 200  # mutations of one kind: slow tests, quick tests, through the real command
SHARE = 500  # run by one process before its memory is read
RUN = """
import json, sys
from pathlib import Path
from tests.strangers.test_fuzz import kinds
from tests.helpers.hostile import attack_here
name, folder, number, count, structured = sys.argv[1:]
attack = kinds()[name]
print(json.dumps(attack_here(attack, Path(folder), int(number), int(count), structured == "True")))
"""


@lru_cache
def kinds() -> dict[str, Attack]:
    """Return every kind of input; the model is one of a RESHAPE, whose scores are the pixels."""
    preprocess = json.dumps(to_dict(echo_models.SPEC)).encode()
    config = {"data": DataConfig(), "preprocess": echo_models.SPEC, "check": CheckConfig()}
    values = manifest(
        ROOT / "docs" / "adr",  # some files to list
        config={name: to_dict(each) for name, each in config.items()},
        data_sha256="0" * 64,
        command=["sqz_tf.export"],
    )
    return hostile.attacks(echo_models.described(echo_models.model()), json.dumps(values).encode(), preprocess)


NAMES = (
    *("tflite", "sqz", "preprocess.json", "manifest.json", "zip"),
    *(f"picture {kind}" for kind in hostile.FORMATS if hostile.picture_file(kind)),
)
QUICK = ("tflite", "sqz", "preprocess.json", "manifest.json", "zip", "PNG", "JPEG", "TIFF")


def prepared(folder: Path) -> Path:
    """Put what every command needs beside the input into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.tflite").write_bytes(echo_models.described(echo_models.model()))
    (folder / "picture.png").write_bytes(echo_models.picture(1, 2, 3, 4))
    (folder / "pictures.zip").write_bytes(hostile.zip_of_pictures())
    return folder


def fuzz(name: str, folder: Path, count: int, structured: bool) -> list[Any]:
    """Run mutations of one kind, a share a process; return the faults, the peak of memory among them."""
    faults: list[Any] = []
    for number, start in enumerate(range(0, count, SHARE)):
        place = prepared(folder / f"{number}")
        arguments = [name, place, number, min(SHARE, count - start), structured]
        command = [sys.executable, "-c", RUN, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode:
            faults.append(f"share {number} ended with {done.returncode}: {done.stderr[-500:]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        faults += [(number, *fault) for fault in found["faults"]]
        if found["peak"] > GIGABYTE:
            faults.append(f"share {number} took {found['peak']:,} bytes")
    return faults


@pytest.mark.parametrize("structured", [True, False], ids=["structured", "random"])
@pytest.mark.parametrize("name", [name for name in NAMES if name.removeprefix("picture ") in QUICK])
def test_damaged_inputs_end_in_an_answer_or_one_line(name: str, structured: bool, tmp_path: Path) -> None:
    assert fuzz(name, tmp_path, FEW, structured) == []


@pytest.mark.slow
@pytest.mark.parametrize("structured", [True, False], ids=["structured", "random"])
@pytest.mark.parametrize("name", NAMES)
def test_thousands_of_damaged_inputs_end_in_an_answer_or_one_line(name: str, structured: bool, tmp_path: Path) -> None:
    assert fuzz(name, tmp_path, MANY, structured) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_real_command_ends_as_well(name: str, tmp_path: Path) -> None:
    attack, place = kinds()[name], prepared(tmp_path)
    for data in hostile.inputs(attack, REAL, structured=True, seed=99):
        attack.place(place, data)
        for module, *arguments in attack.commands:
            command = [sys.executable, "-m", module, *arguments]
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=place,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
                timeout=hostile.SECONDS,
                check=False,
            )
            assert hostile.judged((module, *arguments), done.returncode, done.stderr) is None


def test_a_fault_is_seen(tmp_path: Path) -> None:
    assert hostile.judged(("x",), 0, "") is None
    assert hostile.judged(("x",), 1, "error: no model\n") is None
    assert hostile.judged(("x",), -11, "")
    assert hostile.judged(("x",), 1, "Traceback (most recent call last):\n")
    assert hostile.judged(("x",), 1, "error: unforeseen")
    assert hostile.run_here(("sqz_tf.classify", "missing.tflite", "a.png")) is None
    failing = ("tests.helpers.hostile",)  # has no `main`
    assert "AttributeError" in (hostile.run_here(failing) or hostile.Fault("", "")).what
