"""An export on several machines: what cannot work is told at once, and a killed worker costs nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sqz_tf import export
from tests.helpers import colour_network
from tests.helpers.cluster import settings
from tests.helpers.exports import TINY
from tests.helpers.needs import ROOT


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distributed") / "pictures"
    colour_network.write_pictures(folder, per_class=30)
    return folder


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert export.main([*map(str, arguments), "--distribute", "multiworker", "--wait", "1"]) == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(("setting", "what"), [("", "is not set"), ("{", "is no JSON"), ("{}", "has no cluster")])
def test_a_wrong_setting_is_told_before_a_picture_is_read(
    setting: str, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_CONFIG", setting)
    told = refused(capsys, "--data", tmp_path / "nothing", "--out", tmp_path / "out")
    assert f"error: TF_CONFIG {what}" in told
    assert 'expected like {"cluster"' in told


@pytest.mark.parametrize(("rank", "missing"), [(0, "worker 1 (127.0.0.1:"), (1, "the chief (127.0.0.1:")])
def test_who_does_not_come_is_named_and_nothing_stays(
    rank: int,
    missing: str,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TF_CONFIG", settings(2)[rank])
    told = refused(capsys, "--data", pictures, "--out", tmp_path / "out")
    assert f"error: {missing}" in told
    assert "did not come; expected every process of TF_CONFIG within --wait seconds" in told
    assert not list(tmp_path.iterdir())


def started(folder: Path, pictures: Path, setting: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sqz_tf.export", "--data", pictures, "--out", folder / "out", *TINY]
    environment = {**os.environ, "TF_CONFIG": setting}
    return subprocess.Popen([*map(str, command), "--distribute", "multiworker"], env=environment, cwd=ROOT)


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "out" / name).read_bytes() for name in ("model_int8.tflite", "model_f32.tflite")}


@pytest.mark.slow
@pytest.mark.training
def test_a_worker_killed_while_training_comes_back_and_the_files_are_those_of_an_unbroken_run(
    pictures: Path, tmp_path: Path
) -> None:
    unbroken = [started(tmp_path / "a", pictures, setting) for setting in settings(2)]
    assert [process.wait() for process in unbroken] == [0, 0]
    ranks = settings(2)
    chief, worker = (started(tmp_path / "b", pictures, setting) for setting in ranks)
    work = tmp_path / "b" / "out.work"
    while not list(work.glob("dense-*.tmp/training/epoch-*")):
        assert chief.poll() is None
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    assert started(tmp_path / "b", pictures, ranks[1]).wait() == 0
    assert chief.wait() == 0
    assert files(tmp_path / "b") == files(tmp_path / "a")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["out"]
    report = json.loads((tmp_path / "b" / "out" / "report.json").read_bytes())
    assert "--distribute multiworker" in report["command"]
