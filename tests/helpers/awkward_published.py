"""Awkward data sets in the forms in which they are published and exported; see `tests.helpers.awkward`."""

from __future__ import annotations

from pathlib import Path

from tests.helpers.awkward import GIVEN, TWO, case, classes, fill, flat, picture, put, two_splits, write
from tests.helpers.awkward_split_columns import split_rows
from tests.helpers.awkward_tables import lines, listed, table

SAME = "and the same folders in each of them"


# As competitions and universities publish them ----------------------------------------------------------------------


@case("published", refused="has test, train, which hold pictures and no class folders")
def a_competition_with_its_tables(root: Path) -> None:
    put(root, train=8, test=4)
    lines(root / "train.csv", "id,label", *(f"{number}.png,cat" for number in range(8)))
    lines(root / "sample_submission.csv", "id,label", "0.png,cat")


@case("published", refused="has test1, train, which hold pictures and no class folders")
def labels_in_the_names_of_files(root: Path) -> None:
    flat(root, *(f"train/{name}.{number}.jpg" for name in ("cat", "dog") for number in range(6)), "test1/1.jpg")


@case("published", "Cat Dog", TWO, "the folders are taken from PetImages", "2 files are no pictures by their names")
def licences_beside_the_folder(root: Path) -> None:
    classes(root / "PetImages", names="Cat Dog")
    write(root / "readme[1].txt", "x")
    write(root / "MSR-LA - 3467.docx", "x")


@case("published", refused="has test, train beside chest; expected either")
def everything_once_more_in_a_folder(root: Path) -> None:
    for place in (root, root / "chest", root / "chest" / "__MACOSX" / "chest"):
        two_splits(place, "train", "test")


@case(
    "published",
    "cat dog",
    GIVEN,
    "the folders are taken from fruits-360",
    "folders taken for splits: test-multiple_fruits for test",
    "4 pictures in test-multiple_fruits, which has no class folders: ignored",
)
def another_test_folder_without_classes(root: Path) -> None:
    two_splits(root / "fruits-360", "Training", "Test")
    fill(root / "fruits-360" / "test-multiple_fruits", 4)


@case("published", refused=f"{SAME} (cat, dog)")
def the_same_pictures_in_colour_and_grey(root: Path) -> None:
    for kind in ("color", "grayscale", "segmented"):
        classes(root / "plants" / kind, 3)


@case("published", "Plants cat dog", (13, 4, 7), "folders are taken from Plants", "warning: 12 pictures lie deeper")
def a_folder_in_itself_beside_its_classes(root: Path) -> None:
    classes(root / "Plants", 6)
    classes(root / "Plants" / "Plants", 6)


@case("published", refused=f"{SAME} (001.Gull, 002.Jay)")
def pictures_and_segmentations_of_birds(root: Path) -> None:
    classes(root / "CUB_200" / "images", 3, "001.Gull 002.Jay")
    classes(root / "segmentations", 3, "001.Gull 002.Jay")


@case("published", refused="annotations, images: pictures and their masks or labels")
def pictures_and_trimaps(root: Path) -> None:
    flat(root, *(f"{place}/cat_{number}.png" for place in ("images", "annotations/trimaps") for number in range(4)))


@case("published", refused="has no class folders in cars_test, cars_train")
def doubled_folders_without_classes(root: Path) -> None:
    put(root, cars_train__cars_train=6, cars_test__cars_test=6)


@case(
    "published",
    "n01440764 n01443537",
    TWO,
    "the folders are taken from Data/CLS-LOC",
    "4 pictures in test, which has no class folders: ignored",
    "5 pictures in val, which has no class folders: ignored",
)
def a_challenge_that_keeps_its_labels_elsewhere(root: Path) -> None:
    classes(root / "Data" / "CLS-LOC" / "train", names="n01440764 n01443537")
    put(root, **{"Data__CLS-LOC__val": 5, "Data__CLS-LOC__test": 4})


