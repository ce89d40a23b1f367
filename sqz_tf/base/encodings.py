"""Text whose encoding nobody wrote down: guessed among what Windows and DOS have used, and what else it may be."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

LEGACY = (
    *("cp932", "gb18030", "cp949", "big5", "cp866", "cp437", "cp850", "cp1252", "cp1251", "cp852", "cp1250"),
    *("cp857", "cp1254", "cp737", "cp1253", "cp862", "cp1255", "cp720", "cp1256", "cp874", "cp775", "cp1257"),
)
"""What is tried, the likelier first: Japanese, Chinese, Korean, traditional Chinese; of DOS and Windows in turn
Cyrillic, Western, Central European, Turkish, Greek, Hebrew, Arabic, Thai (both) and Baltic."""
_MOST_BYTES = 1 << 16  # that have to be of the encoding
_MOST_JUDGED = 1 << 13  # bytes whose words are judged
_MOST_OTHERS = 4
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_PIECE = 1 << 20
_DOS = frozenset({"cp866", "cp437", "cp850", "cp852", "cp857", "cp737", "cp862", "cp720", "cp775"})
_AGAINST_DOS = 2  # odd things, where Windows has written
_SIGNS = re.compile(
    r"(?<=[^\W\d_])’(?=[st]\b)|(?<=\b[CDJLMNOST])’(?=[^\W\d_])|(?<=s)’(?!\w)"
    r"|(?<!\w)(?:“([^“”\n]+)”|«([^«»\n]+)»|‘([^‘’\n]+)’)(?!\w)"
    r"|(?<![A-Z\x80-\uffff])[–—€£±×½¼¾](?![A-Z\x80-\uffff])|(?<=[A-Z\d.!?])[®™…](?![\w\x80-\uffff])|(?<=[M\d])[²³](?!\w)"
    r"|(?<=[\dN ])°(?=[CF\d]|\W|$)|(?<=[\d ])µ(?=[ALFGMSVW]\b)",
    re.IGNORECASE,
)
"""Signs where they stand in plain text: Women’s, l’été, “so”, a – b, 5 €, 2½, ±3, m², 25 °C, n°1, 100 µm."""
_COMMON = {"cp932": "shift_jis", "gb18030": "gb2312", "cp949": "euc_kr"}  # without rare characters
_WORD = re.compile(r"[^\x00-@\[-`{-\x7f]+")  # ASCII letters, and all that is not ASCII
_ALPHABETS = tuple(
    frozenset(letters)
    for letters in (
        *("äöüß", "äöüåé", "æøåé", "àâæçèéêëîïôœùû", "àèéìíòóù", "áéíñóúü", "àáâãçéêíóôõúü", "àçèéíïòóúü", "éëï"),
        *("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîșțşţ", "ëç"),
        *("çğıöşüâîû", "ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
    )
)
"""Letters that are not ASCII, of each language: German, Swedish, Danish, French, Italian, Spanish, Portuguese, Catalan,
Dutch; Polish, Czech, Slovak, Hungarian, Croatian, Romanian, Albanian; Turkish, Lithuanian, Latvian, Estonian."""
_VOWELS = {"CYRILLIC": frozenset("аеёиоуыэюяіїєў"), "GREEK": frozenset("αεηιουωάέήίόύώϊϋΐΰ")}
_STRESSED = frozenset("άέήίόύώΐΰ")  # of which a word has one at most
_NEVER_FIRST = frozenset("ъьыς")
_ONLY_LAST = frozenset("ςךםןףץة")


def is_encoding(name: str) -> bool:
    """Tell whether text can be read in an encoding of that name."""
    try:
        return isinstance(b"a".decode(codecs.lookup(name).name), str)
    except (LookupError, ValueError, TypeError):
        return False


def told(raw: bytes) -> str | None:
    """Return the encoding that a text itself tells: by its mark, by its zeros, or as it can be UTF-8."""
    if marked := next((name for mark, name in _MARKS.items() if raw.startswith(mark)), None):
        return marked
    if raw.count(0) > 5 * len(raw) // 8:
        return "utf-32-be" if raw.startswith(b"\0") else "utf-32-le"
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


@dataclass(frozen=True)
class Guess:
    """The encoding that texts are most likely in, and others that make other, likely words of them, the best first."""

    encoding: str
    others: tuple[str, ...] = ()

    def doubt(self, where: str, shown: str, parts: Sequence[bytes]) -> str:
        """Return the warning that a text is taken for this encoding.

        Args:
          where: what the text is called.
          shown: some of it as it is read.
          parts: what the encoding was guessed from.
        """
        looks = f"if that looks wrong{self.instead(min(parts, default=b''))}, save it as UTF-8"
        return f"warning: {where} is not UTF-8 and taken for {self.encoding} ({shown}); {looks}"

    def instead(self, example: bytes) -> str:
        """Return how an example reads in the others, in brackets; nothing without any."""
        read = ", ".join(f"{other}: {example.decode(other, 'replace')}" for other in self.others)
        return f" ({read})" if read else ""


def guess(texts: Iterable[bytes], windows: bool = False) -> Guess | None:
    """Return the encoding that the texts are most likely in, UTF-8 if they can be, or None.

    That one is taken whose words are most like words: letters of one script and of one language, capitals in front,
    vowels where the script has them, no signs but where text has them, and no rare characters.

    Args:
      texts: names, cells or lines.
      windows: whether a program of Windows has written them, as spreadsheets are, rather than one of DOS or a zip's.
    """
    looked = _some(sorted(set(texts)), _MOST_BYTES)
    raw = b"\n".join(looked)
    if _decoded(raw, "utf-8") is not None:
        return Guess("utf-8")
    read = {name: text for name in LEGACY if (text := _decoded(raw, name)) is not None}
    few = b"\n".join(_some(looked, _MOST_JUDGED)) or raw
    chaos = _chaos(few, list(read))
    against = _AGAINST_DOS if windows else 0
    oddness = {name: _oddness(few, name) + against * (name in _DOS) for name in read}
    ranked = sorted(read, key=lambda name: (oddness[name], chaos.get(name, 1.0), LEGACY.index(name)))
    first_of = {read[name]: name for name in reversed(ranked)}
    likely = [name for name in ranked if first_of[read[name]] == name and oddness[name] < 2 + oddness[ranked[0]]]
    return Guess(likely[0], tuple(likely[1 : 1 + _MOST_OTHERS])) if likely else None


def _chaos(raw: bytes, names: list[str]) -> dict[str, float]:
    """Return in tenths how little like text charset-normalizer finds what the encodings make of bytes."""
    from charset_normalizer import from_bytes  # only the few need it

    found = from_bytes(raw, cp_isolation=names, threshold=0.5, enable_fallback=False)
    return {name: round(match.chaos, 1) for match in found for name in match.could_be_from_charset}


def _some(texts: list[bytes], most: int) -> list[bytes]:
    """Return whole texts from all over a list, together of so many bytes at most."""
    found = []
    for text in texts[:: 1 + sum(map(len, texts)) // most]:
        most -= len(text)
        if most >= 0:
            found.append(text)
    return found


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _oddness(raw: bytes, encoding: str) -> int:
    """Count what is odd in a text: words that are none, letters that no one language has, rare characters."""
    plain = _SIGNS.sub(lambda sign: f" {''.join(filter(None, sign.groups()))} ", raw.decode(encoding))
    words = [word for word in set(_WORD.findall(plain)) if not word.isascii()]
    scripts = set().union(*map(_scripts, words))
    rare = encoding in _COMMON and _decoded(raw, _COMMON[encoding]) is None
    odd = rare + ("HALFWIDTH" in scripts) + (encoding == "cp949" and "CJK" in scripts)
    return odd + len(scripts) + _foreign(words) + sum(map(_odd_word, words))


def _foreign(words: Sequence[str]) -> int:
    """Count the Latin letters that the language which has most of them lacks."""
    letters = {letter for word in words for letter in word.lower() if not letter.isascii()}
    latin = {letter for letter in letters if _script(letter) == "LATIN"}
    return min(len(latin - alphabet) for alphabet in _ALPHABETS)


def _odd_word(word: str) -> int:
    scripts = _scripts(word)
    small = word.lower()
    vowels = _VOWELS.get(next(iter(scripts), ""), frozenset())
    return (
        (len(scripts) > 1)
        + ("" in scripts)
        + any(a.islower() and b.isupper() and not b.isascii() for a, b in pairwise(word))
        + (len(word) > 2 and bool(vowels) and not vowels & set(small))
        + (len(word) > 2 and scripts == {"LATIN"} and not any(map(str.isascii, word)))
        + (small[0] in _NEVER_FIRST or unicodedata.category(word[0])[0] == "M")
        + (sum(letter in _STRESSED for letter in small) > 1)
        + any(letter in _ONLY_LAST for letter in word[:-1])
    )


def _scripts(word: str) -> set[str]:
    return {_script(letter) for letter in word}


@lru_cache(1 << 16)
def _script(letter: str) -> str:
    """Return a letter's script; nothing for a sign."""
    if unicodedata.category(letter)[0] not in "LMN" or letter in "ªº":
        return ""
    first = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return "CJK" if first in ("HIRAGANA", "KATAKANA") else first
