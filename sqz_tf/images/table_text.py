"""The text of a table, in whatever encoding a spreadsheet has written it."""

from __future__ import annotations

import io
import re
from itertools import islice

from sqz_tf.base.encodings import guess, told
from sqz_tf.images.split_names import shown

_FOREIGN = re.compile(rb'[\x80-\xff][^\s,;"/]*')
_SEPARATOR = re.compile(rb'[\s,;"/]')
_LONGEST_WORD = 200
_MOST_WORDS = 10_000  # from which an encoding is guessed


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
    words = [_word(raw, match) for match in islice(_FOREIGN.finditer(raw), _MOST_WORDS)]
    guessed = guess(words)
    encoding = guessed.encoding if guessed else "utf-8"
    names = shown({word.decode(encoding, "replace") for word in words})
    fix = "if that looks wrong, save it as UTF-8"
    return encoding, f"warning: {where} is not UTF-8 and taken for {encoding} ({names}); {fix}"


def _word(raw: bytes, foreign: re.Match[bytes]) -> bytes:
    """Return the word that a match is the end of; nothing of one that is too long."""
    start, end = foreign.span()
    before = _SEPARATOR.split(raw[max(0, start - _LONGEST_WORD) : start])[-1]
    return before + raw[start:end] if len(before) + end - start < _LONGEST_WORD else b""
