"""The assets of an Android app: models, their labels, and a list of both with hashes.

The app reads everything else from the `.tflite` itself. The same models in give the same bytes out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from converters.delta.trust import Trust
from converters.tflite.metadata import LABELS_FILE
from converters.tflite.writer import read_attached

FOLDER = "models"
LIST_FILE = "models.json"
FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def android_assets(models: Mapping[str, bytes], trust: Trust | None = None) -> dict[str, bytes]:
    """Return an app's assets for some models.

    Args:
      models: name to show → bytes of a `.tflite` file that carries its labels; in the order to show them.
      trust: whose updates it takes; None for nobody's.

    Returns:
      path below the app's assets folder → bytes: `models/NAME.tflite`, `models/NAME.labels.txt` and
      `models/models.json`, which lists names, files and their SHA-256.

    Raises:
      ValueError: there is no model, a name is no plain file name, or a model is none or carries no labels.
    """
    if not models:
        raise ValueError("received no model; expected at least one")
    files: dict[str, bytes] = {}
    entries = []
    for name, model in models.items():
        if fault := name_fault(name):
            raise ValueError(fault)
        labels = _labels(name, model)
        files[f"{FOLDER}/{name}.tflite"] = model
        files[f"{FOLDER}/{name}.labels.txt"] = labels
        entries.append(_entry(name, model, labels))
    listed = {"format": FORMAT, "models": entries, **({"updates": trust.stored} if trust else {})}
    text = json.dumps(listed, indent=2, ensure_ascii=False) + "\n"
    return {**files, f"{FOLDER}/{LIST_FILE}": text.encode()}


def name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a model, or None."""
    if _NAME.fullmatch(name):
        return None
    return f"the name {name!r} is no plain file name; use letters, digits, `.`, `_` and `-`"


def _labels(name: str, model: bytes) -> bytes:
    if model[4:8] != b"TFL3":
        raise ValueError(f"{name} is no .tflite file; expected a FlatBuffer with identifier TFL3")
    attached = read_attached(model)
    if LABELS_FILE not in attached:
        raise ValueError(f"{name} carries no {LABELS_FILE}; expected a model exported by this kit")
    return attached[LABELS_FILE]


def _entry(name: str, model: bytes, labels: bytes) -> dict[str, object]:
    return {
        "name": name,
        "file": f"{name}.tflite",
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "labels": f"{name}.labels.txt",
        "labels_sha256": hashlib.sha256(labels).hexdigest(),
    }
