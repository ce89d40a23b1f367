"""Classes and splits read from the names of folders; what cannot be told is refused with what was found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqz_tf.base.errors import DataError
from sqz_tf.images.clutter import is_programs
from sqz_tf.images.split_names import (
    SPLITS,
    UNLABELLED,
    folded,
    foreign_split,
    is_plain,
    refuse_slips,
    resolved,
    shown,
    split_of,
    unusual,
)
from sqz_tf.images.tree import Tree, joined
from sqz_tf.images.unclear import (
    BY_SPLITS,
    all_splits,
    refuse_flat_splits,
    refuse_foreign_splits,
    refuse_mixture,
    refuse_nested,
    refuse_same_folders,
    several_sets,
)

NOT_CLASSES = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "pictures", "photos", "data", "jpg", "jpeg", "png", "frames"}
)
"""Names of folders that say what files are, not what is on them."""
MASKS = frozenset(
    (
        *("mask", "masks", "label", "labels", "annotation", "annotations", "xmls", "gt", "groundtruth", "gtfine", "hr"),
        *("trimaps", "target", "targets", "segmentation", "segmentations", "segmentationclass", "segmentationobject"),
    )
)
"""Names of folders that hold, without blanks and lines, what belongs to the pictures of another."""
_MAY_BE_CLASSES = frozenset({"hr", "lr", "gt", "target", "targets", "input", "inputs", "original", "originals"})
"""Names of the above and below that, by themselves, need the same files in both folders."""
_PICTURES = NOT_CLASSES | {"input", "inputs", "original", "originals", "leftimg8bit", "lr"}


@dataclass(frozen=True)
class Layout:
    """What folders say: for each labelled picture (split or None, class), the class folders without one, and notes."""

    places: dict[str, tuple[str | None, str]]
    empty: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_layout(
    where: str,
    pictures: Sequence[str],
    folders: Iterable[str],
    said: Mapping[str, str] | None = None,
    wrapped: bool = False,
) -> Layout:
    """Read labels and splits from folders.

    Args:
      where: what is read, for messages.
      pictures: paths below it, with `/` between their parts.
      folders: all folders below it, for class folders without pictures.
      said: the split of each folder on top as a person says, empty if those are classes; None to recognise them.
      wrapped: one folder around everything is what a zip file has, and needs no note.

    Raises:
      DataError: it cannot be told which folders are classes.
    """
    tree = Tree(where)
    for folder, count in Counter(name.rpartition("/")[0] for name in pictures).items():
        tree.add(folder, count)
    base = _wrapper(tree, said)
    notes = _wrapper_note(base) if base and not (wrapped and "/" not in base) else []
    if said == {}:
        return _classes(pictures, folders, base, notes)
    if said:
        return _splits(tree, pictures, folders, base, _said_splits(tree, base, said), notes)
    return _recognised(tree, pictures, folders, base, notes)


def _wrapper(tree: Tree, said: Mapping[str, str] | None) -> str:
    """Follow the one folder around everything down to where there are several, or the one may be a split."""
    base = ""
    while inside := tree.sole(base):
        name = inside.rpartition("/")[2]
        if said and folded(name) in map(folded, said):
            break
        if said is None and split_of(name) and is_plain(name) and not all_splits(tree, inside):
            break
        base = inside
    return base


def _wrapper_note(base: str) -> list[str]:
    """Say which folder around everything was walked through, and whether all may be but one split."""
    if any((split_of(name) or "train") != "train" for name in base.split("/")):
        return [f"warning: the folders are taken from {base}, which may hold pictures to test on alone"]
    return [f"the folders are taken from {base}"]


def _recognised(tree: Tree, pictures: Sequence[str], folders: Iterable[str], base: str, notes: list[str]) -> Layout:
    tops = tree.within(base)
    kinds = {top: kind for top in tops if (kind := split_of(top))}
    deep = {top for top in kinds if tree.within(joined(base, top))}
    others = [top for top in tops if top not in kinds]
    if deep:
        refuse_mixture(tree, deep, others)
        refuse_nested(tree, {top: kinds[top] for top in deep if all_splits(tree, joined(base, top))})
        return _splits(tree, pictures, folders, base, kinds, notes)
    if kinds:
        refuse_flat_splits(tree, kinds, others)
        notes.append(f"warning: {shown(kinds)} taken for a class: there are pictures and no class folders in it")
    if inside := _splits_inside(tree, base, tops):
        _refuse_masks(tree, base, tops, pictures)
        notes += several_sets(tree, base, tops)
        return _inside(pictures, base, inside, notes)
    _refuse_masks(tree, base, tops, pictures)
    refuse_same_folders(tree, base, tops)
    refuse_foreign_splits(tree, base, kinds, others)
    if foreign := [top for top in others if foreign_split(top)]:
        notes.append(f"warning: {shown(foreign)} may be a split in another language: taken for a class")
    return _classes(pictures, folders, base, notes)


def _splits_inside(tree: Tree, base: str, tops: Sequence[str]) -> dict[str, str]:
    """Return the splits that every class holds, or nothing."""
    inside = {top: tree.within(joined(base, top)) for top in tops}
    names = {name for each in inside.values() for name in each}
    kinds = {name: kind for name in names if (kind := split_of(name))}
    if len(set(kinds.values())) < 2:
        return {}
    odd = [top for top in tops if not inside[top] or set(inside[top]) - set(kinds) or tree.direct[joined(base, top)]]
    if odd:
        raise DataError(
            f"{tree.where} has {shown(kinds)} inside some folders, but other pictures in {shown(odd)}",
            expected="the same splits in every class, or one level of class folders",
            fix=f"sort the others in, or give {BY_SPLITS}",
        )
    return resolved(kinds)


def _inside(pictures: Sequence[str], base: str, kinds: Mapping[str, str], notes: list[str]) -> Layout:
    level = base.count("/") + 1 if base else 0
    places: dict[str, tuple[str | None, str]] = {}
    left_out = 0
    for name in pictures:
        parts = name.split("/")
        if len(parts) < level + 3 or kinds[parts[level + 1]] == UNLABELLED:
            left_out += 1
        else:
            places[name] = (kinds[parts[level + 1]], parts[level])
    notes.append("the splits are taken from inside each class" + _suffix(unusual(kinds)))
    return Layout(places, notes=(*notes, *_loose_note(left_out), *_deep_note(places, level + 2)))


def _suffix(text: str) -> str:
    return f" ({text})" if text else ""


def _refuse_masks(tree: Tree, base: str, tops: Sequence[str], pictures: Sequence[str]) -> None:
    plain = {re.sub("[-_ ]", "", top.casefold()): top for top in tops}
    names = plain.keys()
    if not (names & MASKS and names & _PICTURES and names <= MASKS | _PICTURES):
        return
    masks, others = ([joined(base, plain[name]) for name in sorted(names & kind)] for kind in (MASKS, _PICTURES))
    if names <= _MAY_BE_CLASSES and not any(_same_files(pictures, each, other) for each in masks for other in others):
        return
    raise DataError(
        f"{tree.where} has {shown(tops)}: pictures and their masks or labels, as for segmentation or detection",
        expected="a folder for each class",
        fix="cut the objects out into class folders, or give --splits none if these names are the classes",
    )


def _same_files(pictures: Sequence[str], folder: str, other: str) -> bool:
    """Tell whether most pictures of one of two folders are called, but for their endings, like some of the other's."""
    stems = [
        {name[len(place) :].rpartition(".")[0] for name in pictures if name.startswith(place)}
        for place in (f"{folder}/", f"{other}/")
    ]
    return 2 * len(stems[0] & stems[1]) > min(map(len, stems))


