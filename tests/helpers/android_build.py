"""Building and running the app's Java in tests, with artefacts kept between runs."""

from __future__ import annotations

import platform
from pathlib import Path

from android_demo.tools import jvm, process
from tests.helpers.needs import ROOT, require

CACHE = ROOT / "build" / "android" / "maven"


def require_android() -> None:
    """Skip unless everything is here that builds the app and runs its tests."""
    missing = process.missing_tools()
    require(not missing, f"{', '.join(missing)} are not installed")


def core(folder: Path) -> list[Path]:
    """Return the class path of core and its tests, or skip."""
    missing = process.missing_tools(["java", "javac", "mvn"])
    require(not missing, f"{', '.join(missing)} are not installed")
    require(platform.machine() == "x86_64", "TFLite for the JVM is pinned for x86-64 only")
    return jvm.compile_core(folder, CACHE)


def run_cases(classpath: list[Path], folder: Path, *names: str) -> None:
    """Run tests of core on the cases in `folder`."""
    classes = [f"org.sqztf.core.{name}" for name in names]
    assert jvm.run_junit(classes, classpath, {"sqz.cases": str(folder)}) == len(names)
