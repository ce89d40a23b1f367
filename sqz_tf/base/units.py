"""Numbers as a person reads them."""

from __future__ import annotations

import lzma


def xz_size(data: bytes) -> int:
    """Return the bytes of `data` compressed by xz, preset 9: what it costs to download."""
    return len(lzma.compress(data, preset=9))


NAME_LENGTH = 22


def short(name: str, most: int = NAME_LENGTH) -> str:
    """Return a printable name of at most `most` characters; names differ at their ends, so the middle goes."""
    printable = "".join(letter if letter.isprintable() else "�" for letter in " ".join(name.split()))
    if len(printable) <= most:
        return printable
    return f"{printable[: most // 2]}…{printable[-((most - 1) // 2) :]}"


def kib(size: float) -> str:
    """Return bytes as text with three digits or more: `57.3 KiB`, `1.31 MiB`."""
    if size < 1024:
        return f"{size:.0f} B"
    if size < 2**20:
        return f"{size / 1024:.1f} KiB"
    return f"{size / 2**20:.2f} MiB"


def megabytes(size: float) -> str:
    """Return bytes as text in millions, as memory is limited: `780 MB`, `3,310 MB`."""
    return f"{size / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """Return seconds as text: `0.4 s`, `52 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
