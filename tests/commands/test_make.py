"""What `make` does before it does anything else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.needs import ROOT, require


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the Makefile, whose pyproject.toml is younger than any environment."""
    require(shutil.which("make") is not None, "make is not installed")
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "pyproject.toml").write_text("")
    return folder


def environment(folder: Path) -> Path:
    """Return an environment that was set up long ago."""
    program = folder / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (folder / ".installed").write_text("")
    os.utime(folder / ".installed", (1, 1))
    return folder


def planned(checkout: Path) -> str:
    """Return what `make setup` would do, whatever the tests themselves were started with."""
    environ = {name: value for name, value in os.environ.items() if name not in ("LOCK", "MAKEFLAGS", "VENV")}
    command = ["make", "-n", "setup"]
    return subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=True).stdout


def test_an_environment_that_is_a_link_is_used_as_it_is(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv").symlink_to(environment(tmp_path / "other"))
    assert "venv" not in planned(checkout)


def test_an_environment_of_its_own_is_set_up_again_after_a_change(checkout: Path) -> None:
    environment(checkout / ".venv")
    assert "-m venv .venv" in planned(checkout)


def test_a_link_to_nothing_is_set_up(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv").symlink_to(tmp_path / "nothing")
    assert "-m venv .venv" in planned(checkout)
