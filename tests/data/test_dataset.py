"""Splits, the cache, sources and everything that can be wrong with a folder of pictures."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sqz_tf.base.errors import ConfigError, DataError, OutputError
from sqz_tf.base.spec import DataConfig, PreprocessSpec
from sqz_tf.data import copies as copies_module
from sqz_tf.data import dataset as dataset_module
from sqz_tf.data import rows as rows_module
from sqz_tf.data import splits as splits_module
from sqz_tf.data.dataset import Dataset
from sqz_tf.data.sources import NAMES, UNLABELLED
from sqz_tf.images.decode import decode
from sqz_tf.images.resize import preprocess
from tests.helpers.needs import ROOT, dev_data

SPEC = PreprocessSpec(8, 8)


def picture(number: int, side: int = 10) -> bytes:
    """Return a PNG that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side + 2, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def class_folders(root: Path, **counts: int) -> Path:
    number = 0
    for name, count in counts.items():
        for _ in range(count):
            write(root / name / f"{number:04d}.png", picture(number))
            number += 1
    return root


def load(source: Path, cache: Path, spec: PreprocessSpec = SPEC, **config: float) -> Dataset:
    return dataset_module.load(DataConfig(str(source), **config), spec, cache)  # type: ignore[arg-type]


def contents(dataset: Dataset, name: str) -> set[bytes]:
    return {dataset.images[row].tobytes() for row in dataset.splits[name]}


# Splitting ----------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(3, 40), min_size=1, max_size=6),
    st.floats(0, 0.5),
    st.floats(0, 0.4),
    st.integers(1, 60),
    st.randoms(use_true_random=False),
)
def test_split_covers_everything_once(
    counts: list[int], test: float, validation: float, k: int, random: object
) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    digests = [number.to_bytes(4, "big") for number in range(len(labels))]
    random.shuffle(digests)  # type: ignore[attr-defined]
    config = DataConfig("x", test, validation, k)
    parts = splits_module.split(labels, digests, [None] * len(labels), list(map(str, counts)), config)
    together = np.concatenate([parts[name] for name in ("train", "validation", "test")])
    assert sorted(together.tolist()) == list(range(len(labels)))
    for name in ("train", "validation", "test"):
        assert set(np.asarray(labels)[parts[name]].tolist()) == set(range(len(counts))), name
        assert parts[name].dtype == np.int64
    assert set(parts["calibration"].tolist()) <= set(parts["train"].tolist())
    drawn = np.bincount(np.asarray(labels)[parts["calibration"]], minlength=len(counts))
    left = np.bincount(np.asarray(labels)[parts["train"]], minlength=len(counts))
    assert drawn.sum() == min(k, left.sum())
    assert all(drawn[a] >= min(drawn.max() - 1, left[a]) for a in range(len(counts)))  # spread over the classes


def test_split_takes_test_then_validation_in_order_of_hash() -> None:
    digests = [bytes([value]) for value in (5, 1, 4, 2, 3, 0)]
    parts = splits_module.split([0] * 6, digests, [None] * 6, ["a"], DataConfig("x", 0.34, 0.17, 2))
    assert {name: rows.tolist() for name, rows in parts.items()} == {
        "test": [5, 1, 3],
        "validation": [4, 2],
        "train": [0],
        "calibration": [0],
    }


def test_fractions_round_up_but_exact_ones_stay_exact() -> None:
    digests = [bytes([number]) for number in range(100)]
    parts = splits_module.split([0] * 100, digests, [None] * 100, ["a"], DataConfig("x", 0.07, 0.101))
    assert (len(parts["test"]), len(parts["validation"])) == (7, 11)  # 100 * 0.07 is 7.000000000000001


def test_split_ignores_names_and_order(tmp_path: Path) -> None:
    first = load(class_folders(tmp_path / "one", a=9, b=12), tmp_path / "c1")
    renamed = tmp_path / "two"
    for path in sorted((tmp_path / "one").rglob("*.png"), reverse=True):
        write(renamed / path.parent.name / f"z{9999 - int(path.stem)}.png", path.read_bytes())
    second = load(renamed, tmp_path / "c2")
    assert second.sha256 == first.sha256
    for name in splits_module.SPLITS:
        in_order = [[each.images[row].tobytes() for row in each.splits[name]] for each in (first, second)]
        assert in_order[0] == in_order[1], name


