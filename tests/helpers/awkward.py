"""Data sets as people have them: each case makes one below a folder, and says what must come of it.

A case is a function, named after the complaint, that fills an empty folder and returns what `--data` is to name, or
nothing for the folder itself. `CASES` has them all; the modules beside it that are called `awkward_…` add theirs.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

Make = Callable[[Path], Path | None]


@dataclass(frozen=True)
class Case:
    """What must come of a data set.

    `counts`: pictures of train, validation and test. `notes` and `refused`: parts of the lines that must be there, in
    any order, and no others. `judged`: `evaluate` takes it though it cannot be trained on. `labelled`: pictures with a
    label, where they are not those of `counts`.
    """

    make: Make
    kind: str
    classes: tuple[str, ...] = ()
    counts: tuple[int, int, int] = (0, 0, 0)
    notes: tuple[str, ...] = ()
    refused: str = ""
    options: tuple[str, ...] = ()
    judged: bool = False
    labelled: int = 0


CASES: dict[str, Case] = {}
TWO = (6, 2, 4)
"""Counts of two classes of six pictures, split by content."""
GIVEN = (10, 2, 6)
"""Counts of two classes with six pictures in train and three in test."""


def case(
    kind: str,
    classes: str = "cat dog",
    counts: tuple[int, int, int] = TWO,
    *notes: str,
    refused: str = "",
    options: str = "",
    judged: bool = False,
    labelled: int = 0,
) -> Callable[[Make], Make]:
    """Register a case; `classes` and `options` are separated by blanks."""

    def register(make: Make) -> Make:
        names = () if refused and not judged else tuple(classes.split())
        CASES[make.__name__] = Case(
            make, kind, names, counts, notes, refused, tuple(options.split()), judged, labelled or sum(counts)
        )
        return make

    return register


@lru_cache(4096)
def picture(seed: str, form: str = "PNG", mode: str = "RGB") -> bytes:
    """Return a small picture that no other seed has."""
    pixels = np.random.default_rng(zlib.crc32(seed.encode())).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels).convert(mode), form)


@lru_cache(512)
def photograph(seed: str) -> Image.Image:
    """Return a smooth picture of 96 × 72 pixels that no other seed has."""
    pixels = np.random.default_rng(zlib.crc32(seed.encode())).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((96, 72), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    """Return an image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def write(path: Path, data: bytes | str = b"") -> None:
    """Write a file and the folders it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def put(root: Path, **counts: int) -> None:
    """Write so many pictures into each folder, whose name has `__` for `/`."""
    for folder, count in counts.items():
        fill(root / folder.replace("__", "/"), count)


def fill(folder: Path, count: int) -> None:
    """Write so many pictures into a folder."""
    for number in range(count):
        place = folder.as_posix().rpartition("/pictures/")[2] if "pictures" in folder.parts[:-1] else folder.name
        write(folder / f"{number}.png", picture(f"{place}/{number}"))


def classes(root: Path, count: int = 6, names: str = "cat dog") -> None:
    """Write a folder of pictures for each class."""
    for name in names.split():
        fill(root / name, count)


def two_splits(root: Path, train: str, test: str) -> None:
    """Write two folders with both classes in each."""
    classes(root / train, 6)
    classes(root / test, 3)


def flat(root: Path, *names: str) -> None:
    """Write pictures of these paths."""
    for name in names:
        write(root / name, picture(name))


# Splits by their names ------------------------------------------------------------------------------------------


@case("splits")
def a_folder_for_each_class(root: Path) -> None:
    classes(root)


@case("splits", "cat dog", (12, 4, 6))
def train_val_and_test(root: Path) -> None:
    two_splits(root, "train", "test")
    classes(root / "val", 2)


@case("splits", "cat dog", GIVEN, "test_set for test, training_set for train")
def training_set_and_test_set(root: Path) -> None:
    two_splits(root, "training_set", "test_set")


@case("splits", "cat dog", GIVEN, "Test_Data for test, Train_Data for train")
def train_data_in_capitals(root: Path) -> None:
    two_splits(root, "Train_Data", "Test_Data")


@case("splits", "cat dog", GIVEN, "test-images for test, train-images for train")
def train_images_with_hyphens(root: Path) -> None:
    two_splits(root, "train-images", "test-images")


@case("splits", "cat dog", GIVEN, "the folders are taken from images")
def train_inside_images(root: Path) -> None:
    two_splits(root / "images", "train", "test")


@case("splits", "cat dog", GIVEN, "01_train for train, 02_test for test")
def numbered_splits(root: Path) -> None:
    two_splits(root, "01_train", "02_test")


@case("splits", "cat dog", (12, 4, 6), "test set for test, training set for train, validation set for validation")
def splits_with_blanks(root: Path) -> None:
    two_splits(root, "training set", "test set")
    classes(root / "validation set", 2)


@case("splits", "cat dog", GIVEN, "TestImages for test, TrainImages for train")
def splits_in_camel_case(root: Path) -> None:
    two_splits(root, "TrainImages", "TestImages")


@case("splits", "cat dog", GIVEN, "testset for test, trainset for train")
def splits_in_one_word(root: Path) -> None:
    two_splits(root, "trainset", "testset")


@case("splits", "cat dog", (8, 6, 4), "train2017 for train, val2017 for validation")
def train_and_val_of_a_year(root: Path) -> None:
    classes(root / "train2017", 6)
    classes(root / "val2017", 3)


@case(
    "splits",
    "cat dog",
    GIVEN,
    "classes of seg_train are taken from seg_train/seg_train",
    "classes of seg_test are taken from seg_test/seg_test",
    "seg_test for test, seg_train for train",
    "4 pictures in seg_pred, which is neither train, validation nor test: ignored",
)
def doubled_folders_and_pictures_to_predict(root: Path) -> None:
    two_splits(root, "seg_train/seg_train", "seg_test/seg_test")
    fill(root / "seg_pred" / "seg_pred", 4)


@case("splits", "cat dog", GIVEN, "eval for test")
def eval_beside_train(root: Path) -> None:
    two_splits(root, "train", "eval")


@case("splits", "cat dog", (12, 4, 6), "eval for validation")
def eval_beside_train_and_test(root: Path) -> None:
    two_splits(root, "train", "test")
    classes(root / "eval", 2)


@case("splits", "cat dog", (12, 4, 6), "dev for validation")
def dev_beside_train_and_test(root: Path) -> None:
    two_splits(root, "train", "test")
    classes(root / "dev", 2)


@case("splits", "cat dog", GIVEN, "trainval for train")
def trainval_and_test(root: Path) -> None:
    two_splits(root, "trainval", "test")


@case(
    "splits",
    "cat dog",
    (18, 4, 6),
    "folders taken for splits: train_1 for train, train_2 for train",
    "train_1, train_2 are train together",
)
def train_in_two_parts(root: Path) -> None:
    two_splits(root, "train_1", "test")
    classes(root / "train_2", 5)


@case("splits", "cat dog", TWO, "5 pictures in test, which has no class folders: ignored")
def test_pictures_without_labels(root: Path) -> None:
    classes(root / "train")
    fill(root / "test", 5)


@case(
    "splits",
    "cat dog",
    TWO,
    "the classes of abc_train are taken from abc_train/abc_train",
    "folders taken for splits: abc_test for test, abc_train for train",
    "3 pictures in abc_test, which has no class folders: ignored",
)
def doubled_folders_and_test_pictures_without_labels(root: Path) -> None:
    classes(root / "abc_train" / "abc_train")
    fill(root / "abc_test" / "abc_test", 3)


@case("splits", "cat dog", (9, 2, 4), "the splits are taken from inside each class")
def splits_inside_each_class(root: Path) -> None:
    put(root, cat__train=6, dog__train=5, cat__test=2, dog__test=2)


@case("splits", refused="has test, train inside some folders, but other pictures in dog")
def splits_inside_some_classes(root: Path) -> None:
    put(root, cat__train=6, cat__test=3, dog=6)


@case("splits", "cat dog", TWO)
def a_train_folder_alone(root: Path) -> None:
    classes(root / "train")


@case("splits", refused="no train folder beside test", judged=True, labelled=12)
def a_test_folder_alone(root: Path) -> None:
    classes(root / "test")


@case("splits", "cat dog", (10, 2, 3), "test has no picture of dog")
def a_class_that_test_lacks(root: Path) -> None:
    put(root, train__cat=6, train__dog=6, test__cat=3)


@case("splits", "Cat Dog", GIVEN, "differ from train's in case alone are taken for them: cat for Cat, dog for Dog")
def classes_in_small_letters_in_test(root: Path) -> None:
    put(root, train__Cat=6, train__Dog=6, test__cat=3, test__dog=3)


@case(
    "splits",
    "cat dog",
    (0, 0, 12),
    "the folders are taken from dataset",
    "folders taken for splits: test_set for test",
    refused="has no train folder beside test_set, which is taken for test; expected pictures",
    judged=True,
)
def a_test_set_folder_alone_in_a_folder(root: Path) -> None:
    classes(root / "dataset" / "test_set")


@case("splits", "cat dog", TWO, "the folders are taken from dataset/test_set, which may", options="--splits none")
def a_test_set_folder_alone_as_said(root: Path) -> None:
    classes(root / "dataset" / "test_set")


@case("splits", "cat dog", TWO, "warning: the folders are taken from pets_test, which may hold pictures to test on")
def a_folder_around_that_is_called_like_a_test(root: Path) -> None:
    classes(root / "pets_test")


@case(
    "splits", "cat dog", TWO, "folders taken for splits: training_set for train", "the folders are taken from dataset"
)
def a_training_set_folder_alone_in_a_folder(root: Path) -> None:
    classes(root / "dataset" / "training_set")


# What names do not tell -----------------------------------------------------------------------------------------


@case("not told", refused="the same folders in each of them (Hund, Katze); expected")
def splits_in_german(root: Path) -> None:
    for name in ("Trainingsdaten", "Prüfdaten"):
        classes(root / name, 4, "Hund Katze")


@case("not told", refused="--splits train=FOLDER,test=FOLDER if they are splits")
def splits_in_spanish(root: Path) -> None:
    classes(root / "entrenamiento", 6)
    classes(root / "prueba", 3)


@case(
    "not told",
    "cat dog",
    GIVEN,
    "entrenamiento for train, prueba for test",
    options="--splits train=entrenamiento,test=prueba",
)
def splits_in_spanish_as_said(root: Path) -> None:
    splits_in_spanish(root)


@case(
    "not told",
    "cat dog",
    GIVEN,
    "cats,_dogs for train, prueba for test",
    options="--splits TRAIN=cats,_Dogs,Test=PRUEBA",
)
def splits_of_other_case_and_with_a_comma_as_said(root: Path) -> None:
    two_splits(root, "cats,_dogs", "prueba")


@case("not told", refused="has entrenamiento, test, which may be splits; expected train, validation or test")
def splits_in_spanish_of_which_test_has_no_classes(root: Path) -> None:
    classes(root / "entrenamiento")
    fill(root / "test", 4)


@case(
    "not told",
    "cat dog",
    TWO,
    "folders taken for splits: entrenamiento for train",
    "4 pictures in test, which has no class",
    options="--splits train=entrenamiento,test=test",
)
def splits_in_spanish_of_which_test_has_no_classes_as_said(root: Path) -> None:
    splits_in_spanish_of_which_test_has_no_classes(root)


@case("not told", refused="has 测试集, 训练集, which may be splits")
def splits_in_chinese_without_classes(root: Path) -> None:
    put(root, 训练集=6, 测试集=6)


@case("not told", refused="has entrenamiento, prueba, which may be splits")
def splits_in_spanish_of_which_one_has_no_classes(root: Path) -> None:
    classes(root / "entrenamiento")
    fill(root / "prueba", 4)


@case("not told", refused="has no folder train with pictures", options="--splits train=train")
def splits_said_that_are_not_there(root: Path) -> None:
    splits_in_spanish(root)


@case("not told", refused="the same folders in each of them (cat, dog)")
def folds_of_a_cross_validation(root: Path) -> None:
    for number in range(3):
        classes(root / f"fold_{number}", 3)


@case("not told", refused="the same folders in each of them (day, night)")
def conditions_inside_each_class(root: Path) -> None:
    put(root, cat__day=3, cat__night=3, dog__day=3, dog__night=3)


@case("not told", "cat dog", TWO, "warning: 12 pictures lie deeper", options="--splits none")
def conditions_inside_each_class_as_said(root: Path) -> None:
    conditions_inside_each_class(root)


@case("not told", refused="has no class folders in cat", options="--splits train=cat")
def a_class_that_is_said_to_be_a_split(root: Path) -> None:
    classes(root)


@case("not told", refused="has test, train beside extra; expected either")
def another_folder_beside_train_and_test(root: Path) -> None:
    two_splits(root, "train", "test")
    fill(root / "extra", 3)


@case(
    "not told",
    "cat dog",
    GIVEN,
    "3 pictures in extra, which is neither train, validation nor test: ignored",
    options="--splits train=train,test=test",
)
def another_folder_beside_train_and_test_as_said(root: Path) -> None:
    another_folder_beside_train_and_test(root)


@case("not told", refused="has test, train, which hold pictures and no class folders")
def train_and_test_without_classes(root: Path) -> None:
    flat(root, *(f"{part}/{name}.{n}.png" for part in ("train", "test") for name in ("cat", "dog") for n in range(4)))


@case("not told", "test train", TWO, options="--splits none")
def train_and_test_are_the_classes(root: Path) -> None:
    put(root, train=6, test=6)


@case("not told", "bus train", TWO, "train taken for a class")
def a_class_called_train(root: Path) -> None:
    put(root, bus=6, train=6)


@case("not told", "cat test", TWO, "test taken for a class")
def a_class_called_test(root: Path) -> None:
    put(root, cat=6, test=6)


@case("not told", "bus freight_train steam_train", (9, 3, 6), "freight_train, steam_train taken for a class")
def classes_of_trains(root: Path) -> None:
    put(root, bus=6, freight_train=6, steam_train=6)


@case("not told", "sandals test_tubes training_shoes", (9, 3, 6), "warning: test_tubes, training_shoes taken for")
def classes_of_test_tubes_and_training_shoes(root: Path) -> None:
    put(root, test_tubes=6, training_shoes=6, sandals=6)


@case(
    "not told", "evening_dress prediction set1 trainers val", (15, 5, 10), "warning: prediction, val taken for a class"
)
def classes_of_which_two_are_called_like_splits(root: Path) -> None:
    put(root, val=6, trainers=6, evening_dress=6, prediction=6, set1=6)


@case("not told", "dev development test", (9, 3, 6), "warning: dev, test taken for a class")
def classes_called_development_dev_and_test(root: Path) -> None:
    put(root, development=6, dev=6, test=6)


@case("not told", "electric_train steam_train", TWO, "warning: electric_train, steam_train taken for a class")
def classes_of_nothing_but_trains(root: Path) -> None:
    put(root, steam_train=6, electric_train=6)


@case("not told", "test_negative test_positive", TWO, "warning: test_negative, test_positive taken for a class")
def classes_of_results_of_a_test(root: Path) -> None:
    put(root, test_positive=6, test_negative=6)


@case("not told", "prediction val", TWO, "warning: prediction, val taken for a class")
def classes_called_val_and_prediction(root: Path) -> None:
    put(root, val=6, prediction=6)


@case("not told", refused="has test_set, training_set, which hold pictures and no class folders")
def plain_splits_without_classes_beside_another_folder(root: Path) -> None:
    put(root, training_set=6, test_set=6, extra=6)


@case("not told", refused="has train, which hold pictures and no class folders")
def train_without_classes_alone(root: Path) -> None:
    put(root, train=6)


@case("not told", "test train", TWO, "the folders are taken from archive", options="--splits none")
def train_and_test_are_the_classes_in_a_folder_around(root: Path) -> None:
    put(root, archive__train=6, archive__test=6)


@case("not told", "cat dog", TWO, "the folders are taken from archive/train", options="--splits none")
def a_train_folder_around_is_no_split_as_said(root: Path) -> None:
    classes(root / "archive" / "train")


@case("not told", "cat", refused="has one class only, 'cat'", judged=True, labelled=6)
def one_class_only(root: Path) -> None:
    put(root, cat=6)


@case("not told", refused="class folders without a picture: fox", judged=True, labelled=12)
def an_empty_class_folder(root: Path) -> None:
    classes(root)
    (root / "fox").mkdir()


@case("not told", refused="holds 5 pictures without labels")
def pictures_without_folders(root: Path) -> None:
    fill(root, 5)


# Where classes lie ----------------------------------------------------------------------------------------------


@case("depth", "cat dog", TWO, "the folders are taken from archive")
def a_folder_around_it(root: Path) -> None:
    classes(root / "archive")


@case("depth", "cat dog", TWO, "the folders are taken from archive/pets/images")
def folders_around_it(root: Path) -> None:
    classes(root / "archive" / "pets" / "images")


@case("depth", "cat dog", TWO, "6 pictures lie deeper than their class's own folder (cat/2024, cat/2025)")
def pictures_deeper_than_their_class(root: Path) -> None:
    put(root, cat__2024=3, cat__2025=3, dog=6)


@case("depth", "cat dog", TWO, "warning: 12 pictures lie deeper than their class's own folder (cat/2023, cat/2024")
def years_in_every_class(root: Path) -> None:
    put(root, cat__2023=3, cat__2024=3, dog__2023=3, dog__2024=3)


@case("depth", "cat dog", (10, 3, 5), "warning: 12 pictures lie deeper than their class's own folder (cat/01, cat/02")
def sessions_in_every_class_beside_pictures(root: Path) -> None:
    put(root, cat__01=3, cat__02=3, dog__01=3, dog__02=3, dog=6)


@case("depth", refused="and the same folders in each of them (0, 1)")
def numbers_as_classes_in_numbered_parts(root: Path) -> None:
    put(root, part1__0=3, part1__1=3, part2__0=3, part2__1=3)


@case("depth", "pets wild", TWO, "warning: 12 pictures lie deeper than their class's own folder (pets/cat, pets/dog")
def folders_that_may_be_the_classes(root: Path) -> None:
    put(root, pets__cat=3, pets__dog=3, wild__fox=3, wild__wolf=3)


@case("depth", "cat dog", TWO, "3 pictures lie in no class folder: ignored")
def pictures_beside_the_class_folders(root: Path) -> None:
    classes(root)
    fill(root, 3)


# Labels for parts of pictures -----------------------------------------------------------------------------------


@case("boxes", refused="looks like a YOLO data set (boxes in .txt)")
def yolo_with_images_in_each_split(root: Path) -> None:
    for part in ("train", "valid"):
        fill(root / part / "images", 4)
        for number in range(4):
            write(root / part / "labels" / f"{number}.txt", "0 0.5 0.5 0.2 0.2\n")
    write(root / "data.yaml", "nc: 1\n")


@case("boxes", refused="looks like a YOLO data set (boxes in .txt)")
def yolo_with_splits_in_images(root: Path) -> None:
    for part in ("train", "val"):
        fill(root / "images" / part, 4)
        for number in range(4):
            write(root / "labels" / part / f"{number}.txt", "0 0.5 0.5 0.2 0.2\n")


@case("boxes", refused="looks like a COCO data set (annotations in .json)")
def coco(root: Path) -> None:
    put(root, train2017=4, val2017=4)
    write(root / "annotations" / "instances_train2017.json", "{}")


@case("boxes", refused="looks like a Pascal VOC data set (boxes in .xml)", judged=False)
def pascal_voc(root: Path) -> None:
    fill(root / "JPEGImages", 4)
    for number in range(4):
        write(root / "Annotations" / f"{number}.xml", "<annotation/>")


@case("boxes", refused="has images, masks: pictures and their masks or labels")
def pictures_and_masks(root: Path) -> None:
    put(root, images=4, masks=4)
