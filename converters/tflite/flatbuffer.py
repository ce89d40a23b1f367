"""Tables, vectors and texts of a FlatBuffer, every length checked against the file before anything is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Invalid(ValueError):
    """A fault found by a check of ours; its message is already clear."""


class Unread(Invalid):
    """A file that may well be whole, but holds what this kit does not read."""


def check(condition: object, message: str) -> None:
    """Raise `Invalid` unless the condition holds."""
    if not condition:
        raise Invalid(message)


def names(enum: type) -> dict[int, str]:
    """Return the names of an enumeration of the schema by number."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


SHARED = 4  # times that a file's bytes are read at most: some writers let equal vectors share a place


class File:
    """A file's bytes, and how many of them may still be read.

    Tables may point to one vector again and again, so that a small file holds endless work. What is read in all is
    bounded by the file's length.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.left = data, SHARED * len(data)

    def read(self, count: int, what: str) -> None:
        """Take note that so many values, of a byte or more each, are read."""
        self.left -= count
        check(
            count <= len(self.data) and self.left >= 0, f"the .tflite file is damaged: {count} {what} do not fit in it"
        )


def text(value: bytes | None, file: File) -> str:
    """Return a text that may be missing."""
    file.read(len(value or b""), "letters")
    return "" if value is None else value.decode("utf-8")


def tables(owner: Any, field: str, file: File, most: int) -> Iterable[Any]:
    """Yield the tables of a vector, whose length is checked against the file and `most` before the first is read."""
    length = getattr(owner, f"{field}Length")()
    check(length * 4 <= len(file.data), f"the .tflite file is damaged: {length} {field} do not fit in it")
    check(length <= most, f"the model has {length:,} {field.lower()}, expected at most {most:,}")
    return (getattr(owner, field)(i) for i in range(length))


def numbers(owner: Any, field: str, file: File) -> list[Any]:
    """Return a vector of numbers."""
    length = getattr(owner, f"{field}Length")()
    file.read(length, field)
    values = getattr(owner, f"{field}AsNumpy")() if length else []
    return [value.item() for value in values]
