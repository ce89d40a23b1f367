"""Names of classes that are legal, and yet likely no classes: parts of a download, copies, dates, several in one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sqz_tf.base.text import some

_PART_WORDS = "part|batch|fold|chunk|shard|images?|photos?|pics|frames|dis[ck]|set|folder|dir|dcim|download"
_PARTS = re.compile(rf"(^|[^a-z])({_PART_WORDS})s?[-_ .]?\d")
_CAMERA = re.compile(r"\d{3}[a-z_]{5}")  # 100CANON, 101_PANA
_DATE = re.compile(r"(19|20)\d\d([-_. ]?[01]\d([-_. ]?[0-3]\d)?)?")
_ADDED = " - (?:copy|kopie|copie|copia|副本)|のコピー|[ _-](?:copy|aug|augmented|backup|bak|old|resized|cropped)"
_COPY = re.compile(rf"(?:copy[ _]of|kopie[ _]von|copi[ea][ _]de)[ _](.+)|(.+?)(?:{_ADDED})?(?: ?\(\d+\))?")
_NO_LABEL = frozenset(("unlabelled", "unlabeled", "unsup", "nan", "null", "n/a", "undefined", "?", "-1", "no_label"))
_BAR = re.compile("[|;]")
_JOINTS = re.compile(r"\s*[|;,+&]\s*")


def class_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Say which classes may be none.

    Args:
      names: of all classes.
    """
    plain = {name.casefold(): name for name in sorted(names)}
    told = (
        (_numbered(names), "may be parts of one folder, a camera's folders or dates: taken for {}"),
        (
            [plain[name] for name in plain if _is_copy(name, plain)],
            "may be copies of other classes: taken for {}",
        ),
        ([plain[name] for name in plain if name in _NO_LABEL], "may have no label: taken for {}"),
        (_joint(names), "may be several labels in one: taken for {}"),
    )
    return tuple(
        f"warning: {some(found)} {doubt.format('a class' if len(found) == 1 else 'classes')}"
        for found, doubt in told
        if found
    )


def _numbered(names: Sequence[str]) -> list[str]:
    """Return all classes if they are called like the folders of a camera or dates, or like parts that are numbered."""
    plain = [name.casefold() for name in names]
    alike = len({re.sub(r"\d+", "", name) for name in plain}) == 1 and all(map(_PARTS.search, plain))
    doubtful = alike or all(map(_CAMERA.fullmatch, plain)) or all(map(_DATE.fullmatch, plain))
    return sorted(names) if len(names) > 1 and doubtful else []


def _is_copy(name: str, names: dict[str, str]) -> bool:
    found = _COPY.fullmatch(name)
    of = found and (found[1] or found[2])
    return bool(of) and of != name and of in names


def _joint(names: Sequence[str]) -> list[str]:
    """Return the classes that seem to be made of others: of parts that are, or are in, other classes.

    One such part is enough between bars and semicolons; of commas and blanks, which names have, it must be all.
    """
    known = {name.casefold() for name in names}
    times = Counter(part for name in known for part in set(_parts(name)))
    return sorted(name for name in names if _of_parts(name, times) or _of_words(name.casefold(), known))


def _of_parts(name: str, times: Counter[str]) -> bool:
    parts = _parts(name.casefold())
    again = sum(times[part] > 1 for part in parts)
    return len(parts) > 1 and (again == len(parts) or (again > 0 and bool(_BAR.search(name))))


def _of_words(name: str, known: set[str]) -> bool:
    words = name.split()
    return len(words) > 1 and known.issuperset(words)


def _parts(name: str) -> list[str]:
    return [part for part in _JOINTS.split(name) if part]
