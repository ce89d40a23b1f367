"""What folders mean: names of splits, and that no picture is left out or moved without a line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.images.clutter import thumbnails
from sqz_tf.images.layout import read_layout
from sqz_tf.images.split_names import parse_splits, split_of
from tests.helpers.awkward import fill

NAMES = {
    "train": "train TRAIN Training seg_train 01_train train-images TrainData trainset train2017 Train (1)",
    "test": "test Testing test_set my.test.v2 TestImages testset test1 holdout",
    "validation": "val valid VALIDATION val_images dev validationset",
    "eval": "eval Evaluation eval-set",
    "unlabelled": "pred seg_pred predictions unlabeled",
    "": "strain trains trainer latest contest valley evaluator predator devil cat train_test_split entrenamiento",
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_word_in_the_name_of_a_folder_makes_it_a_split(kind: str) -> None:
    for name in NAMES[kind].split():
        assert (split_of(name) or "") == kind or name == "(1)", name
    assert split_of("validation set") == "validation"
    assert split_of("ｔｒａｉｎ") == "train"  # full width


PARTS = st.sampled_from(["cat", "dog", "train", "test_set", "val", "pred", "images", "2024", "fold_1", "train_test"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=4), min_size=1, max_size=12), st.sampled_from([None, {}, {"cat": "train"}]))
def test_no_picture_is_left_out_without_a_line(folders: list[list[str]], said: dict[str, str] | None) -> None:
    pictures = sorted({"/".join([*parts, f"{number}.png"]) for number, parts in enumerate(folders)})
    try:
        layout = read_layout("photos", pictures, (), said)
    except DataError:
        return
    assert set(layout.places) <= set(pictures)
    assert all(label in name.split("/") for name, (_, label) in layout.places.items())
    left_out = [int(note.split()[0]) for note in layout.notes if note.endswith("ignored")]
    assert len(pictures) - len(layout.places) == sum(left_out)
    deep = [name for name, (_, label) in layout.places.items() if name.split("/")[-2] != label]
    assert not deep or any(re.search("deeper|inside each class", note) for note in layout.notes)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("none", {}),
        ("train=A", {"A": "train"}),
        ("train = A b , val=C/,test=d", {"A b": "train", "C": "validation", "d": "test"}),
        (" NONE", {}),
        ("TRAIN=A,Test=B", {"A": "train", "B": "test"}),
        ("train=cats, dogs,test=a=b,c", {"cats, dogs": "train", "a=b,c": "test"}),
        ("train=A,train=B", {"A": "train", "B": "train"}),
    ],
)
def test_what_a_person_says_of_splits(text: str, found: dict[str, str] | None) -> None:
    assert parse_splits(text) == found


@pytest.mark.parametrize("text", ["all", "train", "train=", "=A", "calibration=A", "none,train=A", "train=A,test=A"])
def test_what_says_nothing_of_splits_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--splits has .* expected none, or train=FOLDER"):
        parse_splits(text)


def test_thumbnails_are_those_whose_pictures_are_there() -> None:
    names = [
        "cat/1.jpg",
        "cat/thumbs/1.png",
        "cat/Thumbnails/tn_1.jpg",
        "thumbs/cat/1.jpg",
        "thumb/up.jpg",
        "cat/2.jpg",
    ]
    assert sorted(thumbnails(names)) == ["cat/Thumbnails/tn_1.jpg", "cat/thumbs/1.png", "thumbs/cat/1.jpg"]


@pytest.mark.parametrize("encoding", ["C", "C of old Pythons"])
def test_names_are_read_as_utf_8_whatever_language_the_system_speaks(encoding: str, tmp_path: Path) -> None:
    for name in ("grün", "猫"):
        fill(tmp_path / "größe" / name, 1)
    old = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"} if encoding != "C" else {}
    program = (
        "import sys; from sqz_tf.images.find import scan; found = scan(sys.argv[1]); "
        "print(ascii(found.classes), [len(found.read(entry)) > 99 for entry in found.entries])"
    )
    environment = {**os.environ, **old, "LC_ALL": "C", "LANG": "C"}
    line = [sys.executable, "-c", program, str(tmp_path / "größe")]
    out = subprocess.run(line, env=environment, check=True, capture_output=True, text=True).stdout
    assert out == ascii(("grün", "猫")) + " [True, True]\n"
