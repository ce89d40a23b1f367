"""Data sets that label no whole pictures, told by the files beside the pictures: boxes, masks, other tools' tables."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from sqz_tf.images.kinds import Sorted

_COCO = re.compile(r"(^|/)(annotations/[^/]+|instances_[^/]+|[^/]*_annotations\.coco)\.json$", re.IGNORECASE)


def foreign_format(files: Sorted) -> str:
    """Return what a data set looks like that gives boxes or masks rather than a class for each picture, or nothing."""
    if any(map(_COCO.search, files.others)):
        return "a COCO data set (annotations in .json)"
    if _beside(files, ".xml", ("annotations", "xmls")):
        return "a Pascal VOC data set (boxes in .xml)"
    if _beside(files, ".txt", ("labels",)) or _has_yolo_list(files.others):
        return "a YOLO data set (boxes in .txt)"
    return ""


def _has_yolo_list(others: Sequence[str]) -> bool:
    """Tell whether some pictures have boxes, and a file says of which classes."""
    lists = any(posixpath.basename(name).lower() in ("data.yaml", "dataset.yaml", "_darknet.labels") for name in others)
    return lists and any("labels" in name.split("/")[:-1] and name.endswith(".txt") for name in others)


def _beside(files: Sorted, ending: str, folders: Sequence[str]) -> bool:
    """Tell whether most pictures have a file of their name and an ending, beside them or in a folder of its own."""
    stems = _stems(name for name in files.others if name.lower().endswith(ending))
    if not stems:
        return False
    pictures = _stems(files.pictures)
    known = {stem for _, stem in pictures}
    both = {(folder, stem) for folder, stem in stems if stem in known}
    near = {(folder, stem) for folder, stem in both if (folder, stem) in pictures}
    apart = {(folder, stem) for folder, stem in both if set(folder.casefold().split("/")) & set(folders)}
    return 2 * len(near | apart) > len(pictures)


def _stems(names: Iterable[str]) -> set[tuple[str, str]]:
    return {(posixpath.dirname(name), posixpath.splitext(posixpath.basename(name))[0]) for name in names}
