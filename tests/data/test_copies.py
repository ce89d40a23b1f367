"""Copies of pictures: found by their looks, never divided by a split, and told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import COPIES as COPIES_TOLD
from sqz_tf.base.spec import DataConfig, PreprocessSpec
from sqz_tf.data import copies as copies_module
from sqz_tf.data import dataset as dataset_module
from sqz_tf.data import splits as splits_module
from sqz_tf.data.rows import Rows
from sqz_tf.data.sources import Item, Source
from sqz_tf.images import looks as looks_module
from sqz_tf.images.decode import ImageError
from sqz_tf.images.looks import Look, copies, look
from tests.helpers.awkward import classes, encoded, photograph, write
from tests.helpers.awkward_copies import photographs, small

SPEC = PreprocessSpec(8, 8)


def orientated(image: Image.Image) -> bytes:
    """Return a picture that lies on its side, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=90)


COPIES = {
    "half": lambda image: small("one"),
    "larger": lambda image: encoded(image.resize((211, 158)), "WEBP"),
    "stretched": lambda image: encoded(image.resize((90, 90))),
    "palette": lambda image: encoded(image.quantize(200), "PNG"),
    "bad JPEG": lambda image: encoded(image, "JPEG", quality=50),
    "on its side": orientated,
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_looks_the_same(kind: str) -> None:
    original = photograph("one")
    assert copies([look(encoded(original)), look(COPIES[kind](original))]) == {0: 0, 1: 0}


def test_different_pictures_do_not_look_the_same() -> None:
    rng = np.random.default_rng(1)
    noise = [Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)) for _ in range(300)]
    plain = [Image.new("RGB", (9, 9), (value, 255 - value, 90)) for value in range(0, 250, 25)]
    smooth = [photograph(str(number)) for number in range(100)]
    assert copies([look(encoded(image)) for image in [*noise, *plain, *smooth]]) == {}


