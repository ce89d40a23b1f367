"""What every test shares: where the development data is, and how a missing tool is reported."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def require(condition: object, reason: str) -> None:
    """Skip with `reason` unless `condition` holds; fail instead where everything is mandatory (CI)."""
    if condition:
        return
    if os.environ.get("SQZ_TF_REQUIRE_ALL") == "1":
        pytest.fail(f"SQZ_TF_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def quick(every: Iterable[Any], *now: Any) -> list[Any]:
    """Return parameters of a test: those named as they are, all others left to the slow tests."""
    marks = pytest.mark.slow
    return [
        each if each in now else pytest.param(*(each if isinstance(each, tuple) else [each]), marks=marks)
        for each in every
    ]


def dev_data(name: str) -> Path:
    """Return a file or folder of the development data, or skip."""
    path = Path(os.environ.get("SQZ_TF_DEV_DATA", ROOT.parent / "shared" / "data")) / name
    require(path.exists(), f"{name} is not in SQZ_TF_DEV_DATA")
    return path