def _classes(pictures: Sequence[str], folders: Iterable[str], base: str, notes: list[str]) -> Layout:
    return _gathered(pictures, folders, {base: None}, notes)


def _said_splits(tree: Tree, base: str, said: Mapping[str, str]) -> dict[str, str]:
    """Return the splits of the folders on top, whose names may be spelt in another case or form of Unicode."""
    tops = tree.within(base)
    spelt = {folded(top): top for top in tops} | {top: top for top in tops}
    names = {name: spelt.get(name) or spelt.get(folded(name), name) for name in said}
    kinds = {top: said[name] for name, top in names.items()}
    if missing := sorted(set(kinds) - set(tops)):
        refuse_slips(missing)
        raise DataError(
            f"{tree.where} has no folder {shown(missing)} with pictures",
            expected=f"--splits to name some of {shown(tops, 9)}",
        )
    if twice := [name for name, top in names.items() if said[name] != kinds[top]]:
        raise DataError(
            f"--splits puts one folder, {names[twice[0]]}, into two splits, as {shown(names)}",
            expected=f"one split for each of {shown(tops, 9)}",
        )
    return {top: kinds.get(top, UNLABELLED) for top in tops}


def _splits(
    tree: Tree, pictures: Sequence[str], folders: Iterable[str], base: str, kinds: Mapping[str, str], notes: list[str]
) -> Layout:
    """Take the folders on top for splits, and what is inside each for its classes."""
    kinds = resolved(kinds)
    used = {top: kind for top, kind in kinds.items() if kind in SPLITS}
    if text := unusual(used):
        notes.append(f"folders taken for splits: {text}")
    nodes: dict[str, str | None] = {}
    for top in sorted(kinds):
        within = joined(base, top)
        if top in used and _has_classes(tree, top, within):
            nodes[_innermost(tree, top, within, notes)] = kinds[top]
            continue
        why = "has no class folders" if top in used else "is neither train, validation nor test"
        count = sum(name.startswith(within + "/") for name in pictures)
        pictures = [name for name in pictures if not name.startswith(within + "/")]
        notes.append(f"{count} pictures in {top}, which {why}: ignored")
    for kind in SPLITS:
        if len(parts := [node for node in nodes if nodes[node] == kind]) > 1:
            notes.append(f"{shown(parts)} are {kind} together")
    if not nodes:
        raise DataError(
            f"{tree.where} has no class folders in {shown(used)}", expected="a folder for each class in each split"
        )
    layout = _gathered(pictures, folders, nodes, notes)
    labels = {label for _, label in layout.places.values()}
    named = all(is_plain(label) and split_of(label) != UNLABELLED for label in labels)
    doubt = (f"warning: {shown(labels)} inside splits taken for a class",) if named else ()
    return replace(layout, notes=(*layout.notes, *doubt))


