"""Running other programs, and saying clearly what is missing or failed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqz_tf.base.errors import SqzError

DEBIAN_PACKAGES = {
    "aapt": "aapt",
    "aapt2": "aapt",
    "clang": "clang",
    "ld.lld": "lld",
    "nm": "binutils",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "java": "openjdk-17-jdk-headless",
    "javac": "openjdk-17-jdk-headless",
    "keytool": "openjdk-17-jdk-headless",
    "mvn": "maven",
}
"""Program → Debian package that has it."""
ALL = tuple(DEBIAN_PACKAGES)
FOR_GRADLE = ("clang", "ld.lld", "javac", "mvn")
DEMO = Path(__file__).resolve().parent.parent
"""The app's folder."""
FRAMEWORK_RESOURCES = Path("/usr/share/android-framework-res/framework-res.apk")
"""Android's own resources (API 29), from Debian's android-framework-res."""


class BuildError(SqzError):
    """The app cannot be built, or is not right."""


def missing_tools(names: Sequence[str] = tuple(DEBIAN_PACKAGES)) -> list[str]:
    """Return the Debian packages to install for programs that are not here."""
    packages = [DEBIAN_PACKAGES[name] for name in names if shutil.which(name) is None]
    if "aapt2" in names and not FRAMEWORK_RESOURCES.is_file():
        packages.append("android-framework-res")
    return sorted(set(packages))


def require_tools(names: Sequence[str] = tuple(DEBIAN_PACKAGES)) -> None:
    """Make sure that programs are here.

    Raises:
      BuildError: some are not; names the packages to install.
    """
    if packages := missing_tools(names):
        raise BuildError(f"tools are missing; install them with: apt-get install {' '.join(packages)}")


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; return its standard output.

    Raises:
      BuildError: it exited with another code than 0; with the end of what it printed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=env, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is not installed") from error
    if done.returncode:
        shown = (done.stdout + done.stderr).strip()[-8000:]
        raise BuildError(f"{' '.join(words[:6])} … exited with {done.returncode}:\n{shown}")
    return done.stdout
