"""Ordinary data sets whose names look odd, which must go on being read; see `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.awkward import GIVEN, TWO, case, classes, fill, flat, put, two_splits

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


# What is inside splits, and splits inside ---------------------------------------------------------------------------


@case(
    "inside",
    "cat dog",
    (12, 4, 8),
    "warning: cat, dog, each with splits, and the same folders in them (day, night): taken for classes",
    "the splits are taken from inside each class",
    "24 pictures lie deeper",
)
def conditions_inside_the_splits_of_each_class(root: Path) -> None:
    for name in ("cat", "dog"):
        put(root / name, train__day=4, train__night=4, test__day=2, test__night=2)


@case("inside", refused="real, sketch, each with splits, and the same folders in them (cat, dog); expected one set")
def domains_with_splits_in_each(root: Path) -> None:
    for name in ("real", "sketch"):
        two_splits(root / name, "train", "test")


@case("inside", refused="or give --splits train=train,validation=val if they are the classes")
def classes_called_train_and_test_in_splits(root: Path) -> None:
    put(root, train__train=6, train__test=6, val__train=3, val__test=3)


@case(
    "inside",
    "test train",
    (8, 6, 4),
    "warning: test, train inside splits taken for a class",
    options="--splits train=train,validation=val",
)
def classes_called_train_and_test_in_splits_as_said(root: Path) -> None:
    classes_called_train_and_test_in_splits(root)


# Names of masks that may be classes ---------------------------------------------------------------------------------


@case("pairs", "hr lr")
def high_and_low_risk(root: Path) -> None:
    flat(root, *(f"{name}/{name}{number}.png" for name in ("hr", "lr") for number in range(6)))


@case("pairs", "original target")
def two_kinds_of_which_one_is_the_target(root: Path) -> None:
    flat(root, *(f"{name}/{name}{number}.png" for name in ("original", "target") for number in range(6)))


@case("pairs", refused="has input, target: pictures and their masks or labels")
def pictures_of_the_same_names_before_and_after(root: Path) -> None:
    put(root, input=6, target=6)


# What is said of splits ---------------------------------------------------------------------------------------------


@case(
    "said", refused="--splits has 'tset=more'; expected none, or train=FOLDER", options="--splits train=data,tset=more"
)
def a_slip_in_the_word_for_a_split(root: Path) -> None:
    two_splits(root, "data", "more")


@case("said", refused="--splits has ''; expected none, or train=FOLDER", options="--splits train=data,,test=more")
def a_comma_too_many(root: Path) -> None:
    two_splits(root, "data", "more")


@case("said", "cat dog", GIVEN, "x,y=z for train", options="--splits train=x,y=z,test=more")
def a_folder_whose_name_looks_like_two_splits(root: Path) -> None:
    two_splits(root, "x,y=z", "more")


@case("said", refused="puts one folder, data, into two splits, as DATA, data", options="--splits train=data,test=DATA")
def one_folder_for_two_splits(root: Path) -> None:
    classes(root / "data")
    classes(root / "more")


@case(
    "said",
    "cat dog",
    (0, 0, 0),
    "folders taken for splits: dev for validation",
    refused="no train folder beside dev, which is taken for validation; expected",
    judged=True,
    labelled=12,
)
def a_dev_folder_alone(root: Path) -> None:
    classes(root / "dev")


@case("no doubt", "venv wandb")
def classes_called_like_folders_of_programs(root: Path) -> None:
    put(root, venv=6, wandb=6)


# Names that are doubted elsewhere -----------------------------------------------------------------------------------


@case("no doubt", "cat test", (10, 2, 6))
def a_class_called_test_inside_splits(root: Path) -> None:
    put(root, train__cat=5, train__test=5, val__cat=1, val__test=1, test__cat=3, test__test=3)


@case("no doubt", "1950 1960 1970", (9, 3, 6))
def decades(root: Path) -> None:
    put(root, **{"1950": 6, "1960": 6, "1970": 6})


@case("no doubt", "disk3.5 disk5.25")
def sizes_of_disks(root: Path) -> None:
    put(root, **{"disk3.5": 6, "disk5.25": 6})


@case("no doubt", "car car_old")
def cars_of_two_ages(root: Path) -> None:
    put(root, car=6, car_old=6)
