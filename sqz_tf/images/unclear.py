"""Folders that two readings fit: refused with what was found and how to say what is meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from sqz_tf.base.errors import DataError
from sqz_tf.images.split_names import UNLABELLED, foreign_split, is_plain, shown, split_of
from sqz_tf.images.tree import Tree, joined

BY_SPLITS = "--splits none if the folders on top are the classes, --splits train=FOLDER,test=FOLDER if they are splits"
"""What to say if a reading is refused."""
_SERIES = re.compile(
    r"(?<![^\W\d_])(folds?|cv|runs?|parts?|batch|domains?|sources?|targets?|real|synthetic|clip ?art|cartoon|sketch|"
    r"painting|colou?r|gr[ae]y(scale)?|segmented|rgb|depth|thermal|infrared|amazon|dslr|webcam)(?![^\W\d_])"
)


def refuse_mixture(tree: Tree, deep: set[str], others: list[str]) -> None:
    """Refuse folders beside splits."""
    if others:
        raise DataError(
            f"{tree.where} has {shown(deep)} beside {shown(others)}",
            expected="either train, val and test or the class folders on top",
            fix=f"move or rename the others, or give {BY_SPLITS}",
        )


def all_splits(tree: Tree, folder: str) -> bool:
    """Tell whether the folders in a folder are several splits and nothing else."""
    kinds = [split_of(name) for name in tree.within(folder)]
    return None not in kinds and len(set(kinds)) > 1


def refuse_nested(tree: Tree, nested: Mapping[str, str]) -> None:
    """Refuse splits in splits, which are a word for each folder."""
    if nested:
        said = ",".join(f"{kind}={top}" for top, kind in sorted(nested.items()))
        raise DataError(
            f"{tree.where} has splits inside {shown(nested)}",
            expected="one level of splits, and class folders in them",
            fix=f"move those inside beside the others, or give --splits {said} if they are the classes",
        )


def several_sets(tree: Tree, base: str, tops: Sequence[str]) -> list[str]:
    """Refuse folds and domains with splits and the same classes in each; of other names, say that the tops are classes.

    Returns:
      What to say.
    """
    count = Counter(name for top in tops for name in _within_splits(tree, joined(base, top)))
    shared = {name for name, times in count.items() if times > 1}
    if len(shared) < 2 or 2 * len(shared) < len(count):
        return []
    what = f"{shown(tops)}, each with splits, and the same folders in them ({shown(shared)})"
    one = f"{tree.where}/{joined(base, tops[0])}"
    if not _is_series(tops):
        return [f"warning: {what}: taken for classes; if the classes are inside, give one of them, such as {one}"]
    raise DataError(
        f"{tree.where} has {what}",
        expected="one set of splits, and class folders in them",
        fix=f"give one of them, such as {one}, or --splits none if those on top are the classes",
    )


def _is_series(tops: Sequence[str]) -> bool:
    """Tell whether folders are called like parts of a series: numbered, or folds or domains."""
    plain = [top.casefold() for top in tops]
    return _numbered(plain) or all(_SERIES.search(name) for name in plain)


def _numbered(names: Sequence[str]) -> bool:
    """Tell whether some names are alike but for their numbers."""
    return len({re.sub(r"\d+", "", name) for name in names}) < len(names)


def _within_splits(tree: Tree, folder: str) -> set[str]:
    return {name for split in tree.within(folder) for name in tree.within(joined(folder, split))}


def refuse_flat_splits(tree: Tree, kinds: Mapping[str, str], others: list[str]) -> None:
    """Refuse folders that must be splits, or may well be: classes may be called "test tubes" or "steam train"."""
    plain = {split_of(top) for top in kinds if is_plain(top)}
    known = set(kinds.values()) - {UNLABELLED}
    pair = "train" in plain and bool(plain & {"validation", "test", "eval"})
    if pair or (not others and (len(known) > 1 or len(kinds) == 1)):
        raise DataError(
            f"{tree.where} has {shown(kinds)}, which hold pictures and no class folders",
            expected="a folder for each class in each split, or labels.csv with columns file, label and split",
            fix="sort the pictures into class folders, or give --splits none if these names are the classes",
        )


def refuse_foreign_splits(tree: Tree, base: str, kinds: Mapping[str, str], others: Sequence[str]) -> None:
    """Refuse folders that mean several splits, some in another language, and one that may be: it holds all classes."""
    holding = [top for top in others if len(tree.within(joined(base, top))) > 1 and not tree.direct[joined(base, top)]]
    plain = all(map(is_plain, kinds))
    beside = bool(kinds) and len(others) == len(holding) == 1
    foreign = {top: kind for top in others if (kind := foreign_split(top))}
    meant = {*kinds.values(), *foreign.values()} - {UNLABELLED}
    if plain and (beside or (foreign and len(foreign) == len(others) and len(meant) > 1)):
        raise DataError(
            f"{tree.where} has {shown([*kinds, *others])}, which may be splits",
            expected="train, validation or test as their names, or a folder for each class",
            fix=f"give {BY_SPLITS}",
        )


def refuse_same_folders(tree: Tree, base: str, tops: Sequence[str]) -> None:
    """Refuse classes that hold the same folders: they may be splits in another language.

    Folders that are numbers or dates, in classes whose names are not numbered, are counted to the classes.
    """
    inside = {top: set(tree.within(tree.innermost(joined(base, top)))) for top in tops}
    inside = {top: names for top, names in inside.items() if names}
    count = Counter(name for names in inside.values() for name in names)
    shared = {name for name, times in count.items() if times > 1}
    if not _numbered(tops) and not any(any(map(str.isalpha, name)) for name in shared):
        return
    if len(inside) > 1 and len(count) > 1 and all(2 * len(names & shared) >= len(names) for names in inside.values()):
        raise DataError(
            f"{tree.where} has {shown(inside)}, and the same folders in each of them ({shown(shared)})",
            expected="class folders on top, or splits that are called train, val and test",
            fix=f"give {BY_SPLITS}",
        )
