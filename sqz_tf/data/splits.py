"""Which pictures train, calibrate, validate and test.

A split depends on the bytes of the pictures alone, not on their names or a seed: inside each class they are
sorted by SHA-256, then the first go to test, the next to validation, the rest to train. Only `cifar10` and
`tfds:NAME` need TensorFlow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.spec import DataConfig

SPLITS = ("train", "calibration", "validation", "test")


_SMALL_SET = 10_000
MOST_HELD_OUT = 0.9  # of the pictures


In = TypeVar("In")


def spread(values: Sequence[In], most: int | None) -> list[In]:
    """Return at most `most` values, evenly spread (files are sorted by class); all of them for None."""
    if most is None or len(values) <= most:
        return list(values)
    return [values[position * len(values) // most] for position in range(most)]


def split(
    labels: Sequence[int],
    digests: Sequence[bytes],
    given: Sequence[str | None],
    classes: Sequence[str],
    config: DataConfig,
    together: Sequence[bytes] | None = None,
) -> dict[str, np.ndarray]:
    """Divide pictures over train, validation and test; draw calibration from train.

    Inside each class pictures are sorted by digest; test takes the first, validation the next, each its
    fraction rounded up, and at least one picture is left for the next. A split the source itself has is kept.

    Args:
      labels, digests, given: per picture its class, its SHA-256, and the source's own split or None.
      together: per picture a key, the same for copies, which stay on one side: those of one class are taken or left
        as one, and what the source would train on is left out if a copy of the same class is held out, unless more
        than half of the class would go. A class of too few different pictures is split all the same.

    Returns:
      int64 row numbers, in order of digest; those of calibration take one picture of each class in turn.

    Raises:
      DataError: a class has too few pictures to be in every split.
    """
    order = sorted(range(len(labels)), key=lambda row: (digests[row], labels[row], given[row] or ""))
    absent = {name: fraction for name, fraction in _fractions(config, len(labels)).items() if name not in given}
    part = {row: given[row] or "train" for row in order}
    if together:
        part.update(dict.fromkeys(_held_out_too(part, labels, together, 1 + len(absent)), ""))
    pools: list[list[int]] = [[] for _ in classes]
    for row in order:
        if part[row] == "train":
            pools[labels[row]].append(row)
    _refuse_small_classes(classes, pools, 1 + len(absent))
    left = []
    for pool in pools:
        counts = _counts(len(pool), list(absent.values()))
        groups = _groups(pool, together, 1 + len(absent))
        for following, (name, count) in enumerate(zip(absent, counts, strict=True)):
            taken, groups = _take(groups, count, len(absent) - following)
            part.update(dict.fromkeys(taken, name))
        left.append([row for row in pool if part[row] == "train"])
    result = {name: [row for row in order if part[row] == name] for name in SPLITS}
    result["calibration"] = _in_turn(left, config.calibration_images)
    return {name: np.array(rows, np.int64) for name, rows in result.items()}


def _held_out_too(part: dict[int, str], labels: Sequence[int], together: Sequence[bytes], least: int) -> list[int]:
    """Return the rows of given splits that are to be left out, unless too little of a class would be left."""
    doubled = judged_elsewhere(part, labels, together)
    had = Counter((name, labels[row]) for row, name in part.items())
    gone = Counter((part[row], labels[row]) for row in doubled)

    def enough(name: str, label: int) -> bool:
        left = had[name, label] - gone[name, label]
        return left >= gone[name, label] and (name != "train" or left >= least)

    return [row for row in doubled if enough(part[row], labels[row])]


def judged_elsewhere(part: Mapping[int, str], labels: Sequence[int], together: Sequence[bytes]) -> list[int]:
    """Return the rows that have a copy of the same class in a split that judges theirs.

    Args:
      part: the split of each row.
      labels, together: as those of `split`.
    """
    rank = {"train": 0, "validation": 1, "test": 2}
    highest: dict[tuple[bytes, int], int] = {}
    for row, name in part.items():
        key = (together[row], labels[row])
        highest[key] = max(rank[name], highest.get(key, 0))
    return [row for row, name in part.items() if rank[name] < highest[together[row], labels[row]]]


def asked(
    labels: Sequence[int], given: Sequence[str | None], splits: Mapping[str, np.ndarray], config: DataConfig
) -> dict[str, int]:
    """Return how many pictures the splits that are not given would have if none were copies."""
    absent = {name: fraction for name, fraction in _fractions(config, len(labels)).items() if name not in given}
    pools = Counter(labels[row] for name in ("train", *absent) for row in splits[name].tolist())
    counts = [_counts(pool, list(absent.values())) for pool in pools.values()]
    return {name: sum(each[position] for each in counts) for position, name in enumerate(absent)}


def _groups(pool: Sequence[int], together: Sequence[bytes] | None, least: int) -> list[list[int]]:
    """Return the rows of one class, copies in one list, in order of their first; each alone if those were too few."""
    groups: dict[bytes | int, list[int]] = {}
    for row in pool:
        groups.setdefault(together[row] if together else row, []).append(row)
    return list(groups.values()) if len(groups) >= least else [[row] for row in pool]


def _take(groups: list[list[int]], count: int, following: int) -> tuple[list[int], list[list[int]]]:
    """Return the first rows whose copies fit into `count`, and the other groups: one for each that follows at least."""
    taken: list[int] = []
    left: list[list[int]] = []
    most = len(groups) - following
    for group in groups:
        if most and len(taken) + len(group) <= count:
            taken += group
            most -= 1
        else:
            left.append(group)
    if taken:
        return taken, left
    smallest = min(groups, key=len)
    return smallest, [group for group in groups if group is not smallest]


def _counts(pictures: int, fractions: list[float]) -> list[int]:
    """Return what each split takes of one class: rounded up, and one left for each that follows and for train."""
    counts: list[int] = []
    for position, fraction in enumerate(fractions):
        most = pictures - sum(counts) - (len(fractions) - position)
        counts.append(max(1, min(math.ceil(pictures * fraction - 1e-9), most)))  # 100 * 0.07 is 7.000000000000001
    return counts


def _fractions(config: DataConfig, pictures: int) -> dict[str, float]:
    test, validation = (0.25, 0.15) if pictures < _SMALL_SET else (0.1, 0.1)
    usual = {"test": test, "validation": validation}
    return {name: fraction or usual[name] for name, fraction in _chosen(config).items()}


def _chosen(config: DataConfig) -> dict[str, float]:
    return {"test": config.test_fraction, "validation": config.validation_fraction}


def check_fractions(config: DataConfig) -> None:
    """Raise a ConfigError unless the fractions leave pictures to train on."""
    _refuse_too_much(_chosen(config), {})


def check_shares(config: DataConfig, given: Sequence[str | None]) -> None:
    """Raise a ConfigError unless what is held out of these pictures, also by default, leaves some to train on."""
    shares = {name: share for name, share in _fractions(config, len(given)).items() if name not in given}
    _refuse_too_much(shares, _fractions(DataConfig(), len(given)))


def _refuse_too_much(held_out: Mapping[str, float], usual: Mapping[str, float]) -> None:
    total = sum(held_out.values())
    if total > MOST_HELD_OUT + 1e-9:
        shares = " and ".join(
            f"{share:g} for {name}{' (the default)' if share == usual.get(name) else ''}"
            for name, share in held_out.items()
        )
        raise ConfigError(
            f"{shares} take {total:.2f} of the pictures",
            expected=f"at most {MOST_HELD_OUT} together, so that some are left to train on",
        )


def idle_fractions(given: Sequence[str | None], config: DataConfig) -> list[str]:
    """Say which fractions have no effect, since the source has these splits of its own."""
    return [
        f"--{name}-fraction {fraction:g} has no effect: there are pictures given for {name}"
        for name, fraction in _chosen(config).items()
        if fraction and name in given
    ]


def _refuse_small_classes(classes: Sequence[str], pools: list[list[int]], needed: int) -> None:
    small = [(name, len(pool)) for name, pool in zip(classes, pools, strict=True) if len(pool) < needed]
    if small:
        shown = ", ".join(f"{name!r} has {count}" for name, count in small[:3])
        raise DataError(
            f"{len(small)} of {len(classes)} classes have too few pictures ({shown})",
            expected=f"at least {needed} different pictures a class to train on and split",
            fix="add pictures or remove the class",
        )


def _in_turn(by_class: list[list[int]], most: int) -> list[int]:
    longest = max(map(len, by_class), default=0)
    turns = (rows[turn] for turn in range(longest) for rows in by_class if turn < len(rows))
    return [row for row, _ in zip(turns, range(most), strict=False)]


def counts_by_class(labels: Sequence[int], index: np.ndarray, classes: int) -> tuple[int, ...]:
    """Return how many of the rows `index` each class has."""
    return tuple(np.bincount(np.asarray(labels, np.int64)[index], minlength=classes).tolist())
