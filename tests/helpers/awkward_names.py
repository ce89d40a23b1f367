"""Awkward data sets whose names are in odd encodings and letters; see `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.awkward import GIVEN, TWO, case, picture, put, two_splits
from tests.helpers.awkward_files import zipped

OLD_WINDOWS = {
    "japanese": ("cp932", "cp932", "猫", "犬"),
    "chinese": ("gb18030", "gb18030", "苹果", "香蕉"),
    "korean": ("cp949", "cp949", "고양이", "개"),
    "russian": ("cp866", "cp866", "кошка", "собака"),
    "western": ("cp850", "cp437", "Käfer", "Löwe"),
    "czech": ("cp852", "cp852", "kočka", "želva"),
    "greek": ("cp737", "cp737", "σκύλος", "γάτα"),
    "hebrew": ("cp862", "cp862", "כלב", "חתול"),
    "turkish": ("cp857", "cp857", "kuş", "ağaç"),
    "thai": ("cp874", "cp874", "แมว", "สุนัข"),
}
"""By the language: the encoding that names are written in, the one they are taken for, and the names."""


def foreign_zip(root: Path, encoding: str, *names: str) -> Path:
    """Write a zip file as an old Windows does: names in its own encoding, and no mark of it."""
    plain = [f"class{number}" for number in range(len(names))]
    wide = [name.encode(encoding) for name in names]
    padded = [(name + "_" * len(raw))[: len(raw)] for name, raw in zip("ABCDEF", wide, strict=False)]
    files = [
        (f"{pad}/{n}.png", picture(f"{name}{n}")) for pad, name in zip(padded, plain, strict=True) for n in range(6)
    ]

    def change(data: bytes) -> bytes:
        for pad, raw in zip(padded, wide, strict=True):
            data = data.replace(pad.encode() + b"/", raw + b"/")
        return data

    return zipped(root, files, change)


def register(language: str, written: str, taken: str, *names: str) -> None:
    """Add the case of a zip file of an old Windows of a language."""
    found = sorted(names)

    def make(root: Path) -> Path:
        return foreign_zip(root, written, *names)

    make.__name__ = f"a_zip_of_{language}_windows"
    said = f"and are taken for {taken}: {', '.join(found)}; if they look wrong, say it by --zip-encoding"
    case("names", " ".join(found), TWO, said)(make)


for each, (written, taken, *names) in OLD_WINDOWS.items():
    register(each, written, taken, *names)


@case("names", "りんご 表示", TWO, "and are taken for cp932: りんご, 表示;")
def a_japanese_name_with_a_backslash_in_it(root: Path) -> Path:
    return foreign_zip(root, "cp932", "表示", "りんご")


@case("names", "犬 猫", TWO, "do not say their encoding and are UTF-8 by their bytes: 犬, 猫;")
def a_zip_of_a_mac_without_a_mark(root: Path) -> Path:
    return foreign_zip(root, "utf-8", "猫", "犬")


@case("names", "狗 貓", TWO, options="--zip-encoding big5")
def a_zip_whose_encoding_is_said(root: Path) -> Path:
    return foreign_zip(root, "big5", "貓", "狗")


@case("names", "睬 群", TWO, "taken for gb18030: 睬, 群; if they look wrong, say it by --zip-encoding (cp949: ")
def a_zip_of_narrow_japanese_letters(root: Path) -> Path:
    return foreign_zip(root, "cp932", "ﾈｺ", "ｲﾇ")


@case("names", "ｲﾇ ﾈｺ", TWO, options="--zip-encoding cp932")
def a_zip_of_narrow_japanese_letters_as_said(root: Path) -> Path:
    return foreign_zip(root, "cp932", "ﾈｺ", "ｲﾇ")


@case("names", refused="--zip-encoding is 'klingon'", options="--zip-encoding klingon")
def an_encoding_that_does_not_exist(root: Path) -> Path:
    return foreign_zip(root, "cp932", "猫", "犬")


@case("names", "A a", TWO, "classes that differ in case alone are two each: A and a")
def classes_that_differ_in_case(root: Path) -> None:
    put(root, A=6, a=6)


@case("names", "größer grün_blau 🐱", (9, 3, 6))
def names_of_any_script(root: Path) -> None:
    put(root, **{"größer": 6, "grün_blau": 6, "🐱": 6})


@case("names", "cat dog", GIVEN)
def splits_in_capitals(root: Path) -> None:
    two_splits(root, "TRAIN", "Test")
