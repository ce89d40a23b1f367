"""Copies of pictures among the rows of a data set: which belong together, and what a person should know of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from sqz_tf.data.splits import judged_elsewhere
from sqz_tf.images.looks import MOST_PICTURES, PACKAGE, Look, can_look, copies
from sqz_tf.images.split_names import SPLITS


def looks_for_copies(count: int) -> bool:
    """Tell whether copies are looked for among so many pictures, here."""
    return can_look() and count <= MOST_PICTURES


def why_not(count: int) -> tuple[str, ...]:
    """Say why rescaled copies are not looked for; nothing if they are."""
    if not can_look():
        return (
            f"warning: rescaled copies of pictures are not looked for without {PACKAGE}, and the split by content may "
            f"differ from one made with it: pip install {PACKAGE}",
        )
    if count > MOST_PICTURES:
        return (f"rescaled copies of pictures are looked for among {MOST_PICTURES:,} at most: not here",)
    return ()


def known_copies(digests: Sequence[bytes], looks: Sequence[Look | None]) -> dict[bytes, bytes]:
    """Return for each picture that looks like others, by its digest, the digest of the first of them."""
    order = sorted(range(len(digests)), key=digests.__getitem__)  # whatever the files are called
    found = copies([looks[row] for row in order])
    return {digests[order[each]]: digests[order[first]] for each, first in found.items()}


MOST_OF_CLASS, FEW = 0.2, 3
"""Share of a class, and pictures, beyond which those that look the same are no copies: spectrograms, a fixed camera."""


def crowds(keys: Sequence[bytes], digests: Sequence[bytes], labels: Sequence[int]) -> dict[int, int]:
    """Return the classes in which looks tell nothing: how many pictures look the same there, though bytes differ."""
    sizes = Counter(labels)
    most: dict[int, int] = {}
    for (_, label), count in Counter(
        (key, label) for key, _, label in set(zip(keys, digests, labels, strict=True))
    ).items():
        if count > max(FEW, MOST_OF_CLASS * sizes[label]):
            most[label] = max(count, most.get(label, 0))
    return most


def crowd_notes(found: Mapping[int, int], labels: Sequence[int], classes: Sequence[str]) -> tuple[str, ...]:
    """Say in which classes looks tell nothing."""
    sizes = Counter(labels)
    shown = _listed([f"{count} of {sizes[label]} of {classes[label]}" for label, count in sorted(found.items())])
    return (
        (f"warning: {shown} look the same: not taken for copies; if they are, accuracies are too high",)
        if found
        else ()
    )


def kept_notes(
    keys: Sequence[bytes], labels: Sequence[int], classes: Sequence[str], splits: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """Say what of given splits has copies in one that judges it, and is kept because too little would be left."""
    part = {row: name for name in SPLITS for row in splits[name].tolist()}
    had = Counter((name, labels[row]) for row, name in part.items())
    doubled = Counter((part[row], labels[row]) for row in judged_elsewhere(part, labels, keys))
    lines = []
    for split in SPLITS:
        shown = [
            f"{count} of {had[name, label]} of {classes[label]}"
            for (name, label), count in sorted(doubled.items())
            if name == split
        ]
        if shown:
            lines.append(
                f"warning: in {split} {_listed(shown)} look like held-out pictures: kept, since too few would be left, "
                "so accuracies may be too high"
            )
    return tuple(lines)


def _listed(shown: Sequence[str]) -> str:
    more = f" and {len(shown) - 3} classes more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more


def copy_notes(
    keys: Sequence[bytes],
    digests: Sequence[bytes],
    labels: Sequence[int],
    names: Sequence[str],
    splits: Mapping[str, np.ndarray],
) -> tuple[str, ...]:
    """Say which pictures look the same though their bytes differ, and where they went."""
    part = {row: name for name in SPLITS for row in splits[name].tolist()}
    held = {digests[row] for row in part}
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        groups[key].append(row)
    found: defaultdict[str, list[list[int]]] = defaultdict(list)
    left_out = 0  # byte for byte is told elsewhere
    for rows in groups.values():
        if len({digests[row] for row in rows}) > 1:
            out = [row for row in rows if row not in part and digests[row] not in held]
            for outcome in _outcomes(rows, labels, part, out):
                found[outcome].append(rows)
            left_out += len(out)
    counts = {outcome: sum(len(rows) - 1 for rows in each) for outcome, each in found.items()} | {"left out": left_out}
    return tuple(
        _SAID[outcome].format(counts[outcome], _example(found[outcome][0], names))
        for outcome in _SAID
        if found[outcome]
    )


_SAID = {
    "together": "{} pictures look like others ({}): kept on one side of the split",
    "left out": "warning: {} pictures look like held-out ones ({}): not trained on",
    "apart": "warning: {} pictures look like others ({}): on both sides of the split, so accuracies may be too high",
    "mixed": "warning: {} pictures look like others ({}): in another class",
}


def _outcomes(
    rows: Sequence[int], labels: Sequence[int], part: Mapping[int, str], left_out: Sequence[int]
) -> tuple[str, ...]:
    places: defaultdict[int, set[str]] = defaultdict(set)
    for row in rows:
        places[labels[row]].update([part[row]] if row in part else [])
    true = {
        "left out": bool(left_out),
        "apart": any(len(each) > 1 for each in places.values()),
        "mixed": len(places) > 1,
    }
    return tuple(outcome for outcome, each in true.items() if each) or ("together",)


def _example(rows: Sequence[int], names: Sequence[str]) -> str:
    return " and ".join(sorted(names[row] for row in rows)[:2])
