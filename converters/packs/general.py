"""General coders, bounded on reading: bytes as they are, and LZMA without its container."""

from __future__ import annotations

import lzma
from typing import Any

from converters.packs.container import PackError, require

RAW, LZMA = 0, 1
_SMALLEST_DICTIONARY = 4096
_MOST_LITERAL_BITS, _MOST_POSITION_BITS = 4, 4
_PROPERTIES = ((3, 0, 0), (0, 2, 2), (3, 0, 2), (0, 0, 0), (1, 0, 0))  # lc, lp, pb that are tried
_SMALL = 1 << 17  # bytes; of more, only the first is tried


def encode(data: bytes) -> tuple[int, bytes]:
    """Return the coding that takes the fewest bytes, and those."""
    tried = _PROPERTIES if len(data) <= _SMALL else _PROPERTIES[:1]
    coded = [(LZMA, _lzma(data, *properties)) for properties in tried]
    return min([(RAW, data), *coded], key=lambda each: len(each[1]))


def _lzma(data: bytes, lc: int, lp: int, pb: int) -> bytes:
    properties = bytes([(pb * 5 + lp) * 9 + lc])
    return properties + lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(lc, lp, pb, len(data)))


def _filters(lc: int, lp: int, pb: int, size: int) -> list[dict[str, Any]]:
    dictionary = max(_SMALLEST_DICTIONARY, size)
    return [
        {
            "id": lzma.FILTER_LZMA1,
            "preset": 9 | lzma.PRESET_EXTREME,
            "dict_size": dictionary,
            "lc": lc,
            "lp": lp,
            "pb": pb,
        }
    ]


def decode(coding: int, stored: bytes, size: int) -> bytes:
    """Return the `size` bytes that a section stands for.

    Raises:
      PackError: it stands for others.
    """
    if coding == RAW:
        require(len(stored) == size, f"a section holds {len(stored):,} bytes, expected {size:,}")
        return stored
    require(coding == LZMA, f"a section is in coding {coding}, which this version does not know")
    require(stored, "an LZMA section is empty")
    rest, lc = divmod(stored[0], 9)
    pb, lp = divmod(rest, 5)
    require(pb <= _MOST_POSITION_BITS and lc + lp <= _MOST_LITERAL_BITS, "an LZMA section has impossible properties")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(lc, lp, pb, size))
    try:
        data = decoder.decompress(stored[1:], max_length=size + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise PackError("an LZMA section is damaged") from error
    require(len(data) == size, f"an LZMA section unpacks to {len(data):,} bytes or more, expected {size:,}")
    return data
