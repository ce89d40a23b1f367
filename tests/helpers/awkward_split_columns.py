"""Awkward data sets with a labels.csv that may say the splits; see `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.awkward import GIVEN, TWO, case, two_splits
from tests.helpers.awkward_tables import Row, lines, listed, table


def split_rows(train: str, test: str) -> list[Row]:
    """Return the rows of `listed` with a third cell, every other one in test."""
    return [(*row, test if number % 2 else train) for number, row in enumerate(listed())]


@case("labels.csv", "cat dog", (4, 2, 6))
def a_split_column(root: Path) -> None:
    table(root, split_rows("train", "test"), "file,label,split")


@case("labels.csv", "cat dog", (4, 2, 6), "the splits are taken from the column Set of labels.csv")
def a_set_column(root: Path) -> None:
    table(root, split_rows("Training", "PublicTest"), "file,label,Set")


@case("labels.csv", refused="line 4 of ")
def a_line_that_ends_before_its_split(root: Path) -> None:
    rows = split_rows("train", "test")
    table(root, [*rows[:2], rows[2][:2], *rows[3:]], "file,label,split")


@case("labels.csv", refused="gives no split; expected train, validation or test")
def an_empty_split(root: Path) -> None:
    table(root, [*split_rows("train", "test")[:11], ("11.png", "dog", "")], "file,label,split")


@case("labels.csv", refused="line 2 of ", options="")
def a_split_column_of_numbers(root: Path) -> None:
    table(root, split_rows("0", "1"), "file,label,split")


@case("labels.csv", "cat dog", GIVEN, "splits are taken from the folders that pictures of labels.csv lie in: test for")
def a_table_of_pictures_in_splits(root: Path) -> None:
    two_splits(root, "train", "test")
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    lines(root / "labels.csv", "file,label", *(f"{path},{path.split('/')[1]}" for path in paths))


@case(
    "labels.csv",
    "cat dog",
    TWO,
    "warning: the column set of labels.csv does not hold train, validation and test alone (A, B)",
)
def a_set_column_that_means_something_else(root: Path) -> None:
    table(root, split_rows("A", "B"), "file,label,set")


@case("labels.csv", refused="gives split 'A'; expected train, validation or test")
def a_subset_column_that_means_a_split_in_some_lines(root: Path) -> None:
    table(root, [*split_rows("train", "test")[:11], ("11.png", "dog", "A")], "file,label,subset")


@case("labels.csv", "cat dog", (4, 2, 6), "1 columns of labels.csv are not known (set): ignored")
def a_split_column_beside_a_set_column(root: Path) -> None:
    table(root, [(*row, "A") for row in split_rows("train", "test")], "file,label,split,set")


@case("labels.csv", "cat dog", (4, 2, 6), "path for file", "the splits are taken from the column ml_use of labels.csv")
def a_table_of_a_cloud(root: Path) -> None:
    rows = [(kind, f"images/{name}", label) for name, label, kind in split_rows("TRAINING", "TEST")]
    table(root, rows, "ml_use,path,label")


@case(
    "labels.csv", "cat dog", TWO, "usage of labels.csv does not hold train, validation and test alone (office, training"
)
def a_usage_column_of_places(root: Path) -> None:
    table(root, split_rows("training centre", "office"), "file,label,usage")


@case(
    "labels.csv",
    "cat dog",
    TWO,
    "the column phase of labels.csv does not hold train, validation and test alone (retest",
)
def a_phase_column_of_tests_and_retests(root: Path) -> None:
    table(root, split_rows("test", "retest"), "file,label,phase")


@case(
    "labels.csv",
    "cat dog",
    TWO,
    "set of labels.csv does not hold train, validation and test alone (bench 2, test bench",
)
def a_set_column_of_benches(root: Path) -> None:
    table(root, split_rows("test bench", "bench 2"), "file,label,set")


@case(
    "labels.csv",
    "cat dog",
    (4, 2, 6),
    "the column usage of labels.csv",
    "1 columns of labels.csv are not known (subset)",
)
def a_usage_column_beside_a_subset_column(root: Path) -> None:
    splits = enumerate(split_rows("Training", "Test"))
    rows = [(file, label, "AB"[number % 3 > 1], kind) for number, (file, label, kind) in splits]
    table(root, rows, "file,label,subset,usage")


@case("labels.csv", "cat dog", TWO, "the column set of labels.csv is empty: ignored")
def an_empty_set_column(root: Path) -> None:
    table(root, split_rows("", ""), "file,label,set")


@case(
    "labels.csv",
    "cat dog",
    (4, 2, 6),
    "the column set of",
    "warning: 6 lines of labels.csv have no set: taken for train",
)
def a_set_column_that_says_test_alone(root: Path) -> None:
    table(root, split_rows("", "test"), "file,label,set")