@case(
    "published",
    "n01443537 n01629819",
    TWO,
    "4 pictures in test, which has no class folders: ignored",
    "5 pictures in val, which has no class folders: ignored",
    "12 pictures lie deeper than their class's own folder (train/n01443537/images",
)
def a_folder_called_images_in_every_folder(root: Path) -> None:
    put(root, train__n01443537__images=6, train__n01629819__images=6, val__images=5, test__images=4)


@case("published", refused=f"{SAME} (images, masks)")
def pictures_and_masks_in_every_class(root: Path) -> None:
    put(root, covid__images=4, covid__masks=4, normal__images=4, normal__masks=4)


@case(
    "published", "bulk_part_1 bulk_part_2", TWO, "warning: bulk_part_1, bulk_part_2 may be parts of one", ".csv): ign"
)
def one_folder_in_two_parts_and_a_table(root: Path) -> None:
    put(root, bulk_part_1=6, bulk_part_2=6)
    lines(root / "metadata.csv", "image_id,dx", "0,nv")


@case("published", refused="has test, train beside ground_truth; expected either")
def faults_and_where_they_are(root: Path) -> None:
    put(root, bottle__train__good=6, bottle__test__good=3, bottle__test__broken=3, bottle__ground_truth__broken=3)


@case("published", refused=f"{SAME} (bike, mug)")
def domains_with_images_in_each(root: Path) -> None:
    for domain in ("amazon", "dslr", "webcam"):
        classes(root / domain / "images", 3, "bike mug")


@case("published", refused=f"{SAME} (frown, smile)")
def a_folder_for_each_person(root: Path) -> None:
    for person in ("anna", "ben"):
        classes(root / person, 3, "frown smile")


@case("published", "neg pos unsup", (16, 4, 4), "warning: unsup may have no label", "test has no picture of unsup")
def a_part_without_labels_beside_the_classes(root: Path) -> None:
    put(root, train__neg=6, train__pos=6, train__unsup=8, test__neg=2, test__pos=2)


@case(
    "published", refused="fold1, fold2, each with splits, and the same folders in them (cat, dog); expected one set of"
)
def folds_with_splits_in_each(root: Path) -> None:
    for name in ("fold1", "fold2"):
        two_splits(root / name, "train", "test")


@case("published", "cat dog", (8, 6, 4), "the folders are taken from train")
def train_and_val_inside_train(root: Path) -> None:
    two_splits(root / "train", "train", "val")


@case("published", refused="has splits inside train; expected one level of splits, and class folders in them; move")
def train_and_val_inside_train_beside_test(root: Path) -> None:
    two_splits(root / "train", "train", "val")
    classes(root / "test", 3)


@case("published", "benign malignant", TWO, "warning: 12 pictures are called masks of others (benign/b (0)_mask.png)")
def masks_beside_pictures(root: Path) -> None:
    for name in ("benign", "malignant"):
        flat(root, *(f"{name}/{name[0]} ({number}){mask}.png" for number in range(6) for mask in ("", "_mask")))


@case("published", "cars vans", (10, 3, 5), "warning: 1 pictures may be masks of others by their names (cars/golf_")
def cars_that_are_called_like_masks(root: Path) -> None:
    flat(root, *(f"cars/{name}.png" for name in ("911", "911_gt3", "golf", "golf_gt", "polo", "up")))
    put(root, vans=12)


@case("published", refused="has gtFine, leftImg8bit: pictures and their masks or labels")
def pictures_of_streets_and_what_is_on_them(root: Path) -> None:
    for name in ("leftImg8bit", "gtFine"):
        for part in ("train", "val"):
            put(root, **{f"{name}__{part}__aachen": 3, f"{name}__{part}__bochum": 3})


@case("published", refused="has HR, LR: pictures and their masks or labels")
def pictures_and_what_is_to_become_of_them(root: Path) -> None:
    put(root, LR=4, HR=4)


