"""The text of a table, in whatever encoding a spreadsheet has written it."""

from __future__ import annotations

import codecs
import io
import re
from itertools import islice

from sqz_tf.base.encodings import guess
from sqz_tf.images.split_names import shown

_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_FOREIGN = re.compile(rb'[\x80-\xff][^\s,;"/]*')
_SEPARATOR = re.compile(rb'[\s,;"/]')
_LONGEST_WORD = 200
_MOST_WORDS = 10_000  # from which an encoding is guessed
_PIECE = 1 << 20


def text_of(raw: bytes, encoding: str) -> io.TextIOWrapper:
    """Return a table to read by lines, their ends as they are."""
    return io.TextIOWrapper(io.BytesIO(raw), encoding, newline="")


def encoding_of(where: str, raw: bytes) -> tuple[str, str]:
    """Return the encoding of a table, and what to say of it.

    Args:
      where: its name in messages.
      raw: what it holds.
    """
    if marked := next((name for mark, name in _MARKS.items() if raw.startswith(mark)), ""):
        return marked, ""
    if raw.count(0) > 5 * len(raw) // 8:
        return ("utf-32-be" if raw.startswith(b"\0") else "utf-32-le"), ""
    if raw.count(0) > len(raw) // 4:
        return ("utf-16-le" if raw[1::2].count(0) > raw[::2].count(0) else "utf-16-be"), ""
    if _is_utf_8(raw):
        return "utf-8", ""
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


def _is_utf_8(raw: bytes) -> bool:
    pieces = (raw[start : start + _PIECE] for start in range(0, len(raw), _PIECE))
    try:
        for _ in codecs.iterdecode(pieces, "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True