def test_a_class_with_two_pictures_cannot_be_split(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", ants=2, bees=9)
    with pytest.raises(DataError, match=r"1 of 2 classes have too few pictures \('ants' has 2\); expected at least 3"):
        load(source, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_fractions_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    source = str(class_folders(tmp_path / "p", a=9, b=9))
    told = r"^0\.5 for test and 0\.5 for validation take 1\.00 of the pictures; expected at most 0\.9 together"
    for function in (dataset_module.summarise, lambda config: dataset_module.load(config, SPEC, tmp_path / "c")):
        with pytest.raises(ConfigError, match=told):
            function(DataConfig(source, test_fraction=0.5, validation_fraction=0.5))
    with pytest.raises(ConfigError, match=r"^0\.25 for test \(the default\) and 0\.8 for validation take 1\.05"):
        dataset_module.summarise(DataConfig(source, validation_fraction=0.8))


def test_a_fraction_for_a_split_that_is_given_is_said_to_be_idle(tmp_path: Path) -> None:
    source = given_splits(tmp_path / "p", {"train/a": 5, "train/b": 4, "val/a": 2, "val/b": 1})
    found = dataset_module.summarise(DataConfig(str(source), test_fraction=0.2, validation_fraction=0.6))
    assert found.notes[0] == "--validation-fraction 0.6 has no effect: there are pictures given for validation"
    assert not any("--test-fraction" in note for note in found.notes)


# Splits given by the user -------------------------------------------------------------------------------------


def given_splits(root: Path, layout: dict[str, int]) -> Path:
    for start, (folder, count) in enumerate(layout.items()):
        for number in range(count):
            write(root / folder / f"{number}.png", picture(1000 * start + number))
    return root


def test_given_splits_are_kept(tmp_path: Path) -> None:
    layout = {"train/a": 5, "train/b": 4, "val/a": 2, "val/b": 1, "test/a": 3, "test/b": 3}
    found = load(given_splits(tmp_path / "p", layout), tmp_path / "c")
    assert {name: len(rows) for name, rows in found.splits.items()} == {
        "train": 9,
        "calibration": 9,
        "validation": 3,
        "test": 6,
    }
    assert all(found.names[row].startswith("test/") for row in found.splits["test"])


@pytest.mark.parametrize(("present", "taken"), [("test", "validation"), ("val", "test")])
def test_a_missing_split_is_taken_from_train(tmp_path: Path, present: str, taken: str) -> None:
    layout = {"train/a": 10, "train/b": 10, f"{present}/a": 2, f"{present}/b": 2}
    found = load(given_splits(tmp_path / "p", layout), tmp_path / "c", test_fraction=0.2, validation_fraction=0.2)
    assert len(found.splits[taken]) == 4
    assert len(found.splits["train"]) == 16
    assert all(found.names[row].startswith("train/") for row in found.splits[taken])


def test_only_a_train_folder_is_split_like_class_folders(tmp_path: Path) -> None:
    plain = load(given_splits(tmp_path / "p", {"a": 8, "b": 8}), tmp_path / "c1")
    inside = load(given_splits(tmp_path / "q", {"train/a": 8, "train/b": 8}), tmp_path / "c2")
    assert inside.sha256 == plain.sha256


def test_given_splits_without_train_are_refused(tmp_path: Path) -> None:
    source = given_splits(tmp_path / "p", {"test/a": 4, "test/b": 4, "val/a": 2})
    with pytest.raises(DataError, match="no train folder beside test, val;"):
        load(source, tmp_path / "c")


def test_a_class_absent_from_train_or_test(tmp_path: Path) -> None:
    unseen = given_splits(tmp_path / "p", {"train/a": 5, "train/b": 5, "test/a": 1, "test/c": 1})
    with pytest.raises(DataError, match="'c' has 0"):
        load(unseen, tmp_path / "c")
    untested = given_splits(tmp_path / "q", {"train/a": 5, "train/b": 5, "test/a": 2})
    assert "warning: test has no picture of b" in load(untested, tmp_path / "c").notes


def test_the_same_picture_in_train_and_test_is_reported(tmp_path: Path) -> None:
    source = given_splits(tmp_path / "p", {"train/a": 5, "train/b": 5, "test/a": 2, "test/b": 2})
    write(source / "test" / "a" / "leak.png", (source / "train" / "a" / "0.png").read_bytes())
    found = load(source, tmp_path / "c")
    assert any(note.startswith("warning: 1 pictures are in two of the given splits") for note in found.notes)
    assert len(found.splits["test"]) == 5


# Copies, corrupt files and other notes ------------------------------------------------------------------------


def test_copies_within_a_class_are_left_out(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    before = load(source, tmp_path / "c").sha256
    write(source / "a" / "copy.png", (source / "a" / "0000.png").read_bytes())
    found = load(source, tmp_path / "c")
    assert found.notes == ("1 exact copies within a class: left out",)
    assert found.sha256 == before
    assert dataset_module.summarise(DataConfig(str(source))).pictures == len(found.images) == 12


def test_the_same_picture_in_two_classes_is_reported(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    write(source / "b" / "same.png", (source / "a" / "0000.png").read_bytes())
    found = load(source, tmp_path / "c")
    assert found.notes == ("warning: 1 pictures are in two classes, byte for byte",)
    assert len(found.images) == 13


def test_unbalanced_classes_are_reported(tmp_path: Path) -> None:
    found = load(class_folders(tmp_path / "p", rare=4, common=13), tmp_path / "c")
    assert found.notes == ("unbalanced classes: rare has 4 pictures, common 13",)


def test_a_few_corrupt_pictures_are_skipped_and_counted(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=20, b=20)
    write(source / "a" / "broken.jpg", b"\xff\xd8\xff nothing")
    write(source / "b" / "cut.png", picture(99)[:60])
    found = load(source, tmp_path / "c")
    assert len(found.images) == len(found.labels) == len(found.names) == 40
    assert found.notes[0].startswith("2 pictures skipped: a/broken.jpg cannot be decoded")
    for row, name in enumerate(found.names):  # the rows that follow a gap still fit their names
        pixels = decode((source / name).read_bytes())
        assert np.array_equal(found.images[row], preprocess(pixels, SPEC))
        assert found.classes[found.labels[row]] == name.split("/")[0]


def test_many_corrupt_pictures_are_an_error(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=20, b=20)
    for number in range(3):
        write(source / "a" / f"bad{number}.png", b"\x89PNG")
    with pytest.raises(DataError, match=r"3 of 43 pictures cannot be used: a/bad0\.png .* expected at most 5%"):
        load(source, tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 5}, "has one class only, 'a'; expected two or more classes"),
        ({"a": 5, "b": 5, "empty": 0}, "class folders without a picture: empty"),
        ({".": 3}, "holds 3 pictures without labels"),
    ],
)
def test_folders_that_cannot_be_trained_on(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    source = class_folders(tmp_path / "p", **counts)
    for name in counts:
        (source / name).mkdir(exist_ok=True)
    with pytest.raises(DataError, match=message):
        dataset_module.summarise(DataConfig(str(source)))


def test_an_unknown_source_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=f"'digit'; expected {', '.join(NAMES)}, a folder"):
        dataset_module.summarise(DataConfig("digit"))


# The cache ----------------------------------------------------------------------------------------------------


def test_load_keeps_what_it_returns(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    source = class_folders(tmp_path / "p", a=7, b=8)
    spec = PreprocessSpec(6, 5, channels=1)
    found = dataset_module.load(
        DataConfig(str(source)), spec, tmp_path / "deep" / "cache", lambda *step: seen.append(step)
    )
    assert isinstance(found.images, np.memmap)
    assert found.images.shape == (15, 5, 6, 1)
    assert found.labels.dtype == np.int32
    assert (found.name, found.classes, found.preprocess) == ("p", ("a", "b"), spec)
    assert seen[-1] == ("read", 15, 15)
    again = dataset_module.open_cached(tmp_path / "deep" / "cache")
    assert np.array_equal(again.images, found.images)
    assert np.array_equal(again.labels, found.labels)
    assert again.names == found.names
    assert again.sha256 == found.sha256
    assert again.config == DataConfig(str(source))


def test_pictures_of_any_size_and_number_of_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "p"
    for number in range(14):
        write(source / "ab"[number % 2] / f"{number:02d}.png", picture(number, side=7 + number % 3))
    whole = load(source, tmp_path / "c1")
    monkeypatch.setattr(rows_module, "_CHUNK_BYTES", 3 * 8 * 8 * 3)
    monkeypatch.setattr(rows_module, "_SMALL_PICTURE", 200)  # so that some go one by one
    pieces = load(source, tmp_path / "c2")
    assert np.array_equal(whole.images, pieces.images)
    assert whole.names == pieces.names
    for row, name in enumerate(whole.names):
        pixels = decode((source / name).read_bytes())
        assert np.array_equal(whole.images[row], preprocess(pixels, SPEC))


def test_the_fingerprint_follows_bytes_classes_splits_and_preprocessing(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    seen = {
        load(source, tmp_path / "c").sha256,
        load(source, tmp_path / "c", PreprocessSpec(8, 8, fit="warp")).sha256,
        load(source, tmp_path / "c", test_fraction=0.5).sha256,
        load(source, tmp_path / "c", calibration_images=3).sha256,
        load(source, tmp_path / "c", test_fraction=0.16, validation_fraction=0.33).sha256,  # the two exchanged
    }
    write(source / "a" / "0000.png", picture(77))
    seen.add(load(source, tmp_path / "c").sha256)
    (source / "a").rename(source / "c")
    seen.add(load(source, tmp_path / "c").sha256)
    assert len(seen) == 7


def test_mean_and_deviation_are_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    normalised = PreprocessSpec(8, 8, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    assert load(source, tmp_path / "c", normalised).sha256 == load(source, tmp_path / "c").sha256


# Judging ------------------------------------------------------------------------------------------------------


def for_judging(source: Path, calibration: Path | None, cache: Path, **config: Any) -> Dataset:
    labels = ("x", "a", "y", "b")
    return dataset_module.load_for_judging(
        DataConfig(str(source), **config), str(calibration) if calibration else None, (1, 3), labels, SPEC, cache
    )


def test_all_pictures_judge_but_those_that_calibrate(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=5)
    for asked, taken in ((200, 2), (1, 1)):  # a fifth at most
        found = for_judging(source, None, tmp_path / "c", calibration_images=asked)
        assert {name: len(rows) for name, rows in found.splits.items()} == {
            "train": 0,
            "validation": 0,
            "calibration": taken,
            "test": 11 - taken,
        }
        assert sorted(np.concatenate(list(found.splits.values()))) == list(range(11))
    assert sorted(found.labels) == [1] * 6 + [3] * 5


def test_pictures_that_judge_do_not_calibrate(tmp_path: Path) -> None:
    source, others = class_folders(tmp_path / "p", a=6, b=5), tmp_path / "others"
    for number in (0, 1, 100, 101, 102):  # the first two are in class a
        write(others / f"{number}.png", picture(number))
    found = for_judging(source, others, tmp_path / "c")
    assert (len(found.splits["test"]), len(found.splits["calibration"]), len(found.images)) == (11, 3, 14)
    assert not contents(found, "test") & contents(found, "calibration")
    assert set(found.labels[found.splits["calibration"]]) == {UNLABELLED}
    assert found.notes == ("2 of the pictures to calibrate with are judged, byte for byte: left out",)
    with pytest.raises(DataError, match=r"every picture of .* is in .* too"):
        for_judging(source, source, tmp_path / "c")


def test_summary_agrees_with_load(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=9, b=30)
    summary, found = dataset_module.summarise(DataConfig(str(source))), load(source, tmp_path / "c")
    for name, rows in found.splits.items():
        assert summary.counts[name] == tuple(np.bincount(found.labels[rows], minlength=2))
    assert summary.notes == found.notes
    assert summary.median_size == (12, 10)
    assert (summary.name, summary.channels, summary.pictures) == ("p", 3, 39)
    write(source / "a" / "0000.png", picture(55))
    assert dataset_module.summarise(DataConfig(str(source))).sha256 != summary.sha256


def test_a_zip_is_its_folder(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "photos", a=6, b=5)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(source.rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    folder, packed = load(source, tmp_path / "c1"), load(tmp_path / "photos.zip", tmp_path / "c2")
    assert packed.sha256 == folder.sha256
    assert packed.name == folder.name == "photos"
    assert np.array_equal(packed.images, folder.images)


def test_a_crash_leaves_the_old_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    before = load(source, tmp_path / "c").sha256

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset_module.load(DataConfig(str(source), 0.5), SPEC, tmp_path / "c", fail)
    assert dataset_module.open_cached(tmp_path / "c").sha256 == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "p"]


@contextlib.contextmanager
def nearly_full_disk() -> Iterator[None]:
    """Let no file grow past 2,000 bytes: the write fails as on a full disk, only the number differs.

    No fixture: pytest reports a test before it takes its fixtures down, and its own output may be a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_failing_write_is_an_output_error(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=20, b=20)
    message = r"cannot be written .* expected a writable place with"
    with nearly_full_disk(), pytest.raises(OutputError, match=message):
        load(source, tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p"]


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    write(tmp_path / "file", b"")
    with pytest.raises(OutputError, match=r"file/.* cannot be written \(Not a directory\)"):
        load(source, tmp_path / "file" / "cache")


def absent(cache: Path) -> None:
    (cache / "dataset.json").unlink()


def no_json(cache: Path) -> None:
    (cache / "dataset.json").write_text("{")


def list_json(cache: Path) -> None:
    (cache / "dataset.json").write_text("[1]")


def other_version(cache: Path) -> None:
    record = json.loads((cache / "dataset.json").read_text())
    (cache / "dataset.json").write_text(json.dumps({**record, "format": 999}))


def cut_images(cache: Path) -> None:
    os.truncate(cache / "images.npy", 300)


def cut_index(cache: Path) -> None:
    os.truncate(cache / "index.npz", 100)


def no_names(cache: Path) -> None:
    (cache / "names.txt").unlink()


def many_names(cache: Path) -> None:
    with (cache / "names.txt").open("ab") as file:
        file.truncate(1 << 30)


def other_images(cache: Path) -> None:
    np.save(cache / "images.npy", np.zeros((12, 8, 8, 1), np.uint8))


@pytest.mark.parametrize(
    "damage", [absent, no_json, list_json, other_version, cut_images, cut_index, no_names, many_names, other_images]
)
def test_a_damaged_cache_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    load(class_folders(tmp_path / "p", a=6, b=6), tmp_path / "c")
    damage(tmp_path / "c")
    with pytest.raises(DataError, match="c holds no whole data set"):
        dataset_module.open_cached(tmp_path / "c")


def test_names_of_many_pictures_and_with_newlines_come_back(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "p", a=6, b=6)
    next((source / "a").iterdir()).rename(source / "a" / "tench, Tinca\ntinca.png")
    kept = load(source, tmp_path / "c")
    assert len(kept.names) == 12
    assert "a/tench, Tinca�tinca.png" in kept.names
    opened = dataset_module.open_cached(tmp_path / "c")
    assert opened.names == kept.names


# Sources ------------------------------------------------------------------------------------------------------


def test_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    summary = dataset_module.summarise(DataConfig())
    assert summary.classes == tuple("0123456789")
    assert (summary.median_size, summary.channels, summary.pictures) == ((8, 8), 1, 1797)
    assert sum(summary.counts["test"]) >= 450
    assert min(min(counts) for counts in summary.counts.values()) >= 1
    found = dataset_module.load(DataConfig(), PreprocessSpec(8, 8, channels=1), tmp_path / "c")
    from sklearn.datasets import load_digits

    expected = np.floor(load_digits().images * 255 / 16 + 0.5)
    assert np.array_equal(found.images[..., 0], expected)
    assert np.array_equal(found.labels, load_digits().target)
    assert found.names[123] == "digits/0123"


@pytest.mark.parametrize(
    ("size", "expected"),
    [((8, 8), 48), ((16, 40), 48), ((17, 17), 32), ((32, 32), 48), ((64, 80), 96), ((96, 200), 128), ((500, 375), 128)],
)
def test_default_input_size(size: tuple[int, int], expected: int) -> None:
    summary = dataset_module.Summary("x", ("a", "b"), {}, size, 3, "", "")
    assert dataset_module.default_input_size(summary) == expected


def fake_cifar10(load_data: Callable[[], object]) -> dict[str, types.ModuleType]:
    names = ("tf_keras", "tf_keras.datasets", "tf_keras.datasets.cifar10")
    modules = {name: types.ModuleType(name) for name in names}
    modules["tf_keras"].datasets = modules["tf_keras.datasets"]  # type: ignore[attr-defined]
    modules["tf_keras.datasets"].cifar10 = modules["tf_keras.datasets.cifar10"]  # type: ignore[attr-defined]
    modules["tf_keras.datasets.cifar10"].load_data = load_data  # type: ignore[attr-defined]
    return modules


def use(monkeypatch: pytest.MonkeyPatch, modules: dict[str, types.ModuleType]) -> None:
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_cifar10_keeps_its_own_test_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(60, dtype=np.uint8)[:, None] % 10

    def load_data() -> object:
        print("Downloading data")  # as Keras does, on stdout
        return (pixels[:40], labels[:40]), (pixels[40:], labels[40:])

    use(monkeypatch, fake_cifar10(load_data))
    found = dataset_module.load(DataConfig("cifar10"), PreprocessSpec(32, 32), tmp_path / "c")
    assert found.classes[0] == "airplane"
    assert found.classes[9] == "truck"
    assert {name: len(rows) for name, rows in found.splits.items()} == {
        "train": 30,
        "calibration": 30,
        "validation": 10,
        "test": 20,
    }
    assert sorted(found.splits["test"].tolist()) == list(range(40, 60))
    assert np.array_equal(found.images, pixels)
    assert capsys.readouterr().out == ""


def test_cifar10_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_data() -> object:
        raise OSError("no route to host")

    use(monkeypatch, fake_cifar10(load_data))
    with pytest.raises(DataError, match=r"cannot be downloaded \(no route to host\).* give a folder or \.zip"):
        dataset_module.summarise(DataConfig("cifar10"))


class FakeBuilder:
    """The part of a TFDS builder that is used: encoded pictures, labels and one hidden label."""

    def __init__(self, splits: dict[str, int], *features: str) -> None:
        counts = {name: types.SimpleNamespace(num_examples=count) for name, count in splits.items()}
        shapes = {"image": types.SimpleNamespace(shape=(None, None, 3)), "label": types.SimpleNamespace(names="ab")}
        known = {name: shapes.get(name) for name in features}
        self.info = types.SimpleNamespace(splits=counts, features=known, homepage="https://example.org")

    def download_and_prepare(self) -> None:
        pass

    def as_dataset(self, split: str, decoders: dict[str, object]) -> Iterator[dict[str, object]]:
        assert decoders == {"image": "skip"}
        start = 0 if split == "train" else 1000
        for number in range(self.info.splits[split].num_examples):
            label = -1 if split == "test" and number == 0 else number % 2
            yield {"image": picture(start + number), "label": np.int64(label)}


def fake_tfds(builder: Callable[[str], FakeBuilder]) -> dict[str, types.ModuleType]:
    module = types.ModuleType("tensorflow_datasets")
    module.builder = builder  # type: ignore[attr-defined]
    module.as_numpy = iter  # type: ignore[attr-defined]
    module.decode = types.SimpleNamespace(SkipDecoding=lambda: "skip")  # type: ignore[attr-defined]
    return {"tensorflow_datasets": module}


def test_tfds_goes_through_the_same_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, fake_tfds(lambda name: FakeBuilder({"train": 12, "test": 5, "extra": 9}, "image", "label")))
    found = dataset_module.load(DataConfig("tfds:pets/small:1.0.0"), SPEC, tmp_path / "c")
    assert (found.name, found.classes) == ("pets", ("a", "b"))
    assert len(found.splits["test"]) == 4  # the one without a label is left out
    row = found.names.index("pets/small:1.0.0/train/000003")
    assert np.array_equal(found.images[row], preprocess(decode(picture(3)), SPEC))


def test_tfds_sets_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, fake_tfds(lambda name: FakeBuilder({"all": 4}, "image", "text")))
    with pytest.raises(DataError, match="features image, text and splits all; expected an image, a label and a train"):
        dataset_module.summarise(DataConfig("tfds:captions"))

    blank = FakeBuilder({"train": 4}, "image", "label")
    blank.info.features["label"].names = ["a", "b "]
    use(monkeypatch, fake_tfds(lambda name: blank))
    with pytest.raises(DataError, match="the class 'b ' in tfds:blank has blanks around it; expected"):
        dataset_module.summarise(DataConfig("tfds:blank"))

    def unknown(name: str) -> FakeBuilder:
        raise ValueError("no such set\nAvailable: 1,000 others")

    use(monkeypatch, fake_tfds(unknown))
    with pytest.raises(DataError, match=r"tfds:nothing cannot be prepared \(no such set\); expected"):
        dataset_module.summarise(DataConfig("tfds:nothing"))


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [
        ("digits", "sklearn.datasets", "train"),
        ("cifar10", "tf_keras.datasets", "train"),
        ("tfds:x", "tensorflow_datasets", "tfds"),
    ],
)
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, source: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module.split(".")[0], None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"which is not installed; pip install 'sqz-tf\[{extra}\]'"):
        dataset_module.summarise(DataConfig(source))


def test_import_needs_no_training_stack() -> None:
    code = (
        "import sys, sqz_tf.data.dataset; print([m for m in ('tensorflow', 'tf_keras', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# Development data ---------------------------------------------------------------------------------------------


def test_cifar10_photographs_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "MOST_PICTURES", 0)  # the test below finds them
    summary = dataset_module.summarise(DataConfig(str(dev_data("cifar10_train.zip"))))
    assert len(summary.classes) == 10
    assert summary.median_size == (32, 32)
    assert {name: sum(counts) for name, counts in summary.counts.items()} == {
        "train": 40_000,
        "calibration": 200,
        "validation": 5_000,
        "test": 5_000,
    }
    assert dataset_module.default_input_size(summary) == 48


@pytest.mark.slow
def test_cifar10_has_pictures_that_look_the_same() -> None:
    summary = dataset_module.summarise(DataConfig(str(dev_data("cifar10_train.zip"))))
    (note,) = summary.notes
    assert note.startswith("7 pictures look like others (airplane/2141.jpg and airplane/2862.jpg): kept on one side")
    assert [sum(summary.counts[name]) for name in ("train", "validation", "test")] == [40_000, 5_000, 5_000]


@pytest.mark.slow
def test_cifar10_photographs_load_in_bounded_memory(tmp_path: Path) -> None:
    source = dev_data("cifar10_train.zip")
    code = (
        "import re, sys; from pathlib import Path\n"
        "from sqz_tf.base import spec; from sqz_tf.data import dataset as data\n"
        "found = data.load(spec.DataConfig(sys.argv[1]), spec.PreprocessSpec(64, 64), Path(sys.argv[2]))\n"
        # Not getrusage: its maximum begins with the parent's, which may have TensorFlow loaded.
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())\n"
        "print(len(found.images), int(peak[1]) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "c")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    count, mebibytes = map(int, done.stdout.split())
    assert count == 50_000
    assert mebibytes < 400  # the pixels alone are 586 MiB
