"""Copies of pictures among the rows of a data set: which belong together, and what a person should know of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from sqz_tf.images.looks import MOST_PICTURES, PACKAGE, Look, can_look, copies


def looks_for_copies(count: int) -> bool:
    """Tell whether copies are looked for among so many pictures, here."""
    return can_look() and count <= MOST_PICTURES


def why_not(count: int) -> tuple[str, ...]:
    """Say why rescaled copies are not looked for; nothing if they are."""
    if not can_look():
        return (
            f"warning: rescaled copies of pictures are not looked for without {PACKAGE}, and the split by content may "
            f"differ from an export's: pip install {PACKAGE}",
        )
    if count > MOST_PICTURES:
        return (f"rescaled copies of pictures are looked for among {MOST_PICTURES:,} at most: not here",)
    return ()


def known_copies(digests: Sequence[bytes], looks: Sequence[Look | None]) -> dict[bytes, bytes]:
    """Return for each picture that looks like others, by its digest, the digest of the first of them."""
    order = sorted(range(len(digests)), key=digests.__getitem__)  # whatever the files are called
    found = copies([looks[row] for row in order])
    return {digests[order[each]]: digests[order[first]] for each, first in found.items()}


def copy_notes(
    keys: Sequence[bytes],
    digests: Sequence[bytes],
    labels: Sequence[int],
    names: Sequence[str],
    splits: Mapping[str, np.ndarray],
) -> tuple[str, ...]:
    """Say which pictures look the same though their bytes differ, and where they went."""
    part = {row: name for name in ("train", "validation", "test") for row in splits[name].tolist()}
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    found: defaultdict[str, list[list[int]]] = defaultdict(list)
    for rows in groups.values():
        if len({digests[row] for row in rows}) > 1:
            found[_outcome(rows, labels, part)].append(rows)
    return tuple(_said(outcome, found[outcome], names, part) for outcome in _SAID if found[outcome])


_SAID = {
    "together": "{} pictures look like others ({}): kept on one side of the split",
    "left out": "warning: {} pictures look like held-out ones ({}): not trained on",
    "apart": "warning: {} pictures look like others ({}): on both sides of the split, so accuracies may be too high",
    "mixed": "warning: {} pictures look like others ({}): in another class",
}


def _outcome(rows: Sequence[int], labels: Sequence[int], part: Mapping[int, str]) -> str:
    if len({labels[row] for row in rows}) > 1:
        return "mixed"
    if any(row not in part for row in rows):
        return "left out"
    return "apart" if len({part[row] for row in rows}) > 1 else "together"


def _said(outcome: str, groups: Sequence[Sequence[int]], names: Sequence[str], part: Mapping[int, str]) -> str:
    left_out = sum(row not in part for rows in groups for row in rows)
    count = left_out if outcome == "left out" else sum(len(rows) - 1 for rows in groups)
    return _SAID[outcome].format(count, _example(groups[0], names))


def _example(rows: Sequence[int], names: Sequence[str]) -> str:
    return " and ".join(sorted(names[row] for row in rows)[:2])
