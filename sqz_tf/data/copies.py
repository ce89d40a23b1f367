"""Copies of pictures among the rows of a data set: which belong together, and what a person should know of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

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
    several = [rows for rows in groups.values() if len({digests[row] for row in rows}) > 1]
    apart = [rows for rows in several if len({part[row] for row in rows if row in part}) > 1]
    left_out = [row for rows in several for row in rows if row not in part]
    quiet = [rows for rows in several if rows not in apart and all(row in part for row in rows)]
    mixed = [rows for rows in several if len({labels[row] for row in rows}) > 1]
    return (
        *_note(quiet, names, "", "kept on one side of the split"),
        *_left_out_note(left_out, several, names),
        *_note(apart, names, "warning: ", "on both sides of the split, so that accuracies may be too high"),
        *_note(mixed, names, "warning: ", "in another class"),
    )


def _note(groups: Sequence[Sequence[int]], names: Sequence[str], mark: str, what: str) -> tuple[str, ...]:
    count = sum(len(rows) - 1 for rows in groups)
    return (f"{mark}{count} pictures look like others ({_example(groups[0], names)}): {what}",) if groups else ()


def _left_out_note(left_out: Sequence[int], groups: Iterable[Sequence[int]], names: Sequence[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    rows = next(rows for rows in groups if left_out[0] in rows)
    return (f"warning: {len(left_out)} pictures look like held-out ones ({_example(rows, names)}): not trained on",)


def _example(rows: Sequence[int], names: Sequence[str]) -> str:
    return " and ".join(sorted(names[row] for row in rows)[:2])