@case("published", refused="has JPEGImages, SegmentationClass, SegmentationObject: pictures and their masks")
def a_whole_challenge(root: Path) -> None:
    place = root / "VOCdevkit" / "VOC2012"
    put(place, JPEGImages=4, SegmentationClass=2, SegmentationObject=2)
    write(place / "ImageSets" / "Main" / "train.txt", "0")
    for number in range(4):
        write(place / "Annotations" / f"{number}.xml", "<annotation/>")


@case("published", "cat val", (8, 2, 6))
def a_class_called_val_inside_splits(root: Path) -> None:
    put(root, train__cat=5, train__val=5, test__cat=3, test__val=3)


# As programs export them --------------------------------------------------------------------------------------------


@case("exported", refused="has test, train, valid, which hold pictures and no class folders")
def splits_with_a_table_of_ones_and_zeros_each(root: Path) -> None:
    for part in ("train", "valid", "test"):
        fill(root / part, 4)
        lines(root / part / "_classes.csv", "filename, cat, dog", *(f"{number}.png, 1, 0" for number in range(4)))


@case("exported", "Unlabeled cat dog", (12, 6, 6), "warning: Unlabeled may have no label: taken for a class")
def a_class_for_what_has_no_label(root: Path) -> None:
    classes(root / "train", 6, "Unlabeled cat dog")
    classes(root / "valid", 2, "Unlabeled cat dog")


@case("exported", refused="looks like a YOLO data set (boxes in .txt)")
def boxes_of_some_pictures_and_a_list_of_classes(root: Path) -> None:
    for part in ("train", "valid"):
        fill(root / part / "images", 6)
        write(root / part / "labels" / "0.txt", "0 0.5 0.5 0.2 0.2\n")
    write(root / "data.yaml", "nc: 1\n")


@case(
    "exported", "cat dog", TWO, "warning: labels.csv gives boxes (Roi.X1, Roi.Y1", "filename for file", "4 columns of"
)
def a_table_of_boxes(root: Path) -> None:
    table(root, [(*row, *"1234") for row in listed()], "filename,label,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2")


@case("exported", "cat dog", TWO, "2 columns of labels.csv are not known (x1, y2): ignored")
def a_table_of_features_that_are_no_box(root: Path) -> None:
    table(root, [(*row, "1", "2") for row in listed()], "file,label,x1,y2")


@case("exported", refused="labels.csv has columns filename, cat, dog; expected file, label")
def a_table_of_ones_and_zeros(root: Path) -> None:
    table(root, [(f"{number}.png", "1", "0") for number in range(12)], "filename,cat,dog")


@case("exported", refused="has JSON for a label ({")
def a_table_with_json_for_labels(root: Path) -> None:
    answer = '"{""classifications"":[{""answer"":{""title"":""cat""}}]}"'
    table(root, [(f"ck{number}", answer, f"{number}.png") for number in range(12)], "ID,Label,External ID")


@case(
    "exported",
    refused="has columns TRAIN, gs://bucket/0.png, cat; expected file, label and maybe wnid and split; write",
)
def a_table_of_a_cloud_without_a_header(root: Path) -> None:
    table(root, [("TRAIN", f"gs://bucket/{name}", label) for name, label in listed()], "")


@case(
    "exported", "cat dog", TWO, "image_path for file", "the column ml_use of labels.csv does not hold train, validation"
)
def a_table_of_a_cloud_with_splits_for_some(root: Path) -> None:
    rows = [(kind, name, label) for name, label, kind in split_rows("UNASSIGNED", "TRAIN")]
    table(root, rows, "ml_use,image_path,label")


@case("exported", "cat cat|dog", TWO, "warning: cat|dog may be several labels in one: taken for a class")
def labels_with_a_bar_between(root: Path) -> None:
    table(root, listed("cat", "cat|dog"))


@case("exported", refused="holds 12 pictures without labels")
def samples_with_their_class_in_front_of_their_names(root: Path) -> None:
    flat(root, *(f"Class {name}!sample!{number}.jpg" for name in "12" for number in range(6)))


