"""Tables, vectors and texts of a FlatBuffer, every length checked against the file before anything is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Invalid(ValueError):
    """A fault found by a check of ours; its message is already clear."""


def check(condition: object, message: str) -> None:
    """Raise `Invalid` unless the condition holds."""
    if not condition:
        raise Invalid(message)


def names(enum: type) -> dict[int, str]:
    """Return the names of an enumeration of the schema by number."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def text(value: bytes | None) -> str:
    """Return a text that may be missing."""
    return "" if value is None else value.decode("utf-8")


def tables(owner: Any, field: str, data: bytes) -> Iterable[Any]:
    """Yield the tables of a vector, whose length is checked against the file before the first is read."""
    length = getattr(owner, f"{field}Length")()
    check(length * 4 <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    return (getattr(owner, field)(i) for i in range(length))


def numbers(owner: Any, field: str, data: bytes) -> list[Any]:
    """Return a vector of numbers."""
    length = getattr(owner, f"{field}Length")()
    check(length <= len(data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    values = getattr(owner, f"{field}AsNumpy")() if length else []
    return [value.item() for value in values]
