"""Names of classes that are legal, and yet likely no classes: parts of a download, copies, dates, several in one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from sqz_tf.base.text import some

_PART_WORDS = "part|batch|fold|chunk|shard|images?|photos?|pics|frames|folder|dir|dcim|download"
_PARTS = re.compile(rf"(?:^|.*[^a-z])(?:{_PART_WORDS})s?[-_ .]?(\d+)(?!.*\d)")
_CAMERA = re.compile(r"\d{3}[a-z_]{5}")  # 100CANON, 101_PANA
_DATE = re.compile(r"(19|20)\d\d([-_. ]?[01]\d([-_. ]?[0-3]\d)?)?")
_YEAR = re.compile(r"\d{4}")
_ADDED = " - (?:copy|kopie|copie|copia|副本)|のコピー|[ _-](?:copy|aug|augmented|backup|bak|resized|cropped)"
_COPY = re.compile(rf"(?:copy[ _]of|kopie[ _]von|copi[ea][ _]de)[ _](.+)|(.+?)(?:{_ADDED})?(?: ?\(\d+\))?")
_NO_LABEL = frozenset(("unlabelled", "unlabeled", "unsup", "nan", "null", "n/a", "undefined", "?", "-1", "no_label"))
_NUMBERS = frozenset(("eins", "en", "ett", "één", "een", "один"))  # in whose languages null, or нуль, is a number
_BAR = re.compile("[|;]")
_JOINTS = re.compile(r"\s*[|;,+&]\s*")


def class_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Say which classes may be none.

    Args:
      names: of all classes.
    """
    plain = {name.casefold(): name for name in sorted(names)}
    told = (
        *_numbered(names),
        ([plain[name] for name in plain if _is_copy(name, plain)], "may be copies of other classes"),
        ([plain[name] for name in plain if name in _NO_LABEL and not _is_value(name, plain)], "may have no label"),
        (_joint(names), "may be several labels in one"),
    )
    return tuple(
        f"warning: {some(found)} {doubt}: taken for {'a class' if len(found) == 1 else 'classes'}"
        for found, doubt in told
        if found
    )


def _numbered(names: Sequence[str]) -> list[tuple[list[str], str]]:
    """Return all classes if they are called like the folders of a camera or dates, or like parts that are numbered."""
    plain = [name.casefold() for name in names]
    days = all(map(_DATE.fullmatch, plain)) and not all(map(_YEAR.fullmatch, plain))
    told = (
        (_in_order(plain), "may be parts of one folder"),
        (all(map(_CAMERA.fullmatch, plain)), "may be a camera's folders"),
        (days, "may be dates"),
    )
    return [(sorted(names), doubt) for doubtful, doubt in told if doubtful and len(names) > 1]


def _in_order(names: Sequence[str]) -> bool:
    """Tell whether names are alike but for numbers that follow one another, from 0 or 1 on."""
    found = [match for name in names if (match := _PARTS.match(name))]
    if len(found) < len(names) or len({re.sub(r"\d+", "", name) for name in names}) > 1:
        return False
    numbers = sorted(int(match[1]) for match in found)
    return numbers[0] < 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _is_value(name: str, names: Mapping[str, str]) -> bool:
    """Tell by the other classes that a name is a value among its like: -1 between 1 and others, ? among marks, null."""
    others = names.keys() - {name}
    if name == "-1":
        return "1" in others and all(f"-{other}" in names for other in others if other.isdecimal() and other != "0")
    if name == "?":
        return all(len(other) == 1 for other in others)
    return name == "null" and bool(_NUMBERS & others)


def _is_copy(name: str, names: Mapping[str, str]) -> bool:
    found = _COPY.fullmatch(name)
    of = found and (found[1] or found[2])
    return bool(of) and of != name and of in names


def _joint(names: Sequence[str]) -> list[str]:
    """Return the classes that seem to be made of others: of parts that are, or are in, other classes.

    One such part is enough between bars and semicolons; of commas and plus signs, which names have, it must be all, and
    words; of blanks it must be several classes that share words, since ice cream is neither ice nor cream.
    """
    known = {name.casefold() for name in names}
    times = Counter(part for name in known for part in set(_parts(name)))
    of_words = {name for name in known if len(name.split()) > 1 and known.issuperset(name.split())}
    words = Counter(word for name in of_words for word in set(name.split()))
    shared = {name for name in of_words if any(words[word] > 1 for word in name.split())}
    return sorted(name for name in names if _of_parts(name, times) or name.casefold() in shared)


def _of_parts(name: str, times: Counter[str]) -> bool:
    parts = _parts(name.casefold())
    again = sum(times[part] > 1 for part in parts)
    if len(parts) < 2 or not again:
        return False
    words = all(len(part) > 1 and not part.isdecimal() for part in parts)
    return bool(_BAR.search(name)) or (words and again == len(parts))


def _parts(name: str) -> list[str]:
    return [part for part in _JOINTS.split(name) if part]
