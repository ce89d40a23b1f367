"""Text that others wrote: shown without harm, kept without loss of what can be kept, told from numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

MOST_DIGITS = 18  # of a class's number

# Control characters (C0, DEL, C1), marks and overrides of writing direction, line separators, halves of pairs.
_HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_HIDDEN_IN_LINES = re.compile(_HIDDEN.pattern.replace("\0-\x1f", "\0-\x09\x0b-\x1f"))


def printable(text: str) -> str:
    r"""Return text with everything escaped that a terminal would obey rather than show: `\x1b[31m`, `\u202e`."""
    return _HIDDEN.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Return `printable` of several lines: line feeds stay."""
    return _HIDDEN_IN_LINES.sub(_escaped, text)


def printable_json(text: str, encoding: str | None = "utf-8") -> str:
    """Return a JSON text with those characters and what an encoding lacks escaped as JSON does: it says the same."""
    text = _HIDDEN_IN_LINES.sub(_json_escaped, text)
    return text if shown_in(text, encoding) == text else re.sub(r"[^\x00-\x7f]", _json_escaped, text)


def shown_in(text: str, encoding: str | None) -> str:
    """Return text with `?` for what an encoding lacks; a stream without one takes any text."""
    return text.encode(encoding or "utf-8", "replace").decode(encoding or "utf-8")


def readable(text: str) -> str:
    """Return text that UTF-8 can hold; a file's name in another encoding gets � for what is not."""
    return re.sub("[\ud800-\udfff]", "�", text)


def some(texts: Sequence[str], joint: str = ", ", most: int = 3) -> str:
    """Return the first few texts, joined."""
    return joint.join(texts[:most]) + (f"{joint}…" if len(texts) > most else "")


def is_number(text: str) -> bool:
    """Tell whether a label is a class's number, not a text of digits."""
    return text.isdecimal() and len(text) <= MOST_DIGITS


def _json_escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if ord(found[0]) > 127 else f"\\u{ord(found[0]):04x}"


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {9: r"\t", 10: r"\n", 13: r"\r"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
