"""Running other programs, and saying clearly what is missing or failed."""

from __future__ import annotations

import shutil
import signal
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


GRACE = 10
"""Seconds in which a program that took too long may say what it is doing."""


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


def run(
    *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float | None = None
) -> str:
    """Run a program to its end; return its standard output.

    Args:
      seconds: after which it is asked what it is doing (SIGQUIT; Java answers with its threads) and stopped.

    Raises:
      BuildError: it exited with another code than 0, or had to be stopped; with the end of what it printed.
    """
    words = [str(word) for word in command]
    shown, piped = f"{' '.join(words[:6])} …", subprocess.PIPE
    try:
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=piped, stderr=piped, text=True, cwd=cwd, env=env
        ) as program:
            try:
                out, err = program.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise BuildError(f"{shown} did not end within {seconds} s:\n{_stopped(program)}") from error
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is not installed") from error
    if program.returncode:
        raise BuildError(f"{shown} exited with {program.returncode}:\n{(out + err).strip()[-8000:]}")
    return out


def _stopped(program: subprocess.Popen[str]) -> str:
    """Stop a program and return the end of what it printed, what it was doing included."""
    program.send_signal(signal.SIGQUIT)
    try:
        out, err = program.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        program.kill()
        out, err = program.communicate()
    return (out + err).strip()[-20000:]
