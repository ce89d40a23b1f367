"""Standard streams that take any text: the one place that knows of encodings, closed streams and readers who leave."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

HANDLER = "sqz-tf-plain"
"""The name of `plain` for Python's codecs."""
_PLAIN = {
    **dict.fromkeys("‐‑‒–—−", "-"),
    **dict.fromkeys("‘’′", "'"),
    **dict.fromkeys("“”″", '"'),
    **dict.fromkeys("█▉▊▋▌", "#"),
    **dict.fromkeys("▍▎▏", " "),
    "×": "x",
    "·": ".",
    "…": "...",
    "→": "->",
    "←": "<-",
    "≥": ">=",
    "≤": "<=",
    "±": "+/-",
    "²": "2",
    "━": "=",
    "\xa0": " ",
}


def plain(error: UnicodeError) -> tuple[str, int]:
    """Stand in for what an encoding lacks, as a codec's error handler: `x` for `×`, `\\u9db4` for a letter.

    Raises:
      UnicodeError: it is about reading.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(
        _PLAIN.get(each) or codecs.encode(each, "ascii", "backslashreplace").decode() for each in lacking
    ), error.end


def make_safe() -> None:
    """Let standard output and error take any text, and be there: a closed one becomes one that swallows everything.

    Without that, the next file that is opened gets the number of the closed stream, and what native code prints ends up
    in it.
    """
    codecs.register_error(HANDLER, plain)
    _fill_gaps()
    sys.stdout, sys.stderr = (each if _is_open(each) else _nothing() for each in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def swallow(stream: TextIO) -> None:
    """Let nothing more be written to a standard stream, or Python complains once more at its end.

    One that has no number, as a program that calls a command may give it, is left alone.
    """
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _is_open(stream: TextIO | None) -> bool:
    return stream is not None and not getattr(stream, "closed", False)


def _fill_gaps() -> None:
    """Open what lies at the numbers of closed standard streams."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        os.set_inheritable(number, True)
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def _nothing() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")
