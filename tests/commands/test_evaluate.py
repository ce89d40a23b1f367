"""`python -m sqz_tf.evaluate`: right counts on every layout, classes matched or refused, JSON alone on stdout."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqz_tf.base import stats
from sqz_tf.base.errors import ConfigError, DataError
from sqz_tf.base.spec import DataConfig, to_dict
from sqz_tf.data.accuracy import BATCH, evaluate
from sqz_tf.data.dataset import load
from sqz_tf.data.rows import map_ordered
from sqz_tf.evaluate import main
from sqz_tf.images.find import scan
from sqz_tf.images.matching import match_classes
from sqz_tf.inference.classifier import Classifier
from tests.helpers import colour_network
from tests.helpers.echo_models import LABELS, described, model, picture


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(described(model()))
    return tmp_path


def peak(index: int, height: int = 200, noise: int = 0) -> bytes:
    """Return a picture of which the model says class `index`; `noise` makes its bytes differ."""
    values = [10, 10 + noise % 50, 10, 10 + noise // 50]
    values[index] = height
    return picture(*values)


def put(folder: str, *pictures: bytes) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    for content in pictures:
        (place / f"{len(list(place.iterdir())):03d}.png").write_bytes(content)


def run(*arguments: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> dict:
    assert main(["model.tflite", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


# Counting ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(here):
    """Ten pictures: all four of red right, two of three green, none of three crane."""
    put("data/red", *(peak(0, noise=n) for n in range(4)))
    put("data/green", peak(1), peak(1, noise=1), peak(2))
    put("data/crane", peak(0), peak(1), peak(2))
    return "data"


def test_json_begins_with_the_accuracies_as_fractions(folder, capsys):
    result = run(folder, "--quiet", capsys=capsys)
    assert list(result)[:4] == ["top1", "top5", "n", "interval"]
    assert (result["top1"], result["top5"], result["n"]) == (0.6, 1.0, 10)
    assert result["interval"] == pytest.approx(stats.wilson_interval(6, 10))
    assert (result["skipped"], result["classes"], result["split"]) == (0, 3, None)
    assert (result["model"], result["data"], result["runtime"]) == ("model.tflite", folder, "ai-edge-litert")


def test_the_table_says_the_same_in_words(folder, capsys):
    assert main(["model.tflite", folder]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "top-1     60.00%  (95 % interval 31.27% to 83.18%)",
        "top-5     100.00%",
        "pictures  10",
        "classes   3 of the model's 4",
    ]
    assert err.splitlines()[0] == f"reading {folder}"
    assert err.splitlines()[-1].split() == ["evaluate", "10/10"]


def test_quiet_is_quiet(folder, capsys):
    main(["model.tflite", folder, "--quiet"])
    assert capsys.readouterr().err == ""


def test_top_5_counts_the_first_five(here, capsys):
    labels = [f"class{index}" for index in range(8)]
    from sqz_tf.base.spec import PreprocessSpec

    Path("model.tflite").write_bytes(
        described(model(shape=(1, 1, 8, 1)), labels, PreprocessSpec(8, 1, channels=1, fit="warp"))
    )
    ranked = picture(80, 70, 60, 50, 40, 30, 20, 10)
    for label in labels:
        put(f"data/{label}", ranked)
    result = run("data", capsys=capsys)
    assert (result["top1"], result["top5"]) == (1 / 8, 5 / 8)


def test_a_network_is_judged_as_by_its_scores(here, capsys):
    Path("model.tflite").write_bytes(colour_network.net().int8_model)
    colour_network.write_pictures(here / "data", 20)
    pixels, labels = colour_network.pictures(20, 3)
    expected = stats.accuracy(Classifier("model.tflite").scores(pixels), labels)
    result = run("data", capsys=capsys)
    assert (result["top1"], result["top5"], result["n"]) == (expected.top1, expected.top5, 80)
    assert result["interval"] == pytest.approx(expected.interval)
    assert 0.8 < expected.top1 < 1


def test_threads_change_nothing(folder, capsys):
    assert run(folder, capsys=capsys) == run(folder, "--threads", "2", capsys=capsys)


# Layouts -----------------------------------------------------------------------------------------------------


def test_a_zip_gives_what_its_folder_gives(folder, capsys):
    shutil.make_archive("packed", "zip", folder)
    expected = run(folder, capsys=capsys)
    assert run("packed.zip", capsys=capsys) == {**expected, "data": "packed.zip"}


def test_labels_csv_may_hold_names_numbers_or_wnids(here, capsys):
    put("data/images", peak(3), peak(1), peak(0))
    rows = {
        "file,label": ["crane", "Green", "blue"],
        "file,label,": ["3", "1", "2"],
        "file,label,wnid": ["0,n00000004", "7,n00000002", "9,n00000003"],
    }
    wnids = [f"n0000000{number}" for number in range(1, 5)]
    for header, labels in rows.items():
        more: dict[str, Any] = {"wnids": wnids} if "wnid" in header else {}
        Path("model.tflite").write_bytes(described(model(), **more))
        lines = [header, *(f"00{number}.png,{label}" for number, label in enumerate(labels))]
        Path("data/labels.csv").write_text("\n".join(lines))
        result = run("data", capsys=capsys)
        assert (result["top1"], result["n"], result["classes"]) == (2 / 3, 3, 3), header


def test_every_picture_counts_unless_a_split_is_asked_for(here, capsys):
    for split, right in (("train", 3), ("val", 2), ("test", 1)):
        put(f"data/{split}/red", *(peak(0 if n < right else 1, noise=n + 9 * right) for n in range(3)))
        put(f"data/{split}/green", peak(1, noise=100 * right))
    assert run("data", capsys=capsys)["n"] == 12
    assert run("data", capsys=capsys)["top1"] == 9 / 12
    for name, right in (("val", 3), ("validation", 3), ("test", 2), ("train", 4)):
        result = run("data", "--split", name, capsys=capsys)
        assert (result["n"], result["top1"], result["split"]) == (4, right / 4, name)


@pytest.fixture
def unsplit(here):
    """Forty different pictures a class, of which the model gets some right."""
    for index, label in enumerate(LABELS):
        put(f"data/{label}", *(peak(index if n % 3 else (index + 1) % 4, 100 + n, n) for n in range(40)))
    return "data"


def expected_split(source: str, split: str, **fractions: Any) -> tuple[int, float]:
    """Return number and accuracy of the pictures that an export would keep in a split."""
    config = DataConfig(source, **fractions)
    classifier = Classifier("model.tflite")
    held = load(config, classifier.preprocess, Path("cache"), None)
    rows = held.splits[split]
    outputs = np.array([LABELS.index(name) for name in held.classes])
    found = stats.accuracy(classifier.scores(held.images[rows]), outputs[held.labels[rows]])
    return found.n, found.top1


def test_pictures_without_split_folders_are_split_as_for_an_export(unsplit, capsys):
    for name, split in (("test", "test"), ("val", "validation"), ("train", "train")):
        result = run(unsplit, "--split", name, capsys=capsys)
        assert (result["n"], result["top1"]) == expected_split(unsplit, split)
    assert run(unsplit, "--split", "test", capsys=capsys)["n"] == 40  # a quarter


def test_the_fractions_are_those_of_the_export_beside_the_model(unsplit, capsys):
    settings = to_dict(DataConfig("elsewhere", test_fraction=0.5, validation_fraction=0.1))
    Path("manifest.json").write_text(json.dumps({"config": {"data": settings}}))
    result = run(unsplit, "--split", "test", capsys=capsys)
    assert (result["n"], result["top1"]) == expected_split(unsplit, "test", test_fraction=0.5, validation_fraction=0.1)
    assert result["n"] == 80
    for broken in ("{}", "[]", "no json", '{"config": {"data": {"colour": 1}}}'):
        Path("manifest.json").write_text(broken)
        assert run(unsplit, "--split", "test", capsys=capsys)["n"] == 40


def test_an_export_that_trained_nothing_has_only_test_pictures(unsplit, capsys):
    Path("manifest.json").write_text(json.dumps({"config": {"data": {}, "train": {"epochs": 0}}}))
    assert run(unsplit, "--split", "test", capsys=capsys)["n"] == 160
    for split in ("train", "val"):
        assert main(["model.tflite", unsplit, "--split", split]) == 1
        assert "the model's export trained nothing" in capsys.readouterr().err
    Path("split").mkdir()
    shutil.move(unsplit, "split/train")
    put("split/test/red", peak(0, noise=7))
    assert run("split", "--split", "test", capsys=capsys)["n"] == 1  # a folder of that name goes before


def test_a_missing_test_folder_is_taken_from_train(unsplit, capsys):
    Path("split").mkdir()
    shutil.move(unsplit, "split/train")
    result = run("split", "--split", "test", capsys=capsys)
    assert (result["n"], result["top1"]) == expected_split("split", "test")
    assert 0 < result["n"] < run("split", "--split", "train", capsys=capsys)["n"] < 160


def test_a_folder_named_like_a_built_in_data_set_is_given_with_its_place(unsplit, capsys):
    """As for every other command: an export of the digits may be called digits, too."""
    shutil.move(unsplit, "digits")
    assert run("./digits", "--split", "test", capsys=capsys)["n"] == 40
    assert main(["model.tflite", "digits", "--split", "test"]) == 1
    assert "reading digits, the data set of that name: the folder is ./digits" in capsys.readouterr().err


def test_built_in_data_is_there_with_a_split(here, capsys):
    from sqz_tf.base.spec import PreprocessSpec

    Path("model.tflite").write_bytes(
        described(model(shape=(1, 2, 5, 1)), list("0123456789"), PreprocessSpec(5, 2, channels=1, fit="warp"))
    )
    assert run("digits", "--split", "test", "--limit", "20", capsys=capsys)["n"] == 20


def test_a_limit_is_spread_over_the_classes(unsplit, capsys):
    assert run(unsplit, "--limit", "8", capsys=capsys)["classes"] == 4
    assert run(unsplit, "--limit", "3", capsys=capsys)["n"] == 3
    assert run(unsplit, "--limit", "1000", capsys=capsys)["n"] == 160
    assert run(unsplit, "--limit", "8", "--split", "train", capsys=capsys)["n"] == 8


def test_pictures_are_decoded_only_a_few_ahead():
    taken: list[int] = []
    walk = map_ordered(abs, (taken.append(-n) or -n for n in range(1000)), BATCH)
    assert [next(walk), next(walk)] == [0, 1]
    assert len(taken) <= BATCH + 2
    assert list(walk) == list(range(2, 1000))


# Bad input ---------------------------------------------------------------------------------------------------


def test_corrupt_pictures_are_skipped_and_counted(here, capsys):
    put("data/red", *(peak(0, noise=n) for n in range(39)), b"garbage")
    put("data/green", *(peak(1, noise=n) for n in range(19)), peak(1)[:40])
    assert main(["model.tflite", "data", "--json"]) == 0
    out, err = capsys.readouterr()
    assert {key: json.loads(out)[key] for key in ("top1", "n", "skipped")} == {"top1": 1.0, "n": 58, "skipped": 2}
    assert "2 pictures skipped" in err
    assert "red/039.png cannot be decoded" in err


def test_many_corrupt_pictures_are_an_error(here, capsys):
    put("data/red", *(peak(0, noise=n) for n in range(18)), b"garbage", b"rubbish")
    assert main(["model.tflite", "data", "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "2 of 20 pictures cannot be used: red/018.png cannot be decoded" in err
    assert "expected at most 5%" in err


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "data does not exist"),
        (lambda: Path("data").mkdir(), "holds no pictures"),
        (lambda: put("data", peak(0)), "1 pictures without labels; expected one folder per class"),
        (
            lambda: put("data/purple", peak(0)),
            "none of the model's outputs: 'purple'; expected the model's labels ('red'",
        ),
        (lambda: Path("data").write_text("text"), "is a file"),
    ],
)
def test_bad_data_is_one_line_and_exit_code_1(make, message, here, capsys):
    make()
    assert main(["model.tflite", "data", "--json", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_a_split_of_what_does_not_exist_is_an_error(here, capsys):
    assert main(["model.tflite", "data", "--split", "test"]) == 1
    assert "there is no data set, folder or file 'data'" in capsys.readouterr().err


def test_a_bad_model_is_told_before_the_data_is_read(here, capsys):
    Path("model.tflite").write_text("a text file")
    assert main(["model.tflite", "data"]) == 1
    assert capsys.readouterr().err.startswith("error: model.tflite is text; expected a .tflite")


def test_a_zip_that_points_outside_is_refused(here, capsys):
    with zipfile.ZipFile("data.zip", "w") as archive:
        archive.writestr("../red/1.png", peak(0))
    assert main(["model.tflite", "data.zip"]) == 1
    assert "points outside" in capsys.readouterr().err


def test_a_broken_network_is_an_error(here, monkeypatch, capsys):
    put("data/red", peak(0))
    monkeypatch.setattr(Classifier, "scores", lambda self, batch: np.full((len(batch), 4), math.nan, np.float32))
    assert main(["model.tflite", "data"]) == 1
    assert "NaN" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["data"], ["model.tflite"], ["m", "data", "--split", "dev"], ["m", "data", "--limit", "0"], ["m", "d", "-x"]],
)
def test_wrong_usage_is_exit_code_2(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_wrong_arguments_are_named(here):
    put("data/red", peak(0))
    with pytest.raises(ConfigError, match="split is 'dev'; expected one of train, val"):
        evaluate(Classifier("model.tflite"), "data", split="dev")
    with pytest.raises(ConfigError, match="limit is 0"):
        evaluate(Classifier("model.tflite"), "data", limit=0)


# Matching classes --------------------------------------------------------------------------------------------

CRANES = ("tench, Tinca tinca", "crane", "crane", "Great_White  shark")
CRANE_WNIDS = ("n01440764", "n02012849", "n03126707", "n01484850")


@pytest.mark.parametrize(
    ("classes", "outputs"),
    [
        (["great white shark"], (3,)),
        (["GREAT_WHITE_SHARK"], (3,)),
        (["tench, Tinca tinca"], (0,)),
        (["tinca_tinca", "Tench"], (0, 0)),
        (["n01440764_tench"], (0,)),
        (["n01440764 tench"], (0,)),
        (["3", "0"], (3, 0)),
    ],
)
def test_classes_are_matched_by_name_or_number(classes, outputs):
    assert match_classes(classes, CRANES) == outputs


def test_classes_are_matched_by_wnid_where_both_have_one():
    wnids = ["n03126707", "n02012849"]
    assert match_classes(wnids, CRANES, wnids=wnids, label_wnids=CRANE_WNIDS) == (2, 1)
    # Names may stand beside: only crane needs it.
    mixed = ["n03126707", "tench"]
    assert match_classes(mixed, CRANES, wnids=["n03126707", ""], label_wnids=CRANE_WNIDS) == (2, 0)


def test_a_wnid_in_front_does_no_harm_where_the_model_knows_none():
    assert match_classes(["n01440764_tench", "shark"], ["shark", "tench"], wnids=["n01440764", ""]) == (1, 0)


def test_a_name_of_two_outputs_needs_the_wnid():
    with pytest.raises(DataError, match=r"'Crane' matches the outputs 1 and 2;.*wnid, n02012849 or n03126707"):
        match_classes(["Crane"], CRANES, label_wnids=CRANE_WNIDS)
    with pytest.raises(DataError, match="1 and 2; expected one; name every class by its output's index"):
        match_classes(["crane"], CRANES)


def test_a_whole_name_goes_before_a_part():
    assert match_classes(["drake", "bird"], ["drake, bird", "bird"]) == (0, 1)


def test_a_wnid_that_the_model_lacks_is_not_taken_for_a_number():
    with pytest.raises(DataError, match="1 of 1 classes match none of the model's outputs: 'n09999999'"):
        match_classes(["n09999999"], CRANES, wnids=["n09999999"], numbers=[2], label_wnids=CRANE_WNIDS)


def test_numbers_count_only_where_no_name_does():
    assert match_classes(["7", "3"], ["3", "7"]) == (1, 0)  # names, not numbers
    with pytest.raises(DataError, match="'1'"):
        match_classes(["1"], ["3", "7"])
    with pytest.raises(DataError, match=r"1 of 2 .*: '0';"):
        match_classes(["1", "0"], ["cat", "dog", "1"])
    with pytest.raises(DataError, match=r"1 of 2 .*: '0';"):
        match_classes(["0", "crane2"], ["crane1", "crane2"])
    with pytest.raises(DataError, match=r"2 of 3 classes match none.*: '4', '5'; .*integers from 0 to 3"):
        match_classes(["4", "5", "0"], CRANES)


def test_label_numbers_of_a_csv_are_outputs():
    assert match_classes(["n1", "n2"], CRANES, numbers=[3, 1]) == (3, 1)


def test_accents_may_be_composed_or_not():
    assert match_classes(["gru\u0308n"], ["rot", "gr\u00fcn"]) == (1,)


def test_only_the_first_unmatched_classes_are_named():
    with pytest.raises(DataError) as caught:
        match_classes([f"x{number}" for number in range(50)], CRANES)
    assert "50 of 50 classes" in str(caught.value)
    assert "'x0', 'x1', 'x2', …;" in str(caught.value)


def test_the_loader_of_images_agrees_on_what_a_wnid_is(here):
    put("data/n02012849", peak(1))
    put("data/n03126707-crane", peak(2))
    Path("model.tflite").write_bytes(described(model(), CRANES, wnids=CRANE_WNIDS))
    assert scan("data").wnids == ("n02012849", "n03126707")
    assert evaluate(Classifier("model.tflite"), "data").accuracy.top1 == 1.0
