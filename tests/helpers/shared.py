"""Things that many tests read and that take long to make, made once for all of them and for every worker.

Each lies in a folder of the machine's temporary folder, named by a hash of everything that makes it: what it is made
of, the source files that make it, the packages installed and the processors there are. A change of any of them makes
it anew, so a folder found is never stale; a later run of the tests takes it as it is. Tests only read there.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.helpers.needs import ROOT

CACHE = Path(tempfile.gettempdir()) / f"sqz-tf-tests-{getpass.getuser()}"
KEPT_SECONDS = 24 * 3600


def shared(name: str, made_of: Any, make: Callable[[Path], None], *sources: str) -> Path:
    """Return a folder that `make` has filled, in this run or an earlier one.

    Args:
      name: of the folder; unique.
      made_of: plain JSON values that the content depends on besides the source files.
      make: fills the empty folder it is given; the folder is renamed afterwards, so it must hold no path of itself.
      sources: files and folders, relative to the repository's root, that the content depends on.
    """
    folder = CACHE / f"{name}-{_key(made_of, sources)}"
    CACHE.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            partial = folder.with_name(folder.name + ".tmp")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
            _discard_old(name)
        os.utime(folder)
    return folder


def _key(made_of: Any, sources: tuple[str, ...]) -> str:
    parts = [made_of, *map(digest, sources), _surroundings()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache
def digest(source: str) -> str:
    """Return the sha256 of a file, or of all files in a folder with their names."""
    path, whole = ROOT / source, hashlib.sha256()
    for each in [path] if path.is_file() else sorted(path.rglob("*")):
        if each.is_file() and each.suffix != ".pyc":
            whole.update(f"{each.relative_to(path)}\0{each.stat().st_size}\0".encode())
            whole.update(each.read_bytes())
    return whole.hexdigest()


@lru_cache
def _surroundings() -> list[Any]:
    packages = sorted({f"{each.name} {each.version}" for each in distributions()})
    return [packages, platform.python_version(), platform.machine(), len(os.sched_getaffinity(0))]


def _discard_old(name: str) -> None:
    """Remove what was last read long ago: sources have changed since."""
    for folder in CACHE.glob(f"{name}-*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
