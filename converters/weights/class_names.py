"""Names of a network's outputs, where training scripts put them into a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converters import strict_json

KEYS = ("class_names", "classes", "labels", "names", "id2label", "class_to_idx", "label2id")
"""What they are called there; the first that can be read counts."""
_MOST = 1 << 20  # characters of a text, and names


def class_names(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the outputs, in their order; empty where there are none.

    Args:
      found: what the file holds besides weights: a list of names, names by number, numbers by name, or one of these
        as JSON, or lines of text.
    """
    return next((names for key in KEYS if (names := _names(found.get(key)))), ())


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, Mapping):
        value = _ordered(value)
    if not isinstance(value, (list, tuple)) or len(value) > _MOST:
        return ()
    return tuple(value) if all(isinstance(name, str) for name in value) else ()


def _read(text: str) -> Any:
    if len(text) > _MOST:
        return None
    try:
        return strict_json.loads(text)
    except ValueError:
        return text.splitlines()


def _ordered(pairs: Mapping[Any, Any]) -> list[Any] | None:
    """Return names in order from names by number, or from numbers by name; None unless numbers count from 0."""
    if all(isinstance(value, int) for value in pairs.values()):
        pairs = {number: name for name, number in pairs.items()}
    numbered = {str(number): name for number, name in pairs.items()}
    order = [numbered.get(str(number)) for number in range(len(pairs))]
    return None if None in order else order
