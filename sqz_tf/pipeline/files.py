"""The plain files that stages keep: weights as .npz, figures as .json.

A resumed run reads what an unbroken one wrote, and both write the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.json_files import load
from sqz_tf.base.pixels import Range


def write_weights(path: Path, weights: list[np.ndarray]) -> None:
    """Write a model's weights, in its own order."""
    np.savez(path, **{f"w{number:04d}": value for number, value in enumerate(weights)})  # type: ignore[arg-type]


def read_weights(path: Path) -> list[np.ndarray]:
    """Return what `write_weights` wrote."""
    with np.load(path) as stored:
        return [stored[name] for name in sorted(stored.files)]


def write_json(path: Path, value: Any) -> None:
    """Write plain JSON values."""
    path.write_text(json.dumps(value, indent=1, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote."""
    return load(path)


def read_ranges(path: Path) -> dict[str, Range]:
    """Return ranges that `write_json` wrote."""
    ranges: dict[str, Range] = load(path, dict[str, Range])
    return ranges
