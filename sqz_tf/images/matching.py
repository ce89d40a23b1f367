"""Which output of a model is meant by the class of a picture: by WordNet id, by name or by number."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from sqz_tf.base.errors import DataError
from sqz_tf.base.text import is_number, some

_WNID_PREFIX = re.compile(r"n\d{8}[\s_-]+")


def match_classes(
    classes: Sequence[str],
    labels: Sequence[str],
    *,
    wnids: Sequence[str] = (),
    numbers: Sequence[int] = (),
    label_wnids: Sequence[str] = (),
) -> tuple[int, ...]:
    """Return the model's output for each class of the pictures.

    By WordNet id where both sides have one. Else by name: one that is the same to the letter comes first; then case
    does not count, spaces and underscores are the same, and of several names of one label, separated by commas, each
    will do. Where the model's labels are no numbers, all classes are, and none matches by name: by number, which is the
    output's index.

    Args:
      classes: names of the pictures' classes.
      labels: names of the model's outputs.
      wnids, numbers: of the pictures' classes, as in `ImageSet`; empty where unknown.
      label_wnids: of the model's outputs; empty where unknown.

    Raises:
      DataError: a class matches no output, or several.
    """
    by_wnid = {wnid: index for index, wnid in enumerate(label_wnids) if wnid}
    by_name = _Names(labels)
    found = []
    for name, wnid in zip(classes, wnids or [""] * len(classes), strict=True):
        if wnid and by_wnid:
            found.append([by_wnid[wnid]] if wnid in by_wnid else [])
        else:
            found.append(by_name.outputs(name))
    if not any(found) and not (by_wnid and any(wnids)) and not all(map(is_number, labels)):
        found = _by_number(classes, numbers, len(labels))
    _refuse_unmatched([name for name, outputs in zip(classes, found, strict=True) if not outputs], classes, labels)
    for name, outputs in zip(classes, found, strict=True):
        if len(outputs) > 1:
            raise _ambiguous(name, outputs, label_wnids)
    return tuple(outputs[0] for outputs in found)


class _Names:
    """The outputs that go by a name."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.exact: dict[str, list[int]] = defaultdict(list)
        self.whole: dict[str, list[int]] = defaultdict(list)
        self.parts: dict[str, list[int]] = defaultdict(list)
        for index, label in enumerate(labels):
            self.exact[unicodedata.normalize("NFC", label)].append(index)
            self.whole[_plain(label)].append(index)
            for part in {_plain(part) for part in label.split(",")}:
                self.parts[part].append(index)

    def outputs(self, name: str) -> list[int]:
        """Return the outputs called so; a folder may put the WordNet id in front."""
        if found := self.exact.get(unicodedata.normalize("NFC", name)):
            return found
        for key in (_plain(name), _plain(_WNID_PREFIX.sub("", name))):
            if found := self.whole.get(key) or self.parts.get(key):
                return found
        return []


def _plain(name: str) -> str:
    """Return a name without what does not count; macOS writes accents as characters of their own."""
    return re.sub(r"[\s_]+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def _by_number(classes: Sequence[str], numbers: Sequence[int], outputs: int) -> list[list[int]]:
    if not numbers and all(map(is_number, classes)):
        numbers = [int(name) for name in classes]
    return [[number] if number < outputs else [] for number in numbers] or [[] for _ in classes]


def _refuse_unmatched(missing: Sequence[str], classes: Sequence[str], labels: Sequence[str]) -> None:
    if missing:
        shown = some([repr(name) for name in missing])
        raise DataError(
            f"{len(missing)} of {len(classes)} classes match none of the model's outputs: {shown}",
            expected=f"the model's labels ({some([repr(label) for label in labels])}), their wnids, "
            f"or integers from 0 to {len(labels) - 1} for all",
            fix="rename the folders, or give the model that knows these classes",
        )


def _ambiguous(name: str, outputs: Sequence[int], label_wnids: Sequence[str]) -> DataError:
    ids = [label_wnids[index] for index in outputs if label_wnids and label_wnids[index]]
    by_wnid = f"name it by its wnid, {' or '.join(ids)}"
    return DataError(
        f"class {name!r} matches the outputs {' and '.join(map(str, outputs))}",
        expected="one",
        fix=by_wnid if len(ids) == len(outputs) else "name every class by its output's index",
    )
