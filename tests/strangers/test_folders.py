"""Folders from anyone: each is entered once, nothing outside is read, and labels are no traps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sqz_tf.base import folders
from sqz_tf.base.errors import DataError, OutputError
from sqz_tf.base.folders import read_inside, walk
from sqz_tf.deploy import android
from sqz_tf.images.decode import ImageError
from sqz_tf.images.find import scan
from sqz_tf.images.given import decoded
from sqz_tf.images.matching import match_classes
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.model_file import ModelError
from sqz_tf.pipeline.job import _listing
from tests.helpers import echo_models

PNG = echo_models.picture(1, 2, 3)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PNG)
    return root


# Links ----------------------------------------------------------------------------------------------------------


def test_folders_linked_to_each_other_are_entered_once(tmp_path: Path) -> None:
    """Eight folders, each with links to all others: 109,600 entries if every path counts."""
    names = [f"class{number}" for number in range(8)]
    tree(tmp_path, *(f"{name}/1.png" for name in names))
    for name in names:
        for other in names:
            if other != name:
                (tmp_path / name / other).symlink_to(tmp_path / other)
    found = scan(tmp_path)
    assert [entry.name for entry in found.entries] == [f"{name}/1.png" for name in names]
    assert found.notes == ("56 links lead to folders that are here already: left out",)
    assert len(_listing(str(tmp_path))) == 8


def test_a_link_out_of_the_folder_is_left_out_with_a_note(tmp_path: Path) -> None:
    tree(tmp_path / "outside", "1.png", "2.png")
    data = tree(tmp_path / "data", "a/1.png", "b/1.png")
    (data / "c").symlink_to(tmp_path / "outside")
    (data / "a" / "secret.png").symlink_to(tmp_path / "outside" / "1.png")
    (data / "b" / "up").symlink_to("../..")
    found = scan(data)
    assert found.classes == ("a", "b")
    assert [entry.name for entry in found.entries] == ["a/1.png", "b/1.png"]
    places = f"{tmp_path}, {tmp_path / 'outside'}, {tmp_path / 'outside' / '1.png'}"
    assert found.notes == (
        f"warning: 3 links lead out of the folder, to {places}: left out; "
        "if pictures there are meant, copy the folders in (b/up, c)",
    )


def test_a_link_to_a_file_out_of_the_folder_is_no_warning(tmp_path: Path) -> None:
    tree(tmp_path / "outside", "1.png")
    data = tree(tmp_path / "data", "a/1.png", "b/1.png")
    (data / "a" / "2.png").symlink_to(tmp_path / "outside" / "1.png")
    assert scan(data).notes == (f"1 link leads out of the folder, to {tmp_path}/outside/1.png: left out",)


def test_links_that_lead_nowhere_are_counted_in_one_line(tmp_path: Path) -> None:
    data = tree(tmp_path / "data", "a/1.png", "b/1.png")
    for number in range(2, 32):
        (data / "b" / f"{number}.png").symlink_to(f"/gone/{number}.png")
    assert scan(data).notes == ("30 links lead nowhere: left out",)


def test_a_folder_beside_it_whose_name_only_begins_alike_is_outside(tmp_path: Path) -> None:
    tree(tmp_path / "data-private", "1.png")
    data = tree(tmp_path / "data", "a/1.png")
    (data / "b").symlink_to("../data-private")
    assert walk(data).outside == (("b", str(tmp_path / "data-private")),)


def test_links_inside_the_folder_are_followed_and_so_is_the_folder_itself(tmp_path: Path) -> None:
    data = tree(tmp_path / "data", ".pool/x/1.png", "b/1.png")
    (data / "a").symlink_to(".pool/x")
    (data / "b" / "2.png").symlink_to("1.png")
    (tmp_path / "link").symlink_to("data")
    for root in (data, tmp_path / "link"):
        found = scan(root)
        assert [entry.name for entry in found.entries] == ["a/1.png", "b/1.png", "b/2.png"]
        assert [found.read(entry) for entry in found.entries] == [PNG] * 3
        assert found.notes == ("hidden, or left by systems and programs (.pool): left out",)


def test_a_link_that_leads_to_itself_or_nowhere_is_no_file(tmp_path: Path) -> None:
    data = tree(tmp_path, "a/1.png", "b/1.png")
    (data / "c").symlink_to("c")
    (data / "d.png").symlink_to("e.png")
    (data / "e.png").symlink_to("d.png")
    (data / "a" / "gone.png").symlink_to("nothing")
    assert [entry.name for entry in scan(data).entries] == ["a/1.png", "b/1.png"]
    with pytest.raises(DataError, match="does not exist"):
        scan(data / "c")
    with pytest.raises(ImageError, match=r"d\.png cannot be read"), decoded(data / "d.png"):
        pass


def test_a_file_that_becomes_a_link_after_the_walk_is_not_read(tmp_path: Path) -> None:
    data = tree(tmp_path / "data", "a/1.png")
    found = scan(data)
    (data / "a" / "1.png").unlink()
    (data / "a" / "1.png").symlink_to("/etc/hostname")
    with pytest.raises(ImageError, match=r"a/1\.png cannot be read \(it is a link out of the folder, to /etc"):
        found.read(found.entries[0])


def test_pipes_are_no_pictures(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a" / "2.png")
    assert [entry.name for entry in scan(tmp_path).entries] == ["a/1.png"]
    with pytest.raises(OSError, match="no file"):
        read_inside(tmp_path, "a/2.png", 9)


@pytest.mark.parametrize(("name", "limit", "message"), [("MAX_DEPTH", 5, "5 deep"), ("MAX_ENTRIES", 9, "over 9 files")])
def test_a_folder_without_end_is_refused(
    name: str, limit: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, name, limit)
    tree(tmp_path, "/".join("abcdefgh") + "/1.png", *(f"{number}.png" for number in range(9)))
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


# What of an export lands in an app --------------------------------------------------------------------------------


def export(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model_int8.tflite").write_bytes(echo_models.described(echo_models.model()))
    return folder


@pytest.mark.parametrize("name", ["LICENCE.weights.txt", "model_int8.tflite"])
@pytest.mark.parametrize("kind", ["link", "linked folder", "loop", "large", "folder"])
def test_what_an_export_links_to_never_gets_into_the_app(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(echo_models.described(echo_models.model()))
    folder = export(tmp_path / "export")
    path = folder / name
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "linked folder":
        (folder / "inner").symlink_to("..")
        path.symlink_to("inner/secret")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(secret.read_bytes())
        monkeypatch.setattr(android, "_MOST_MODEL" if name.startswith("model") else "_MOST_LICENCE", 10)
    with pytest.raises(OutputError, match=f"{name}"):
        android.bundle([folder], tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


# Labels and paths -------------------------------------------------------------------------------------------------


def labelled(root: Path, text: str) -> Path:
    tree(root, "a.png", "b.png")
    (root / "labels.csv").write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("digits", [19, 5000, 100_000])
def test_a_label_of_many_digits_is_told_by_its_line(digits: int, tmp_path: Path) -> None:
    root = labelled(tmp_path, f"file,label\na.png,1\nb.png,{'7' * digits}\n")
    with pytest.raises(DataError, match=rf"line 3 of .*\.csv has a label of {digits:,} digits; expected a number"):
        scan(root)


def test_numbers_and_digits_of_any_script_are_labels(tmp_path: Path) -> None:
    found = scan(labelled(tmp_path, f"file,label\na.png,{'0' * 17}3\nb.png,\u0664\n"))
    assert (found.classes, found.label_numbers) == (("3", "4"), (3, 4))


def test_classes_of_many_digits_match_nothing() -> None:
    with pytest.raises(DataError, match="match none"):
        match_classes(["1" * 5000, "2"], ["cat", "dog"])
    with pytest.raises(DataError, match="match none"):
        match_classes(["1", "2"], ["7" * 5000, "8" * 5000])


def test_a_labels_csv_of_odd_bytes_is_one_error(tmp_path: Path) -> None:
    root = labelled(tmp_path, "")
    texts = [b"\xff", b'file,label\na.png,"', b"file,label\na.png\0,1\n", b"\0" * 99]
    for text in [*texts, b"file,label\n" + b"x" * 200_000, b"file,label\n" + b"a.png,1\n" * 9 + b"\xe9"]:
        (root / "labels.csv").write_bytes(text)
        with pytest.raises(DataError, match=r"labels\.csv"):
            scan(root)


@pytest.mark.parametrize(
    "text", [b"\xff" * (4 << 20), b"x" * (4 << 20) + b"\xe9", b"\xe9,x\n" * (1 << 20), b"\0\xd8" * (1 << 20)]
)
def test_a_long_labels_csv_is_one_short_error(text: bytes, tmp_path: Path) -> None:
    root = labelled(tmp_path, "")
    (root / "labels.csv").write_bytes(text)
    with pytest.raises(DataError, match=r"labels\.csv") as caught:
        scan(root)
    assert len(str(caught.value)) + sum(map(len, caught.value.notes)) < 200_000


def test_a_path_with_a_nul_is_an_error_of_one_line() -> None:
    with pytest.raises(DataError, match="does not exist"):
        scan("a\0b")
    with pytest.raises(ImageError, match="cannot be read"), decoded("a\0b"):
        pass
    with pytest.raises(ModelError, match="cannot be read"):
        Classifier("a\0b")
    with pytest.raises(DataError, match="cannot be listed"):
        walk(Path("a\0b"))
