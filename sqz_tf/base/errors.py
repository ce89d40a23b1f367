"""Errors a person can act on: what was received, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class SqzError(Exception):
    """A known failure: printed as one line, exit code 1.

    Args:
      what: what happened, with the value received.
      expected: what would have been right; may be empty.
      fix: what to do now; may be empty.
      lines: what is printed below that, a line each: a program to copy, say.

    `notes` are what had been found out before, see `noting`.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, what: str, *, expected: str = "", fix: str = "", lines: Sequence[str] = ()) -> None:
        self.what, self.expected, self.fix, self.lines = what, expected, fix, tuple(lines)
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if fix:
            parts.append(fix)
        super().__init__("; ".join(parts))


class Note(UserWarning):
    """Something a person should know that ends nothing: a command says it once, a program gets it as a warning."""


@contextmanager
def noting(notes: Sequence[str]) -> Iterator[None]:
    """Give an error of the block what was noted until then and would have been read without it."""
    try:
        yield
    except SqzError as error:
        error.notes = (*notes, *(note for note in error.notes if note not in notes))
        raise


@contextmanager
def translated(
    error: type[SqzError],
    what: str,
    *,
    expected: str = "",
    fix: str = "",
    of: tuple[type[Exception], ...] = (ValueError,),
) -> Iterator[None]:
    """Turn what a library raises inside the block into an error of ours: `WHAT: the first line of ITS MESSAGE`.

    Args:
      error: what to raise instead.
      what, expected, fix: see `SqzError`.
      of: which errors; others pass.
    """
    try:
        yield
    except of as found:
        raise error(f"{what}: {first_line(found)}", expected=expected, fix=fix) from found


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its name if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class DataError(SqzError):
    """The pictures, labels or folders given cannot be used."""


class ConfigError(SqzError):
    """An option has a value that cannot work."""


class TrainingError(SqzError):
    """Training did not learn anything."""


class ConversionError(SqzError):
    """The converter produced something other than what was asked for."""


class OutputError(SqzError):
    """The output folder cannot be written."""
