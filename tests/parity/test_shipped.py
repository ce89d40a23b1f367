"""The models that come with the kit: known by name, whole, and as their manifests say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from converters.compiler import analyse
from converters.compiler.report import flash_bytes
from sqz_tf import check, classify
from sqz_tf.artifact.exported import Export
from sqz_tf.base.shipped import shipped_folder, shipped_model, shipped_names
from sqz_tf.network.pretrained import load
from sqz_tf.pipeline.teaching import open_teacher
from tests.helpers.needs import ROOT, dev_data
from tools.ship import MOST_BYTES, ship

NAMES = shipped_names()


def test_every_folder_is_known_by_its_name() -> None:
    assert sorted(path.name for path in (ROOT / "models").iterdir()) == NAMES
    assert "digits" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole_and_small_and_its_command_could_be_anyones(name: str) -> None:
    folder = shipped_folder(name)
    assert Export.open(folder).differences() == []
    assert sum(path.stat().st_size for path in folder.iterdir()) <= MOST_BYTES
    assert not any("/" in word for word in Export.open(folder).manifest["command"])


@pytest.mark.parametrize("name", NAMES)
def test_training_can_start_from_it_or_learn_from_it(name: str) -> None:
    found = load(name)
    assert open_teacher(name).sha256 == found.sha256
    assert len(found.labels) == found.model.classes


def test_digits_pass_the_check_on_their_own_pictures(capsys: Any) -> None:
    assert check.main(["digits", "--quiet"]) == 0
    assert "passed" in capsys.readouterr().out


def test_pictures_that_are_elsewhere_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check.main(["cifar10-tiny", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert "cifar10_train.zip, where the export's pictures were, is not here" in told
    assert "given with --data" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_passes_it_on_the_pictures_that_were_kept_apart(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = ["--data", str(dev_data("cifar10_train.zip"))] if name.startswith("cifar10") else []
    assert check.main([name, *source, "--quiet", "--json"]) == 0
    found, told = json.loads(capsys.readouterr().out)["accuracy"], Export.open(shipped_folder(name)).report["accuracy"]
    assert {kind: found[kind]["top1"] for kind in ("float", "int8")} == {k: told[k]["top1"] for k in ("float", "int8")}
    assert found["int8"]["n"] == told["int8"]["n"]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_classified_by_the_name_of_a_model(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 30), (90, 120, 200)).save("sky.png")
    assert classify.main([name, "sky.png", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("name", "most"), [("cifar10-tiny", 98_496), ("cifar10-base", 800_000)])
def test_flash_that_was_asked_for_is_kept_to(name: str, most: int) -> None:
    """The limits of results.md: the size of MLPerf Tiny's ResNet-8 file, and 800 KB."""
    for target in ("cortex-m4", "cortex-m55"):
        assert flash_bytes(analyse(shipped_model(name).read_bytes(), target))["total"] <= most


def test_a_path_of_that_name_comes_first_and_an_unknown_name_is_told_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped_model("digits") == ROOT / "models" / "digits" / "model_int8.tflite"
    Path("digits").mkdir()
    assert shipped_folder("digits") == ROOT / "models" / "digits", "a folder of pictures hides no model"
    Path("digits", "model_int8.tflite").touch()
    assert shipped_model("digits") == Path("digits")
    assert classify.main(["digitz", "a.png"]) == 1
    assert f"a model that comes with the kit: {', '.join(NAMES)}" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["/home/me", "photos/", "--out=../here", "~", "~me"])
def test_an_export_whose_command_names_a_place_is_not_shipped(place: str, tmp_path: Path) -> None:
    manifest = {**json.loads((shipped_folder("digits") / "manifest.json").read_text()), "command": ["--out", place]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=f"command has {place};"):
        ship(Export.open(tmp_path), tmp_path / "digits")


def test_a_shipped_folder_replaces_an_earlier_one_or_says_why_not(tmp_path: Path) -> None:
    digits, target = Export.open(shipped_folder("digits")), tmp_path / "digits"
    target.mkdir()
    (target / "old").touch()
    ship(digits, target)
    assert {path.name for path in target.iterdir()} == {path.name for path in digits.folder.iterdir()}
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(NotADirectoryError):
        ship(digits, in_the_way)
    assert in_the_way.is_file()
