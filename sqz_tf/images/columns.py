"""What the columns of a labels.csv mean: by their names, and of those that may be splits by their cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from sqz_tf.base.errors import DataError
from sqz_tf.base.text import some
from sqz_tf.images.split_names import is_plain, shown, split_of

_COLUMNS = {
    "file": "file filename file_name image image_name img path filepath file_path image_path picture filepaths "
    "external_id id image_id",
    "label": "label class class_name category label_name labels",
    "wnid": "wnid synset",
    "split": "split",
    "subset": "subset set partition data_set dataset_split data_split ml_use usage phase",
}
"""Names of columns. `subset` is a split if its cells say so; `split` has to be."""
_DELIMITERS = ",;\t|"
_OWNER = re.compile(r"^(public|private)(?=[\W_]*[a-z])", re.IGNORECASE)  # of a competition's test: PublicTest
_MOSTLY = 0.75  # of the cells: what else there is, is a slip
_BOX = re.compile(r"(bbox|roi)?(.*)")
_BOXES = ("xmin ymin xmax ymax", "x1 y1 x2 y2", "x y width height", "x y w h", "xcenter ycenter width height")
_EXPECTED = "file, label and maybe wnid and split"

Cells = Callable[[int], Counter[str]]
"""Counts the cells of a column by what they hold."""


def delimiter_of(header: str) -> str:
    """Return what separates cells: that by which most columns are known."""
    found = {each: len(_known([name.strip().strip('"') for name in header.split(each)])) for each in _DELIMITERS}
    return max(_DELIMITERS, key=lambda each: (found[each], -_DELIMITERS.index(each)))


def names_columns(line: str, delimiter: str) -> bool:
    """Tell whether a line has names for both columns that a table must have."""
    return {"file", "label"} <= set(_known([name.strip().strip('"') for name in line.split(delimiter)]))


def columns(where: str, names: list[str], cells: Cells, notes: list[str]) -> list[str]:
    """Return the kinds of columns in their order, and note those that are ignored or called otherwise.

    Args:
      where: the table's name in messages.
      names: what its first line calls them.
      cells: of one of them.
      notes: gets what is to be said.

    Raises:
      DataError: there is none for pictures or none for labels.
    """
    found = _known(names)
    if not {"file", "label"} <= set(found):
        headless = any("." in name for name in names) and len(names) > 1
        raise DataError(
            f"{where} has columns {', '.join(names) or '(none)'}",
            expected=_EXPECTED,
            fix="write a first line that names the columns" if headless else "",
        )
    kinds = {position: kind for kind, position in found.items() if kind != "subset"}
    renamed = [f"{names[at]} for {kind}" for at, kind in sorted(kinds.items()) if names[at].lower() != kind]
    if renamed:
        notes.append(f"columns of labels.csv taken by their likeliest sense: {', '.join(renamed)}")
    doubted = [] if "split" in found else _take_subset(names, cells, kinds, notes)
    ignored = {at: name or "(no name)" for at, name in enumerate(names) if at not in kinds and at not in doubted}
    if boxes := _boxes(list(ignored.values())):
        notes.append(f"warning: labels.csv gives boxes ({some(boxes)}): its labels are taken for whole pictures")
    if ignored:
        few = ", ".join(list(ignored.values())[:5])
        notes.append(f"{len(ignored)} columns of labels.csv are not known ({few}): ignored")
    return [kinds.get(at, f"\0{at}") for at in range(len(names))]


def _known(names: Sequence[str]) -> dict[str, int]:
    """Return where the columns are that have a meaning, the likelier name first."""
    lower = _lower(names)
    likely = {kind: [name for name in each.split() if name in lower] for kind, each in _COLUMNS.items()}
    return {kind: lower.index(found[0]) for kind, found in likely.items() if found}


def _lower(names: Sequence[str]) -> list[str]:
    return [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names]


def _take_subset(names: Sequence[str], cells: Cells, kinds: dict[int, str], notes: list[str]) -> list[int]:
    """Find the column that holds splits, though it is not called so; return those that were noted to hold none."""
    likely = _COLUMNS["subset"].split()
    lower = _lower(names)
    maybe = sorted((at for at, name in enumerate(lower) if name in likely), key=lambda at: likely.index(lower[at]))
    counts = {at: cells(at) for at in maybe}
    for share in (1.0, _MOSTLY):
        for at in maybe:
            if _holds_splits(counts[at], share):
                kinds[at] = "subset"
                return []
    for at, found in counts.items():
        if told := found.keys() - {""}:
            text = f"warning: the column {names[at]} of labels.csv does not hold train, validation and test alone"
            notes.append(f"{text} ({shown(told)}): ignored")
        else:
            notes.append(f"the column {names[at]} of labels.csv is empty: ignored")
    return maybe


def _holds_splits(cells: Counter[str], share: float) -> bool:
    """Tell whether so much of a column is splits; less than all of it only if there are several."""
    told = {cell: count for cell, count in cells.items() if cell}
    plain = {cell: split_of(cell) for cell in told if is_plain(_OWNER.sub("", cell)) and split_of(cell)}
    several = len(set(plain.values())) > 1
    least = share * sum(told.values()) if several else sum(told.values())
    return bool(plain) and sum(told[cell] for cell in plain) >= least


def _boxes(names: Sequence[str]) -> list[str]:
    """Return the columns that are a box: two corners of it, or one and its size."""
    short = {name: _BOX.fullmatch(re.sub(r"[-_. ]", "", name.lower())) for name in names}
    parts = {name: match[2] for name, match in short.items() if match}
    for each in (set(box.split()) for box in _BOXES):
        if each <= set(parts.values()):
            return [name for name, part in parts.items() if part in each]
    return [name for name, match in short.items() if match and match[1]]