@case("exported", refused="has testing, training, which hold pictures and no class folders")
def labels_in_the_names_of_files_of_both_splits(root: Path) -> None:
    flat(root, *(f"{part}/cat.{number}.jpg" for part in ("training", "testing") for number in range(4)))


@case(
    "exported", "day night", TWO, "warning: it looks like a YOLO data set (boxes in .txt): the folders are", ".txt): ig"
)
def boxes_beside_pictures_in_folders(root: Path) -> None:
    put(root, day=6, night=6)
    for name in ("day", "night"):
        for number in range(6):
            write(root / name / f"{number}.txt", "0 0.5 0.5 0.2 0.2\n")


@case("exported", "-1 0 1 2", (4, 4, 4), "warning: -1 may have no label: taken for a class")
def a_number_for_what_has_no_label(root: Path) -> None:
    table(root, [(f"{number}.png", str(number // 3 - 1)) for number in range(12)])


# As people gather them ----------------------------------------------------------------------------------------------


@case("gathered", refused=f"{SAME} (cat, dog)")
def a_download_in_two_zips(root: Path) -> None:
    for number in (1, 2):
        classes(root / f"drive-download-20240101T000000Z-00{number}" / "photos", 3)


@case("gathered", "Copy_of_dog cat dog", (10, 4, 6), "warning: Copy_of_dog may be copies of other classes: taken for")
def a_copy_of_a_folder(root: Path) -> None:
    put(root, cat=6, dog=6, Copy_of_dog=6)
    write(root / "cat" / "0 (1).png", picture("another"))
    write(root / "cat" / "0 (2).png", picture("a third"))


@case("gathered", "cat cat_aug dog", (9, 3, 6), "warning: cat_aug may be copies of other classes: taken for a class")
def altered_pictures_in_a_folder_beside(root: Path) -> None:
    put(root, cat=6, dog=6, cat_aug=6)


@case("gathered", "100CANON 101CANON", TWO, "warning: 100CANON, 101CANON may be a camera's folders: taken for")
def a_card_of_a_camera(root: Path) -> None:
    put(root, **{"100CANON": 6, "101CANON": 6})


@case("gathered", "2024-05-01 2024-05-02", TWO, "warning: 2024-05-01, 2024-05-02 may be dates: taken for classes")
def folders_for_days(root: Path) -> None:
    put(root, **{"2024-05-01": 6, "2024-05-02": 6})


@case(
    "gathered",
    "cat dog runs",
    (9, 3, 6),
    "hidden, or left by systems and programs (node_modules): left out",
    "hidden, or left by systems and programs (venv, wandb): left out",
    "warning: 6 pictures lie deeper than their class's own folder (runs/detect): counted to the class",
)
def what_programs_install_and_write(root: Path) -> None:
    put(root, cat=6, dog=6, runs__detect=6, node_modules__x=3)
    put(root, venv__lib__matplotlib=3, **{"wandb__run-20240501_120000-1a2b3c__files": 2})
    write(root / "venv" / "pyvenv.cfg", "version = 3.11\n")


@case("gathered", "dataset docs", (13, 4, 7), "warning: 18 pictures lie deeper", "1 pictures lie in no class folder")
def pictures_of_a_programs_pages(root: Path) -> None:
    classes(root / "dataset", 9)
    fill(root / "docs", 6)
    flat(root, "logo.png")


@case("gathered", "a b", (14, 4, 6), "warning: 24 pictures lie deeper than their class's own folder (a/cat, a/dog, …)")
def two_data_sets_in_one_folder(root: Path) -> None:
    classes(root / "a", 6)
    classes(root / "b", 6, "fox wolf")


@case("gathered", refused="holds no pictures, only 2 × .zip; expected files such as .jpg or .png; unpack the archives")
def splits_that_are_still_packed(root: Path) -> None:
    for name in ("train", "test"):
        write(root / f"{name}.zip", b"PK\3\4")
