"""Replicas train as one process does, and a cluster outlives the death of a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.cluster import settings
from tests.helpers.needs import ROOT

pytestmark = [pytest.mark.training, pytest.mark.slow]

TOLERANCE = 1e-4  # of losses of about 2: sums are rounded in another order, and four epochs magnify it
FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


def started(folder: Path, *options: str, setting: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TF_CONFIG": setting, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.helpers.replicas", str(folder), *options]
    return subprocess.Popen(command, env=environment, cwd=ROOT)


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    return found


def weights(folder: Path) -> list[np.ndarray]:
    with np.load(folder / "weights.npz") as found:
        return [found[name] for name in found.files]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    assert started(folder).wait() == 0
    return folder


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of two processes that trained together, unbroken."""
    folders = [tmp_path_factory.mktemp(name) for name in ("chief", "worker")]
    processes = [started(folder, setting=each) for folder, each in zip(folders, settings(2), strict=True)]
    assert [process.wait() for process in processes] == [0, 0]
    return folders


def test_two_workers_have_the_losses_of_one_process(alone: Path, together: list[Path]) -> None:
    one, two = result(alone), result(together[0])
    assert (one["replicas"], two["replicas"]) == (1, 2)
    for name in FIGURES:
        np.testing.assert_allclose(two[name], one[name], atol=TOLERANCE, err_msg=name)
    assert one["accuracy"][-1] > one["accuracy"][0]


def test_all_workers_end_with_the_same_weights_and_the_chief_alone_writes(together: list[Path]) -> None:
    for a, b in zip(*map(weights, together), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_worker_killed_in_mid_epoch_comes_back_and_the_weights_are_those_of_an_unbroken_run(
    together: list[Path], tmp_path: Path
) -> None:
    chief_setting, worker_setting = settings(2)
    chief = started(tmp_path / "chief", setting=chief_setting)
    worker = started(tmp_path / "worker", "--die", setting=worker_setting)
    assert worker.wait() == -signal.SIGKILL
    assert (tmp_path / "worker" / "died").exists()
    assert started(tmp_path / "worker", "--die", setting=worker_setting).wait() == 0
    assert chief.wait() == 0
    assert result(tmp_path / "chief") == result(together[0])
    for a, b in zip(weights(tmp_path / "chief"), weights(together[0]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_mirrored_replicas_have_the_losses_of_one(alone: Path, tmp_path: Path) -> None:
    assert started(tmp_path, "--mirrored", "2").wait() == 0
    one, two = result(alone), result(tmp_path)
    assert two["replicas"] == 2
    for name in FIGURES:
        np.testing.assert_allclose(two[name], one[name], atol=TOLERANCE, err_msg=name)


def test_a_batch_that_replicas_cannot_share_evenly_teaches_the_same(alone: Path, tmp_path: Path) -> None:
    assert started(tmp_path, "--mirrored", "3").wait() == 0
    one, three = result(alone), result(tmp_path)
    assert three["replicas"] == 3
    for name in FIGURES[1:]:  # the mean that Keras shows of the losses weighs replicas, not pictures
        np.testing.assert_allclose(three[name], one[name], atol=TOLERANCE, err_msg=name)
    np.testing.assert_allclose(three["loss"], one["loss"], rtol=0.01)
