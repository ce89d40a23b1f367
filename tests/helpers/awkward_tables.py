"""Awkward data sets whose labels are in a labels.csv; see `tests.helpers.awkward`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.helpers.awkward import TWO, case, classes, fill, flat, write

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
    text = [header, *(delimiter.join(row) for row in rows)] if header else [delimiter.join(row) for row in rows]
    write(root / name, "\r\n".join([*text, ""]).encode(encoding))


def lines(path: Path, *rows: str) -> None:
    """Write a table and nothing else."""
    write(path, "".join(row + "\n" for row in rows))


@case("labels.csv")
def a_labels_csv(root: Path) -> None:
    table(root, listed())


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
    lines(root / "labels.csv", "file,label", "1.png,cat")


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
    lines(root / "labels.csv", "file,label", *(f"{path},{'lynx' if 'cat' in path else 'wolf'}" for path in paths))


@case("labels.csv")
def a_table_in_capitals(root: Path) -> None:
    table(root, listed(), name="Labels.CSV")


@case("labels.csv", refused="holds 12 pictures without labels", judged=False)
def a_table_of_another_name(root: Path) -> None:
    table(root, listed(), name="train.csv")
    for path in sorted((root / "images").iterdir()):
        path.rename(root / path.name)
    (root / "images").rmdir()


@case(
    "labels.csv", refused="has columns id, name; expected file, label and maybe wnid and split; if it lists classes by"
)
def a_list_of_classes(root: Path) -> None:
    classes(root, names="0 1")
    lines(root / "labels.csv", "id,name", "0,cat", "1,dog")


@case("labels.csv", refused="call it classes.csv, which is not read; where folders are called by the numbers, so are")
def a_list_of_classes_as_signs_have_it(root: Path) -> None:
    classes(root / "DATA", names="0 1")
    lines(root / "DATA" / "labels.csv", "ClassId,Name", "0,Speed limit (5km/h)", "1,Stop")


@case("labels.csv", refused="names '0'; expected a picture beside it or in images/; if it lists classes by their num")
def a_list_of_classes_of_which_none_is_a_picture(root: Path) -> None:
    flat(root, *(f"{name}{number}.png" for name in "ab" for number in range(6)))
    lines(root / "labels.csv", "id,class", "0,cat", "1,dog", "2,fox")


@case("labels.csv", refused="line 4 of ")
def a_table_of_numbers_of_which_one_is_missing(root: Path) -> None:
    fill(root, 6)
    lines(root / "labels.csv", "id,label", "0,cat", "1,dog", "9,cow")


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
    lines(root / "labels.csv", "file,label", "0,a", "1,b", "2,c")


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
    rows = (f"{number}{mask}.png,{label}" for number in range(6) for mask, label in (("", "cat"), ("_mask", "dog")))
    lines(root / "labels.csv", "file,label", *rows)


@case("labels.csv", "cat dog", TWO, "warning: 12 pictures are called masks of others (0_mask.png): left out")
def a_table_that_lists_no_masks(root: Path) -> None:
    flat(root, *(f"{number}{mask}.png" for number in range(12) for mask in ("", "_mask")))
    lines(root / "labels.csv", "file,label", *map(",".join, listed()))


@case("labels.csv")
def a_table_that_lists_pictures_in_thumbs(root: Path) -> None:
    flat(root, *(f"{folder}{number}.png" for number in range(6) for folder in ("", "thumbs/")))
    rows = (f"{at}{number}.png,{label}" for number in range(6) for at, label in (("", "cat"), ("thumbs/", "dog")))
    lines(root / "labels.csv", "file,label", *rows)


@case("labels.csv", refused="names 'x0.png'; expected a picture beside it or in images/")
def a_label_with_a_number_sign_of_a_missing_picture(root: Path) -> None:
    table(root, [(label, name) for name, label in listed("#cat")] + [("#cat", "x0.png")], "label,file")


@case("labels.csv", "cat dog", TWO, "1 columns of labels.csv are not known (note): ignored")
def a_very_long_cell_nobody_knows(root: Path) -> None:
    table(root, [(*row, "x" * 70_000 * (row[0] == "1.png")) for row in listed()], "file,label,note")
