"""What a legal label is: one that is the same in labels.txt, in a `.tflite` file, in C and in an app's list."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

LEGAL = "one line of UTF-8 text without blanks around it"
"""What `fault` asks for, in words."""

_BYTE_ORDER_MARK = "\ufeff"  # readers that take it for the file's own drop it from the first label


def fault(label: str) -> str | None:
    r"""Return what is wrong with a label, to be read after it (`'a ' has blanks around it`), or None.

    A line break is what any reader takes for one: `\n` and `\r` in C and Java, U+2028, U+0085 and others in Python.

    >>> fault("blue sky"), fault("zebra ")
    (None, 'has blanks around it')
    """
    if any("\ud800" <= character <= "\udfff" for character in label):
        return "is not UTF-8"
    if not _bare(label):
        return "is empty"
    if "\0" in label:
        return "holds a NUL character"
    if label.splitlines() != [label]:
        return "holds a line break"
    return None if _bare(label) == label else "has blanks around it"


def _bare(label: str) -> str:
    return label.strip().strip(_BYTE_ORDER_MARK).strip()


def alike(labels: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two labels that differ in bytes alone: equal in Unicode's composed form (NFC), or None.

    Equal labels are no such pair: two classes may have one name.
    """
    seen: dict[str, str] = {}
    for label in labels:
        first = seen.setdefault(unicodedata.normalize("NFC", label), label)
        if first != label:
            return first, label
    return None
