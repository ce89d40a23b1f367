"""The text of a table, in whatever encoding a spreadsheet has written it."""

from __future__ import annotations

import io
import re
from itertools import islice

from sqz_tf.base.encodings import Guess, guess, told
from sqz_tf.images.split_names import shown

_FOREIGN = re.compile(rb'[\x80-\xff][^\t\r\n,;"/]*')
_SEPARATOR = re.compile(rb'[\t\r\n,;"/]')
_LONGEST_CELL = 200
_MOST_CELLS = 10_000  # from which an encoding is guessed


def text_of(raw: bytes, encoding: str) -> io.TextIOWrapper:
    """Return a table to read by lines, their ends as they are."""
    return io.TextIOWrapper(io.BytesIO(raw), encoding, newline="")


def encoding_of(where: str, raw: bytes) -> tuple[str, str]:
    """Return the encoding of a table, and what to say of it.

    Args:
      where: its name in messages.
      raw: what it holds.
    """
    if known := told(raw):
        return known, ""
    cells = [cell for match in islice(_FOREIGN.finditer(raw), _MOST_CELLS) if (cell := _cell(raw, match))]
    guessed = guess(cells, windows=True) or Guess("utf-8")
    names = shown({cell.decode(guessed.encoding, "replace") for cell in cells})
    return guessed.encoding, guessed.doubt(where, names, cells)


def _cell(raw: bytes, foreign: re.Match[bytes]) -> bytes:
    """Return the cell, or part of one, that a match is the end of; nothing of one that is too long."""
    start, end = foreign.span()
    before = _SEPARATOR.split(raw[max(0, start - _LONGEST_CELL) : start])[-1].lstrip()
    return before + raw[start:end] if len(before) + end - start < _LONGEST_CELL else b""
