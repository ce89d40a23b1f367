"""Awkward data sets whose labels are in a labels.csv; see `tests.helpers.awkward`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.helpers.awkward import GIVEN, TWO, case, classes, fill, flat, two_splits, write

Row = tuple[str, ...]


def listed(label: str = "cat", other: str = "dog") -> list[Row]:
    """Return twelve pictures and their labels."""
    return [(f"{number}.png", label if number < 6 else other) for number in range(12)]


def table(
    root: Path,
    rows: Sequence[Row],
    header: str = "file,label",
    encoding: str = "utf-8",
    name: str = "labels.csv",
    delimiter: str = ",",
) -> None:
    """Write twelve pictures into images/, and a table."""
    fill(root / "images", 12)
    lines = [header, *(delimiter.join(row) for row in rows)] if header else [delimiter.join(row) for row in rows]
    write(root / name, "\r\n".join([*lines, ""]).encode(encoding))


def split_rows(train: str, test: str) -> list[Row]:
    """Return the rows of `listed` with a third cell, every other one in test."""
    return [(*row, test if number % 2 else train) for number, row in enumerate(listed())]


SPLIT = split_rows("Training", "Test")


@case("labels.csv")
def a_labels_csv(root: Path) -> None:
    table(root, listed())


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


@case("labels.csv", "cat dog", TWO, "warning: 2 lines of labels.csv have more cells than the first names (line 2, 13)")
def labels_with_commas(root: Path) -> None:
    rows = listed()
    table(root, [(*rows[0], " black"), *rows[1:11], (*rows[11], "brown", "")])


@case("labels.csv")
def empty_cells_at_the_ends_of_lines(root: Path) -> None:
    table(root, [(*row, "", " ") for row in listed()])


@case("labels.csv", "cat dog", TWO, "2 columns of labels.csv are not known (width, taken by): ignored")
def lines_that_end_before_columns_nobody_knows(root: Path) -> None:
    table(root, listed(), "file,label,width,taken by")


@case("labels.csv", refused="line 2 of ", options="")
def a_split_column_of_numbers(root: Path) -> None:
    table(root, split_rows("0", "1"), "file,label,split")


@case("labels.csv")
def semicolons(root: Path) -> None:
    table(root, listed(), "file;label", delimiter=";")


@case("labels.csv")
def semicolons_that_excel_announces(root: Path) -> None:
    table(root, listed(), "sep=;\r\nfile;label", delimiter=";")


@case("labels.csv")
def tabs(root: Path) -> None:
    table(root, listed(), "file\tlabel", delimiter="\t")


@case("labels.csv")
def a_mark_of_excel(root: Path) -> None:
    table(root, listed(), encoding="utf-8-sig")


@case("labels.csv", "Käfer Löwe")
def utf_16(root: Path) -> None:
    table(root, listed("Käfer", "Löwe"), encoding="utf-16")


@case("labels.csv", "Käfer Löwe")
def utf_16_without_a_mark(root: Path) -> None:
    table(root, listed("Käfer", "Löwe"), encoding="utf-16-le")


@case("labels.csv", "Käfer Löwe", TWO, "is not UTF-8 and taken for cp1252 (Käfer, Löwe)")
def an_old_windows_table(root: Path) -> None:
    table(root, listed("Käfer", "Löwe"), "file;label", "cp1252", delimiter=";")


@case("labels.csv", "25°C Women’s", TWO, "is not UTF-8 and taken for cp1252 (25°C, Women’s)")
def an_old_windows_table_with_signs(root: Path) -> None:
    table(root, listed("25°C", "Women’s"), encoding="cp1252")


@case("labels.csv", "犬 猫", TWO, "is not UTF-8 and taken for cp932 (犬, 猫)")
def an_old_japanese_table(root: Path) -> None:
    table(root, listed("猫", "犬"), encoding="cp932")


@case("labels.csv", "cat dog", TWO, "2 columns of labels.csv are not known (width, taken by): ignored")
def columns_nobody_knows(root: Path) -> None:
    table(root, [(*row, "12", "me") for row in listed()], "file,label,width,taken by")


@case("labels.csv", "cat dog", TWO, "taken by their likeliest sense: filename for file, class for label")
def other_names_of_columns(root: Path) -> None:
    table(root, listed(), "filename,class")


@case("labels.csv", refused="has columns id, breed_name; expected file, label and maybe wnid and split")
def columns_that_say_nothing(root: Path) -> None:
    table(root, listed(), "id,breed_name")


@case("labels.csv", refused="has columns 0.png, cat; expected file, label and maybe wnid and split; write a first line")
def no_header(root: Path) -> None:
    table(root, listed(), "")


@case("labels.csv")
def backslashes(root: Path) -> None:
    table(root, [(f"images\\{name}", label) for name, label in listed()])


@case(
    "labels.csv",
    "cat dog",
    TWO,
    "12 names in labels.csv are found by their ends only (/home/me/images/0.png as images/0",
)
def absolute_paths(root: Path) -> None:
    table(root, [(f"/home/me/images/{name}", label) for name, label in listed()])


@case(
    "labels.csv", "cat dog", TWO, "12 names in labels.csv are found by their ends only (C:\\me\\0.png as images/0.png)"
)
def absolute_paths_of_windows(root: Path) -> None:
    table(root, [(f"C:\\me\\{name}", label) for name, label in listed()])


@case("labels.csv", "cat dog", TWO, "12 names in labels.csv are found by their ends only (0 as images/0.png)")
def names_without_their_endings(root: Path) -> None:
    table(root, [(name.removesuffix(".png"), label) for name, label in listed()])


@case("labels.csv", refused="names '1.png', which may be a/1.png, b/1.png; expected a picture")
def names_that_fit_two_pictures(root: Path) -> None:
    flat(root, "a/1.png", "b/1.png")
    write(root / "labels.csv", "file,label\n1.png,cat\n")


@case("labels.csv", "3 11")
def labels_that_are_numbers(root: Path) -> None:
    table(root, listed("11", "03"))


@case("labels.csv", "cat dog", TWO, "1 lines of labels.csv name a picture again, with the same label: ignored")
def a_line_twice(root: Path) -> None:
    table(root, [*listed(), ("0.png", "cat")])


@case("labels.csv", refused="line 14 of ")
def a_picture_with_two_labels(root: Path) -> None:
    table(root, [*listed(), ("0.png", "dog")])


@case("labels.csv", refused="names 'gone.png'; expected a picture beside it or in images/")
def a_picture_that_is_missing(root: Path) -> None:
    table(root, [*listed(), ("gone.png", "cat")])


@case("labels.csv", "cat dog", TWO, "4 pictures are not in labels.csv: ignored")
def pictures_that_are_not_listed(root: Path) -> None:
    table(root, listed())
    flat(root, *(f"more/{number}.png" for number in range(4)))


@case("labels.csv", "lynx wolf", TWO, "labels are taken from labels.csv, not from the folders (cat, dog)")
def a_table_beside_class_folders(root: Path) -> None:
    classes(root)
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = (f"{path},{'lynx' if path.startswith('cat') else 'wolf'}\n" for path in paths)
    write(root / "labels.csv", "file,label\n" + "".join(rows))


@case("labels.csv")
def a_table_in_capitals(root: Path) -> None:
    table(root, listed(), name="Labels.CSV")


@case("labels.csv", refused="holds 12 pictures without labels", judged=False)
def a_table_of_another_name(root: Path) -> None:
    table(root, listed(), name="train.csv")
    for path in sorted((root / "images").iterdir()):
        path.rename(root / path.name)
    (root / "images").rmdir()


@case("labels.csv", "cat dog", GIVEN, "splits are taken from the folders that pictures of labels.csv lie in: test for")
def a_table_of_pictures_in_splits(root: Path) -> None:
    two_splits(root, "train", "test")
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    write(root / "labels.csv", "file,label\n" + "".join(f"{path},{path.split('/')[1]}\n" for path in paths))


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
    "labels.csv", refused="has columns id, name; expected file, label and maybe wnid and split; if it lists classes by"
)
def a_list_of_classes(root: Path) -> None:
    classes(root, names="0 1")
    write(root / "labels.csv", "id,name\n0,cat\n1,dog\n")


@case("labels.csv", refused="call it classes.csv, which is not read; where folders are called by the numbers, so are")
def a_list_of_classes_as_signs_have_it(root: Path) -> None:
    classes(root / "DATA", names="0 1")
    write(root / "DATA" / "labels.csv", "ClassId,Name\n0,Speed limit (5km/h)\n1,Stop\n")


@case("labels.csv", refused="names '0'; expected a picture beside it or in images/; if it lists classes by their num")
def a_list_of_classes_of_which_none_is_a_picture(root: Path) -> None:
    flat(root, *(f"{name}{number}.png" for name in "ab" for number in range(6)))
    write(root / "labels.csv", "id,class\n0,cat\n1,dog\n2,fox\n")


@case("labels.csv", refused="line 4 of ")
def a_table_of_numbers_of_which_one_is_missing(root: Path) -> None:
    fill(root, 6)
    write(root / "labels.csv", "id,label\n0,cat\n1,dog\n9,cow\n")


@case(
    "labels.csv",
    "a b c",
    (0, 0, 3),
    "warning: labels.csv gives each of 3 pictures a class of its own; if it lists classes by their numbers, call it",
    "3 pictures are not in labels.csv: ignored",
    "3 names in labels.csv are found by their ends only (0 as 0.png)",
    refused="too few pictures",
    judged=True,
    labelled=3,
)
def a_table_of_numbers_with_a_class_each(root: Path) -> None:
    fill(root, 6)
    write(root / "labels.csv", "file,label\n0,a\n1,b\n2,c\n")


@case("labels.csv")
def empty_lines_above_and_between(root: Path) -> None:
    table(root, [*listed()[:6], ("", ""), *listed()[6:]], "\r\n  \r\nfile,label")


@case("labels.csv", "cat dog", TWO, "2 lines above the columns of labels.csv (# of May, My pictures,): ignored")
def a_remark_and_a_title_above(root: Path) -> None:
    table(root, listed(), "# of May\r\n\r\nMy pictures,\r\nfile,label")


@case("labels.csv", "cat dog", TWO, "2 lines of labels.csv begin with #: ignored")
def remarks_between(root: Path) -> None:
    table(root, [("# cats",), *listed()[:6], ("#5.png", "dog"), *listed()[6:]])


@case("labels.csv")
def columns_behind_a_number_sign(root: Path) -> None:
    table(root, listed(), "# file, label")


@case("labels.csv", "Käfer Löwe")
def utf_32(root: Path) -> None:
    table(root, listed("Käfer", "Löwe"), encoding="utf-32")


@case("labels.csv", "Käfer Löwe")
def utf_32_without_a_mark(root: Path) -> None:
    table(root, listed("Käfer", "Löwe"), encoding="utf-32-be")


@case("labels.csv")
def a_table_that_lists_what_is_called_a_mask(root: Path) -> None:
    flat(root, *(f"{number}{mask}.png" for number in range(6) for mask in ("", "_mask")))
    rows = (f"{number}.png,cat\n{number}_mask.png,dog\n" for number in range(6))
    write(root / "labels.csv", "file,label\n" + "".join(rows))


@case("labels.csv", "cat dog", TWO, "warning: 12 pictures are called masks of others (0_mask.png): left out")
def a_table_that_lists_no_masks(root: Path) -> None:
    flat(root, *(f"{number}{mask}.png" for number in range(12) for mask in ("", "_mask")))
    write(root / "labels.csv", "file,label\n" + "".join(f"{name},{label}\n" for name, label in listed()))


@case("labels.csv")
def a_table_that_lists_pictures_in_thumbs(root: Path) -> None:
    flat(root, *(f"{folder}{number}.png" for number in range(6) for folder in ("", "thumbs/")))
    rows = (f"{number}.png,cat\nthumbs/{number}.png,dog\n" for number in range(6))
    write(root / "labels.csv", "file,label\n" + "".join(rows))


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
    rows = [(file, label, "AB"[number % 3 > 1], kind) for number, (file, label, kind) in enumerate(SPLIT)]
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


@case("labels.csv", refused="names 'x0.png'; expected a picture beside it or in images/")
def a_label_with_a_number_sign_of_a_missing_picture(root: Path) -> None:
    table(root, [(label, name) for name, label in listed("#cat")] + [("#cat", "x0.png")], "label,file")


@case("labels.csv", "cat dog", TWO, "1 columns of labels.csv are not known (note): ignored")
def a_very_long_cell_nobody_knows(root: Path) -> None:
    table(root, [(*row, "x" * 70_000 * (row[0] == "1.png")) for row in listed()], "file,label,note")
