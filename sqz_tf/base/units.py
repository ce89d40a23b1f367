"""Numbers as a person reads them."""

from __future__ import annotations

import lzma


def xz_size(data: bytes) -> int:
    """Return the bytes of `data` compressed by xz, preset 9: what it costs to download."""
    return len(lzma.compress(data, preset=9))
