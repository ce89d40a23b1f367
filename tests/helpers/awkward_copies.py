"""Awkward data sets that hold copies of pictures; see `tests.helpers.awkward`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from tests.helpers.awkward import TWO, case, classes, encoded, photograph, picture, put, two_splits, write


def photographs(root: Path, numbers: Iterable[int], names: str = "cat dog") -> None:
    """Write smooth pictures, which look the same when they are rescaled."""
    for name, number in product(names.split(), numbers):
        write(root / name / f"{number}.png", encoded(photograph(f"{name}{number}")))


def small(seed: str) -> bytes:
    """Return a picture of `photograph` at half its size."""
    return encoded(photograph(seed).resize((48, 36)), "JPEG", quality=85)


def coarse(seed: str) -> bytes:
    """Return a picture of `photograph` with fewer details."""
    return encoded(photograph(seed), "JPEG", quality=60)


@case("copies", "cat dog", (7, 3, 4), "2 pictures look like others (cat/0.png and cat/0_small.jpg): kept on one side")
def rescaled_copies_in_a_class(root: Path) -> None:
    photographs(root, range(6))
    for number in (0, 1):
        write(root / "cat" / f"{number}_small.jpg", small(f"cat{number}"))


@case(
    "copies",
    "cat dog",
    (9, 2, 6),
    "1 pictures look like held-out ones (test/cat/9.jpg and train/cat/0.png): not",
    labelled=18,
)
def an_encoded_copy_in_train_and_test(root: Path) -> None:
    photographs(root / "train", range(6))
    photographs(root / "test", (7, 8))
    for name, seed in (("cat", "cat0"), ("dog", "dog9")):
        write(root / "test" / name / "9.jpg", coarse(seed))


@case(
    "copies",
    "cat dog",
    (9, 2, 6),
    "1 pictures are in two of the given splits, byte for byte: not trained on",
    labelled=18,
)
def an_exact_copy_in_train_and_test(root: Path) -> None:
    two_splits(root, "train", "test")
    write(root / "test" / "cat" / "2.png", (root / "train" / "cat" / "0.png").read_bytes())


@case("copies", "cat dog", (6, 3, 4), "1 pictures look like others (cat/0.png and dog/9.jpg): in another class")
def a_rescaled_copy_in_another_class(root: Path) -> None:
    photographs(root, range(6))
    write(root / "dog" / "9.jpg", small("cat0"))


@case("copies", "cat dog", TWO, "6 of 6 of cat look the same: not taken for copies")
def a_class_of_copies_alone(root: Path) -> None:
    photographs(root, range(6), "dog")
    for number in range(6):
        write(root / "cat" / f"{number}.png", encoded(photograph("cat").resize((60 + number, 45))))


@case("copies", "cat dog", TWO, "3 exact copies within a class: left out", labelled=15)
def exact_copies_in_a_class(root: Path) -> None:
    classes(root)
    for number in range(3):
        write(root / "cat" / f"copy{number}.png", (root / "cat" / "0.png").read_bytes())


@case(
    "copies",
    "cat dog",
    (10, 4, 4),
    "4 pictures are in two of the given splits, byte for byte: accuracies may be too high",
    "in validation 2 of 2 of cat, 2 of 2 of dog look like held-out pictures: kept",
)
def validation_is_a_copy_of_test(root: Path) -> None:
    put(root, train__cat=5, train__dog=5)
    for name in ("cat", "dog"):
        for number in range(2):
            for split in ("val", "test"):
                write(root / split / name / f"{number}.png", picture(f"{name} held out {number}"))


@case(
    "copies",
    "cat dog",
    (16, 4, 18),
    "18 pictures are in two of the given splits, byte for byte: accuracies may be too high",
    "in train 7 of 8 of cat, 7 of 8 of dog look like held-out pictures: kept",
    "in validation 2 of 2 of cat, 2 of 2 of dog look like held-out pictures: kept",
)
def test_is_a_part_of_train_and_validation(root: Path) -> None:
    for name in ("cat", "dog"):
        for number in range(10):
            write(root / ("train" if number < 8 else "val") / name / f"{number}.png", picture(f"{name} {number}"))
            if number:
                write(root / "test" / name / f"{number}.png", picture(f"{name} {number}"))


@case(
    "copies",
    "cat dog",
    (10, 2, 7),
    "1 pictures look like others (test/dog/9.jpg and train/cat/0.png): in another class",
)
def a_held_out_copy_with_another_label(root: Path) -> None:
    photographs(root / "train", range(6))
    photographs(root / "test", (7, 8, 10))
    write(root / "test" / "dog" / "9.jpg", coarse("cat0"))


@case(
    "copies",
    "cat dog",
    (7, 2, 5),
    "2 pictures look like held-out ones (test/cat/8.jpg and train/cat/0.png): not trained on",
    "2 pictures look like others (test/cat/8.jpg and train/cat/0.png): in another class",
    labelled=16,
)
def a_held_out_copy_with_both_labels(root: Path) -> None:
    photographs(root / "train", range(5))
    write(root / "train" / "dog" / "9.png", small("cat0"))
    for number in (0, 1):
        write(root / "test" / "cat" / f"{8 + number}.jpg", coarse(f"cat{number}"))
    put(root, test__cat=1, test__dog=2)


@case("copies", "cat dog", TWO, "6 of 6 of cat look the same: not taken for copies")
def a_fixed_camera(root: Path) -> None:
    photographs(root, range(6), "dog")
    for number in range(6):
        frame = photograph("scene").copy()
        frame.paste((250, 40, 40), (12 * number, 30, 12 * number + 3, 33))
        write(root / "cat" / f"{number}.png", encoded(frame))
