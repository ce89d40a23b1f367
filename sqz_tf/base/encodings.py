"""Text whose encoding nobody wrote down: guessed by charset-normalizer, among what Windows and DOS have used."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator

LEGACY = ("cp932", "gb18030", "cp949", "big5", "cp866", "cp1251", "cp437", "cp850", "cp1252", "cp1250")
"""What is tried: Japanese, Chinese, Korean, traditional Chinese, Cyrillic of DOS and Windows, Western of both, and last
Central European, which makes words of Western text that look right."""
_MOST_BYTES = 1 << 16  # looked at
_ODD = {"", "HALFWIDTH"}  # signs, and what only terminals used
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PIECE = 1 << 20
_COMMON = {"cp932": "shift_jis", "gb18030": "gb2312", "cp949": "euc_kr"}  # without rare characters


def is_encoding(name: str) -> bool:
    """Tell whether text can be read in an encoding of that name."""
    try:
        return isinstance(b"a".decode(codecs.lookup(name).name), str)
    except (LookupError, ValueError, TypeError):
        return False


def told(raw: bytes) -> str | None:
    """Return the encoding that a text itself tells: by its mark, by the zeros of UTF-16, or as it can be UTF-8."""
    if marked := next((name for mark, name in _MARKS.items() if raw.startswith(mark)), None):
        return marked
    if raw.count(0) > len(raw) // 4:
        return "utf-16-le" if raw[1::2].count(0) > raw[::2].count(0) else "utf-16-be"
    return "utf-8" if _is_utf_8(raw) else None


def _is_utf_8(raw: bytes) -> bool:
    pieces = (raw[start : start + _PIECE] for start in range(0, len(raw), _PIECE))
    try:
        for _ in codecs.iterdecode(pieces, "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def guess(texts: Iterable[bytes]) -> str | None:
    """Return the encoding that the texts are most likely in, UTF-8 if they can be, or None.

    Of what the library finds plausible, that is taken in which every word has letters of one script only and no rare
    ones.
    """
    raw = b"\n".join(_some(sorted(set(texts))))
    if _decoded(raw, "utf-8") is not None:
        return "utf-8"
    from charset_normalizer import from_bytes  # only the few need it

    found = from_bytes(raw, cp_isolation=list(LEGACY), threshold=0.5, enable_fallback=False)
    known = {name: match.chaos for match in found for name in match.could_be_from_charset if name in LEGACY}
    ranked = [
        (_oddness(raw, name), name == "cp1250", round(chaos, 1), LEGACY.index(name), name)
        for name, chaos in known.items()
    ]
    return min(ranked)[-1] if ranked else None


def _some(texts: list[bytes]) -> Iterator[bytes]:
    """Yield whole texts, together of no more than is looked at."""
    left = _MOST_BYTES
    for text in texts:
        left -= len(text)
        if left >= 0:
            yield text


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _oddness(raw: bytes, encoding: str) -> int:
    """Count scripts, words that mix them and words with signs, and ask whether all characters are common ones."""
    words = [_scripts(word) for word in raw.decode(encoding, "replace").split()]
    rare = encoding in _COMMON and _decoded(raw, _COMMON[encoding]) is None
    return rare + len(set.union(set(), *words)) + sum((len(each) > 1) + bool(each & _ODD) for each in words)


def _scripts(word: str) -> set[str]:
    return {_script(letter) for letter in word if not (letter.isascii() and not letter.isalpha())}


def _script(letter: str) -> str:
    """Return a letter's script; nothing for a sign."""
    if unicodedata.category(letter)[0] not in "LMN":
        return ""
    first = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return "CJK" if first in ("HIRAGANA", "KATAKANA") else first
