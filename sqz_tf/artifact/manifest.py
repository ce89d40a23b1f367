"""What an output folder says of itself: every file's hash, the configuration and the versions."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Collection, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from sqz_tf import __version__
from sqz_tf.base.json_files import JsonError, load

FORMAT = 1


TOOL = "sqz-tf"
HASHED_AT_ONCE = 1 << 20  # bytes
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # that systems leave in folders one looks into


MANIFEST = "manifest.json"


PACKAGES = (
    "numpy",
    "pillow",
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "tflite-micro",
    "scipy",
    "scikit-learn",
)


def is_output(folder: Path) -> bool:
    """Say whether a folder was published by this kit."""
    return read_json(folder / MANIFEST).get("tool") == TOOL


def manifest(
    folder: Path,
    *,
    config: dict[str, Any],
    data_sha256: str,
    command: list[str],
    packages: Iterable[str] = PACKAGES,
    **more: Any,
) -> dict[str, Any]:
    """Describe a folder: sha256 and bytes of each file, and what they were made from. No dates.

    Args:
      folder: the assembled folder; its own manifest is left out.
      config: stage name → `spec.to_dict` of its config.
      data_sha256: hash of the pictures used.
      command: the command line, as a list of arguments.
      packages: distributions whose installed versions matter.
      more: further plain JSON values, such as `preprocess` or `arena_bytes`.
    """
    return {
        **more,
        "format": FORMAT,
        "tool": TOOL,
        "versions": versions(packages),
        "command": list(command),
        "config": config,
        "data_sha256": data_sha256,
        "files": described(folder, {MANIFEST}),
    }


def write_manifest(folder: Path, values: dict[str, Any]) -> Path:
    """Write `manifest`'s result into its folder as sorted JSON and return the path."""
    path = folder / MANIFEST
    text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def verify_manifest(folder: Path) -> list[str]:
    """Return one line for each difference between a folder and its manifest; empty means it is as written."""
    values = read_json(folder / MANIFEST)
    if values.get("tool") != TOOL or not isinstance(values.get("files"), dict):
        return [f"{folder / MANIFEST} is missing or is not a manifest of this kit"]
    return differences(values["files"], folder, {MANIFEST})


def described(folder: Path, without: Collection[str]) -> dict[str, Any]:
    """Return path → bytes and sha256 of each file in a folder, links included by name.

    Args:
      without: names of files at the top of the folder that describe the others.
    """
    return {name: _describe(folder / name) for name in _files(folder) if name not in without}


def differences(listed: Any, folder: Path, without: Collection[str]) -> list[str]:
    """Return one line for each difference between a folder and what `described` said of it; empty for none."""
    if not isinstance(listed, dict):
        return ["its list of files is missing"]
    found = {name for name in _files(folder) if name not in without}
    problems = [f"{name} is missing" for name in sorted(set(listed) - found)]
    problems += [f"{name} is not in the manifest" for name in sorted(found - set(listed))]
    for name in sorted(found & set(listed)):
        if _describe(folder / name) != listed[name]:
            problems.append(f"{name} has changed")
    return problems


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of this kit, Python and those of `packages` that are installed."""
    found = {"sqz-tf": __version__, "python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, as hex digits; read in parts, since pictures may be larger than memory."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(HASHED_AT_ONCE):
            found.update(part)
    return found.hexdigest()


def _describe(path: Path) -> dict[str, Any]:
    if path.is_symlink() or not path.is_file():
        return {"bytes": 0, "sha256": "a link, or no regular file"}  # never what an export wrote
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _files(folder: Path) -> list[str]:
    """Return the paths below a folder of everything that is no folder, but for LITTER; links are not followed."""
    found = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found += [Path(place, name).relative_to(folder).as_posix() for name in [*files, *links] if name not in LITTER]
    return sorted(found)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, or an empty one if the file is missing, broken or something else."""
    try:
        values: dict[str, Any] = load(path, dict[str, Any])
    except (OSError, JsonError):
        return {}
    return values


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a small JSON file in one rename."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(values, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
