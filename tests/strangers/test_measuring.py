"""That nothing could be measured is never taken for a difference."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqz_tf.base.spec import CheckConfig
from sqz_tf.inference import host_c
from sqz_tf.parity.artifacts import read_artifacts
from sqz_tf.parity.edges import runtime_edges
from sqz_tf.parity.verdict import judge
from tests.helpers import colour_network

IMAGES, LABELS = colour_network.pictures(8, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_network.write_folder(tmp_path_factory.mktemp("measuring") / "out")


def compiler_that(says: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = place / "cc"
    script.write_text(f"#!/bin/sh\necho {says!r} >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))


@pytest.mark.parametrize(
    "says",
    [
        "/tmp/cc1.s: fatal error: error writing to /tmp/cc1.s: No space left on device",
        "as: BFD error: No space left on device: close failed",
        "collect2: fatal error: cannot write: No space left on device",
    ],
)
def test_a_compiler_without_room_says_nothing_about_the_model(
    says: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler_that(says, tmp_path, monkeypatch)
    with pytest.raises(host_c.MeasurementError, match=r"could not be built and run in .*TMPDIR"):
        judge(folder, IMAGES, LABELS, CheckConfig(parity_images=4))


def test_a_compiler_that_refuses_the_c_does(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_that("model.c:1: error: expected declaration", tmp_path, monkeypatch)
    edge = runtime_edges(read_artifacts(folder), IMAGES[:2])["int8_litert_ref-compiled_c"]
    assert edge.passed is False
    assert "expected declaration" in edge.note


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_full_or_closed_temporary_folder_is_told(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any, **options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    model = colour_network.net().int8_model
    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    with pytest.raises(host_c.MeasurementError, match=os.strerror(number)):
        host_c.run(model, np.zeros((1, 16, 16, 3), np.int8))


def test_a_program_that_cannot_write_is_no_difference(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = host_c._call

    def full(command: list[str], place: Path, given: bytes = b"") -> bytes:
        if command[0].endswith("program"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), command[0])
        return call(command, place, given)

    monkeypatch.setattr(host_c, "_call", full)
    with pytest.raises(host_c.MeasurementError):
        runtime_edges(read_artifacts(folder), IMAGES[:2])