def _innermost(tree: Tree, top: str, folder: str, notes: list[str]) -> str:
    """Follow the one folder inside a split down to its class folders."""
    node = tree.innermost(folder)
    if node != folder:
        notes.append(f"the classes of {top} are taken from {node}")
    return node


def _has_classes(tree: Tree, top: str, folder: str) -> bool:
    """Tell whether a split holds class folders, and not just one folder that is called like it."""
    names = tree.within(folder)
    if len(names) != 1 or tree.within(joined(folder, names[0])):
        return bool(names)
    if names[0].casefold() in NOT_CLASSES:
        return False
    return names != [top] and (split_of(names[0]) is None or split_of(names[0]) != split_of(top))


def _gathered(
    pictures: Sequence[str], folders: Iterable[str], nodes: Mapping[str, str | None], notes: list[str]
) -> Layout:
    """Take the folders inside each node for classes, and count what lies elsewhere."""
    places: dict[str, tuple[str | None, str]] = {}
    deep: list[str] = []
    for name in pictures:
        for node, split in nodes.items():
            parts = name[len(node) + bool(node) :].split("/")
            if name.startswith(node + "/" if node else "") and len(parts) > 1:
                places[name] = (split, parts[0])
                deep += [name] * (len(parts) > 2)
    classes = {label for _, label in places.values()}
    places = _same_spelling(places, notes)
    levels = (name.rpartition("/") for name in folders)
    empty = {last for folder, _, last in levels if folder in nodes and not is_programs(last)} - classes
    return Layout(
        places,
        tuple(sorted(empty)),
        (*notes, *_loose_note(len(pictures) - len(places)), *_deep_text(deep, places)),
    )


def _same_spelling(places: dict[str, tuple[str | None, str]], notes: list[str]) -> dict[str, tuple[str | None, str]]:
    """Give a class that train lacks the name of the one that differs from it in case alone."""
    ours = {label for split, label in places.values() if split == "train"}
    if not ours:
        return places
    folded = defaultdict(list)
    for label in ours:
        folded[label.casefold()].append(label)
    strangers = {label for _, label in places.values()} - ours
    renamed = {label: found[0] for label in strangers if len(found := folded[label.casefold()]) == 1}
    if not renamed:
        return places
    pairs = ", ".join(f"{old} for {new}" for old, new in sorted(renamed.items())[:3])
    notes.append(f"classes that differ from train's in case alone are taken for them: {pairs}")
    return {name: (split, renamed.get(label, label)) for name, (split, label) in places.items()}


def _loose_note(loose: int) -> tuple[str, ...]:
    return (f"{loose} pictures lie in no class folder: ignored",) if loose else ()


def _deep_note(places: Iterable[str], level: int) -> tuple[str, ...]:
    return _deep_text([name for name in places if name.count("/") > level])


def _deep_text(names: Sequence[str], places: Mapping[str, tuple[str | None, str]] | None = None) -> tuple[str, ...]:
    """Say which pictures lie deeper, with a warning if a class has no others, in folders that may be classes."""
    if not names:
        return ()
    folders = {name.rpartition("/")[0] for name in names}
    mark = "warning: " if places and _only_folders(names, places) else ""
    where = f"({shown(folders, 2)})"
    return (f"{mark}{len(names)} pictures lie deeper than their class's own folder {where}: counted to the class",)


def _only_folders(names: Sequence[str], places: Mapping[str, tuple[str | None, str]]) -> bool:
    """Tell whether all pictures of a class lie in folders inside it that say more than that they hold pictures."""
    deep = set(names)
    own = {label for name, (_, label) in places.items() if name not in deep}
    return any(places[name][1] not in own and name.split("/")[-2].casefold() not in NOT_CLASSES for name in names)
