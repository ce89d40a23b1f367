"""Ordinary data sets whose names look odd, which must go on being read; see `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.awkward import TWO, case, classes, fill, put

# Words for splits of other languages --------------------------------------------------------------------------------


@case("words", "Trainingshose Trainingsjacke")
def clothes_in_german(root: Path) -> None:
    put(root, Trainingshose=6, Trainingsjacke=6)


@case("words", "prueba_negativa prueba_positiva")
def results_of_a_test_in_spanish(root: Path) -> None:
    put(root, prueba_positiva=6, prueba_negativa=6)


@case("words", "тесто_дрожжевое тесто_слоеное")
def doughs_in_russian(root: Path) -> None:
    put(root, тесто_дрожжевое=6, тесто_слоеное=6)


@case("words", "测试笔 验证码")
def a_pen_and_a_code_in_chinese(root: Path) -> None:
    put(root, 测试笔=6, 验证码=6)


@case("words", "Lernspiel Prüfplakette essai_rugby тестер", (12, 4, 8))
def compounds_and_words_that_begin_like_splits(root: Path) -> None:
    put(root, Lernspiel=6, Prüfplakette=6, тестер=6, essai_rugby=6)


@case(
    "words",
    "Prüfung Test",
    TWO,
    "warning: Prüfung may be a split in another language: taken for a class",
    "warning: Test taken for a class",
)
def two_words_for_one_split(root: Path) -> None:
    put(root, Prüfung=6, Test=6)


@case("words", refused="has Prüfdaten, Trainingsdaten, which may be splits")
def splits_in_german_without_classes(root: Path) -> None:
    put(root, Prüfdaten=6, Trainingsdaten=6)


# Words for splits in names of classes -------------------------------------------------------------------------------


@case("trains", "cars steam_train", TWO, "warning: steam_train taken for a class", "warning: 6 pictures lie deeper")
def a_steam_train_beside_kinds_of_cars(root: Path) -> None:
    put(root, steam_train=6, cars__sedan=3, cars__suv=3)


@case("trains", "bottle test_tube", TWO, "warning: test_tube taken for a class", "warning: 6 pictures lie deeper")
def a_test_tube_beside_kinds_of_bottles(root: Path) -> None:
    put(root, test_tube=6, bottle__glass=3, bottle__plastic=3)


@case("trains", refused="has dataset, test, which may be splits")
def a_folder_with_all_classes_beside_test(root: Path) -> None:
    classes(root / "dataset")
    fill(root / "test", 4)