def test_plain_surfaces_differ_by_colour_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tiny picture, the hash takes every plain surface for the same."""
    red, blue = (look(encoded(Image.new("RGB", (9, 9), colour))) for colour in ("red", "blue"))
    assert red.bits == blue.bits
    assert copies([red, blue]) == {}
    monkeypatch.setattr(looks_module, "_MEAN", 255)
    monkeypatch.setattr(looks_module, "_MOST", 255)
    assert copies([red, blue]) == {0: 0, 1: 0}


def test_copies_are_found_across_the_pieces_that_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Look | None] = [look(encoded(photograph(str(number)))) for number in range(20)]
    seen[17], seen[9] = look(small("3")), None
    monkeypatch.setattr(looks_module, "_ROWS", 4)
    assert copies(seen) == {3: 3, 17: 3}


def test_a_picture_that_cannot_be_decoded_has_no_look() -> None:
    with pytest.raises(ImageError, match=r"broken\.jpg cannot be decoded"):
        look(b"\xff\xd8\xff nothing", "broken.jpg")


# Splits -----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 6), min_size=3, max_size=12), min_size=1, max_size=4),
    st.floats(0.05, 0.4),
    st.randoms(use_true_random=False),
)
def test_no_split_divides_copies(sizes: list[list[int]], test: float, random: object) -> None:
    """Sizes of the groups of copies in each class, three groups or more."""
    labels, keys = [], []
    for label, groups in enumerate(sizes):
        for number, size in enumerate(groups):
            labels += [label] * size
            keys += [f"{label} {number}".encode()] * size
    digests = [number.to_bytes(4, "big") for number in range(len(labels))]
    random.shuffle(digests)  # type: ignore[attr-defined]
    config = DataConfig("x", test)
    names = [str(number) for number in range(len(sizes))]
    parts = splits_module.split(labels, digests, [None] * len(labels), names, config, keys)
    where: dict[bytes, set[str]] = {}
    for name in ("train", "validation", "test"):
        assert set(np.asarray(labels)[parts[name]].tolist()) == set(range(len(sizes))), name
        for row in parts[name].tolist():
            where.setdefault(keys[row], set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    assert sorted(np.concatenate([parts[name] for name in ("train", "validation", "test")])) == list(range(len(labels)))


def test_pictures_without_copies_are_split_as_before() -> None:
    labels = [number % 3 for number in range(90)]
    digests = [bytes([number * 7 % 256, number]) for number in range(90)]
    arguments = (labels, digests, [None] * 90, list("abc"), DataConfig("x"))
    before, after = splits_module.split(*arguments), splits_module.split(*arguments, digests)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_what_is_held_out_is_not_trained_on_but_a_class_is_not_lost() -> None:
    labels, given = [0, 0, 0, 0, 1, 1], ["train", "train", "validation", "test", "train", "test"]
    digests = [bytes([number]) for number in range(6)]
    keys = [b"a", b"b", b"b", b"a", b"c", b"c"]
    parts = splits_module.split(labels, digests, given, ["x", "y"], DataConfig("x"), keys)
    assert {name: rows.tolist() for name, rows in parts.items() if name != "calibration"} == {
        "train": [0, 1, 4],  # both of x are copies, and so is y's only picture: train keeps its classes
        "validation": [2],
        "test": [3, 5],
    }
    parts = splits_module.split(
        [*labels, 0, 0],
        [*digests, b"8", b"9"],
        [*given, "train", "train"],
        ["x", "y"],
        DataConfig("x"),
        [*keys, b"d", b"e"],
    )
    assert parts["train"].tolist() == [4, 6, 7]


def test_validation_that_test_has_too_is_kept() -> None:
    labels, given = [0] * 6, ["train", "train", "validation", "validation", "test", "test"]
    digests, keys = [bytes([number]) for number in range(6)], [b"a", b"b", b"c", b"d", b"c", b"d"]
    parts = splits_module.split(labels, digests, given, ["x"], DataConfig("x"), keys)
    assert parts["validation"].tolist() == [2, 3]


def test_pictures_each_like_the_one_before_are_no_chain() -> None:
    film = [Look(0, bytes([3 * number]) * 192) for number in range(6)]
    assert copies(film) == {0: 0, 1: 0, 2: 2, 3: 2, 4: 4, 5: 4}


def test_many_of_a_class_that_look_the_same_are_not_taken_for_copies() -> None:
    digests, labels = [bytes([number]) for number in range(20)], [0] * 12 + [1] * 8
    keys = [b"same"] * 4 + digests[4:12] + [b"alike"] * 3 + digests[15:]
    assert copies_module.crowds(keys, digests, labels) == {0: 4}
    assert copies_module.crowds([b"byte for byte"] * 20, [b"byte for byte"] * 20, labels) == {}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.sampled_from(["train", "validation", "test"]), st.integers(0, 9), st.integers(0, 2)
        ),
        min_size=1,
        max_size=40,
        unique=True,
    )
)
def test_every_picture_is_in_a_split_or_told(drawn: list[tuple[int, str, int, int]]) -> None:
    """Pictures by class, given split, what they look like, and encoding."""
    sure = [(label, split, 100 + label, 9) for label in (0, 1) for split in ("train", "validation", "test")]
    rows, known = Rows(), {}
    for number, (label, split, seen, form) in enumerate([*drawn, *sure]):
        digest = f"{seen} {form} {split if form == 9 else ''}".encode()
        known[digest] = str(seen).encode() + (split.encode() if form == 9 else b"")
        rows.add(Item(f"{number}", label, split, None, None), digest)  # type: ignore[arg-type]
    rows.know_copies(known)
    parts = splits_module.split(rows.labels, rows.digests, rows.given, ["x", "y"], DataConfig("x"), rows.keys())
    notes = rows.notes(Source("x", ("x", "y"), len(rows.labels), list, 3, "", files=True), parts)  # type: ignore[arg-type]
    kept = sum(len(parts[name]) for name in ("train", "validation", "test"))
    assert len(rows.labels) == kept + sum(map(told, notes))
    assert all(len(parts[name]) for name in parts)


def told(note: str) -> int:
    """Return how many pictures a note says are left out."""
    whole = re.search(
        r"(\d+) pictures (?:are in two of the given splits, byte for byte|look like .*): not trained on", note
    )
    some = re.search(r"byte for byte: (\d+) not trained on", note)
    return int((some or whole or [0, 0])[1])


def test_summary_and_load_agree_on_copies(tmp_path: Path) -> None:
    photographs(tmp_path / "p", range(8))
    for number in range(3):
        write(tmp_path / "p" / "cat" / f"again{number}.jpg", small(f"cat{number}"))
    config = DataConfig(str(tmp_path / "p"))
    summary = dataset_module.summarise(config)
    assert len(summary.copies) == 6
    alone = dataset_module.load(config, SPEC, tmp_path / "c1")
    told = dataset_module.load(config, SPEC, tmp_path / "c2", copies=summary.copies)
    for found in (alone, told):
        assert found.notes == summary.notes
        for name, rows in found.splits.items():
            assert summary.counts[name] == tuple(np.bincount(found.labels[rows], minlength=2))
    assert alone.sha256 == told.sha256


def test_a_split_of_under_half_of_what_was_asked_is_told(tmp_path: Path) -> None:
    photographs(tmp_path / "p", range(20))
    for name in ("cat", "dog"):
        for number in range(20):
            for size in (48, 64):
                again = photograph(f"{name}{number}").resize((size, size))
                write(tmp_path / "p" / name / f"{number}_{size}.png", encoded(again))
    config = DataConfig(str(tmp_path / "p"), test_fraction=0.05, validation_fraction=0.01)
    summary = dataset_module.summarise(config)
    assert not any("less than half" in note for note in summary.notes)
    rows = Rows()
    rows.add(Item("a", 0, None, None, None), b"a")  # type: ignore[arg-type]
    rows.asked = {"test": 1, "validation": 3}
    one, none = np.zeros(1, np.int64), np.zeros(0, np.int64)
    splits = {"train": none, "calibration": none, "validation": one, "test": none}
    told = rows.notes(Source("x", ("x",), 1, list, 3, "", files=True), splits)  # type: ignore[arg-type]
    assert "warning: validation has 1 pictures, less than half of the 3 asked for: copies stay together" in told


def test_copies_may_be_ignored(tmp_path: Path) -> None:
    photographs(tmp_path / "p" / "train", range(5))
    photographs(tmp_path / "p" / "test", range(1))
    apart, ignored = (dataset_module.summarise(DataConfig(str(tmp_path / "p"), copies=each)) for each in COPIES_TOLD)
    assert (sum(apart.counts["train"]), sum(ignored.counts["train"])) == (6, 8)
    assert any("(--copies ignore): accuracies may be too high" in note for note in ignored.notes)
    with pytest.raises(ConfigError, match="copies"):
        DataConfig(copies="mixed")


def test_without_the_library_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "can_look", lambda: False)
    classes(tmp_path / "p")
    (note,) = dataset_module.summarise(DataConfig(str(tmp_path / "p"))).notes
    assert note.startswith("warning: rescaled copies of pictures are not looked for without imagehash")


def test_too_many_pictures_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies_module, "MOST_PICTURES", 11)
    classes(tmp_path / "p")
    (note,) = dataset_module.summarise(DataConfig(str(tmp_path / "p"))).notes
    assert note == "rescaled copies of pictures are looked for among 11 at most: not here"
