"""Which names of classes are doubted, and which are not."""

from __future__ import annotations

import pytest

from sqz_tf.images.clutter import masks_of
from sqz_tf.images.doubts import class_notes

DOUBTED = [
    (["part_1", "part_2"], "part_1, part_2 may be parts of one folder: taken for classes"),
    (["x_Batch 0", "x_Batch 1"], "x_Batch 0, x_Batch 1 may be parts"),
    (["100CANON", "101_PANA"], "100CANON, 101_PANA may be a camera's folders: taken for classes"),
    (["2023", "2024-05", "2024.05.01"], "may be dates: taken for classes"),
    (["cat", "Copy of cat"], "Copy of cat may be copies"),
    (["cat", "Cat - Kopie (2)"], "Cat - Kopie (2) may be copies"),
    (["cat", "cat (1)", "cat_backup"], "cat (1), cat_backup may be copies"),
    (["cat", "Unlabeled"], "Unlabeled may have no label"),
    (["cat", "cat|dog"], "cat|dog may be several labels"),
    (["cat", "dog", "cat, dog"], "cat, dog may be several labels"),
    (["cat", "dog", "cat+dog"], "cat+dog may be several labels"),
    (["cat", "dog", "fox", "cat dog", "cat fox"], "cat dog, cat fox may be several labels"),
    (["-1", "0", "1", "2"], "-1 may have no label"),
    (["cat", "null"], "null may have no label"),
    (["cat", "?"], "? may have no label"),
]
PLAIN = [
    ["class1", "class2"],
    ["s1", "s2", "s40"],
    ["n01440764", "n01443537"],
    ["0", "1", "2", "10"],
    ["red apple", "green apple", "red pear"],
    ["Pepper,_bell___healthy", "Pepper,_bell___spot", "Corn_(maize)___healthy"],
    ["maillot", "maillot, tank suit"],
    ["copy", "old", "cat_old"],
    ["car", "car_old"],
    ["ice", "cream", "ice cream", "cup", "cake", "cup cake", "ski", "mask", "ski mask"],
    ["-1", "0", "1"],
    ["!", "?", "."],
    ["null", "eins", "zwei"],
    ["disk 3.5", "disk 5.25"],
    ["part-0012", "part-0013", "part-3001"],
    ["Set 1", "Set 2"],
    ["2019", "2020"],
    ["1950", "1960", "1970"],
    ["1", "2", "1+2"],
    ["R", "B", "R&B"],
    ["C", "C+", "A+"],
    ["cat"],
]


@pytest.mark.parametrize(("names", "part"), DOUBTED)
def test_names_that_may_be_no_classes_are_doubted_in_one_line(names: list[str], part: str) -> None:
    (note,) = class_notes(names)
    assert note.startswith("warning: ")
    assert part in note


@pytest.mark.parametrize("names", PLAIN)
def test_names_of_plain_classes_are_not_doubted(names: list[str]) -> None:
    assert class_notes(names) == ()


def test_masks_are_those_whose_pictures_are_there() -> None:
    found = masks_of(["a/1.png", "a/1_mask.png", "a/1_mask_2.PNG", "a/1-seg.jpg", "a/1_gt_3.png", "b/1_mask.png"])
    assert found.sure == {"a/1_mask.png", "a/1_mask_2.PNG", "a/1-seg.jpg", "a/1_gt_3.png"}
    assert not found.doubtful


@pytest.mark.parametrize(
    ("names", "doubtful"),
    [
        ("cars/911.png cars/911_gt3.png", ""),
        ("cars/golf.png cars/golf_gt.png cars/polo.png", "cars/golf_gt.png"),
        ("a/1.png a/1_mask.png a/with_mask.png a/mask.png", "a/1_mask.png"),
        ("masked/0.png masked/0_mask.png plain/0.png", "masked/0_mask.png"),
    ],
)
def test_what_may_be_a_picture_of_its_own_is_no_mask(names: str, doubtful: str) -> None:
    found = masks_of(names.split())
    assert not found.sure
    assert found.doubtful == set(doubtful.split())
