"""`python -m sqz_tf.web`: what it writes, and what it refuses before it begins."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from converters import packs
from converters.tflite.writer import with_attached
from sqz_tf import web
from sqz_tf.artifact.exported import Export
from sqz_tf.base.errors import OutputError
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, to_dict
from sqz_tf.deploy.web import described, pictures, serving, toolchain
from sqz_tf.deploy.web.described import report_of
from sqz_tf.deploy.web.toolchain import Toolchain
from sqz_tf.inference.model_file import ModelError
from sqz_tf.trials.untrained import untrained
from tests.deploy.web.test_page_file import chain
from tests.helpers.needs import ROOT

DIGITS = ROOT / "models" / "digits" / "model_int8.tflite"


@pytest.fixture(autouse=True)
def _without_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is linked for three boards; `tests/deploy/web/test_page_file.py` has it."""
    monkeypatch.setattr(web.facts, "needs", lambda model: [])


def written(*arguments: str | Path) -> int:
    return web.main([str(each) for each in arguments])


def embedded(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    begin = text.index('id="model">') + len('id="model">')
    values: dict[str, Any] = json.loads(text[begin : text.index("</script>", begin)])
    return values


def test_a_page_of_a_pack_with_pictures_of_one_s_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chain()
    pack, data, page = tmp_path / "a.sqz", tmp_path / "data", tmp_path / "page.html"
    pack.write_bytes(packs.pack(DIGITS.read_bytes()))
    for label in "37":
        (data / label).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng([int(label), number]).integers(0, 256, (9, 9), np.uint8)
            Image.fromarray(pixels).save(data / label / f"{number}.png")
    assert written(pack, "--data", data, "--out", page, "--title", "mine", "--json") == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == page.stat().st_size
    told = embedded(page)
    assert told["title"] == "mine"
    assert sorted(test["truth"] for test in told["tests"]) == [3, 3, 7, 7]
    assert told["labels"] == [str(digit) for digit in range(10)]


def test_a_shipped_model_by_name_tells_its_card(tmp_path: Path) -> None:
    chain()
    page = tmp_path / "new" / "page.html"
    assert written("digits", "--data", "digits", "--out", page, "--quiet") == 0
    assert {"Top-1", "Data", "Input"} <= {name for name, _ in embedded(page)["card"]["rows"]}


def test_what_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other, page = tmp_path / "notes.html", tmp_path / "page.html"
    other.write_text("<!doctype html>\n<p>mine</p>")
    assert written(DIGITS, "--out", other, "--overwrite") == 1
    assert "not written by this command" in capsys.readouterr().err
    assert other.read_text() == "<!doctype html>\n<p>mine</p>"
    page.write_text("<!doctype html>\n<!-- sqz-tf: a model to try -->\n")
    assert written(DIGITS, "--out", page) == 1
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda folder: folder / "none.tflite", "none.tflite"),
        (lambda folder: folder, "manifest.json"),
        (lambda folder: _file(folder, b"\0" * 64), "FlatBuffer"),
        (lambda folder: DIGITS.with_name("model_f32.tflite"), "int8"),
    ],
)
def test_what_cannot_become_a_page_is_refused_and_nothing_written(
    given: Callable[[Path], Path], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert written(given(tmp_path), "--out", page) == 1
    assert said in capsys.readouterr().err
    assert not page.exists()


def test_a_model_from_elsewhere_gets_numbers_or_given_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain()
    plain, labels = tmp_path / "plain.tflite", tmp_path / "labels.txt"
    plain.write_bytes(untrained(ModelSpec(input_size=32, channels=1, classes=3, width=0.1)))
    assert written(plain, "--out", tmp_path / "a.html") == 0
    said = capsys.readouterr().err
    assert "--labels FILE" in said
    assert "middle square" in said
    assert embedded(tmp_path / "a.html")["labels"] == ["0", "1", "2"]
    labels.write_text("cat\ndog\nkoala\n")
    assert written(plain, "--labels", labels, "--out", tmp_path / "b.html", "--quiet") == 0
    assert embedded(tmp_path / "b.html")["labels"] == ["cat", "dog", "koala"]


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "a.tflite"
    path.write_bytes(content)
    return path


def test_without_a_compiler_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    assert written(DIGITS, "--out", tmp_path / "page.html") == 1
    assert "pip install 'sqz-tf[web]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_with_the_data_is_told_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(web, "find", lambda: Toolchain("never used", ("false",)))
    assert written(DIGITS, "--data", tmp_path / "none", "--out", tmp_path / "page.html") == 1
    assert "there is no data set" in capsys.readouterr().err


def test_only_the_exports_own_model_gets_its_report(tmp_path: Path) -> None:
    export = Export.open(DIGITS.parent)
    assert report_of(export, export.int8) == report_of(export, export.uint8) == export.report
    assert report_of(export, export.float) is None
    assert report_of(None, export.int8) is None
    (tmp_path / "manifest.json").write_text('{"config": {}}')
    for name in ("model_int8.tflite", "model_uint8.tflite"):
        (tmp_path / name).write_bytes(b"the same")
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(OutputError):
        report_of(Export.open(tmp_path), b"the same")


def test_pictures_of_a_path_that_only_the_manifest_names_stay_where_they_are(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    config = {"config": {"data": {"source": str(photos)}}}
    (tmp_path / "manifest.json").write_text(json.dumps(config))
    export = Export.open(tmp_path)
    assert pictures._own(export) is None
    assert pictures._split(export, str(photos)) == "test", "given by a person, it is the export's own data"
    assert pictures._split(export, str(tmp_path)) is None
    assert pictures._own(Export.open(DIGITS.parent)) == "digits"


@pytest.mark.parametrize(
    ("labels", "size", "said"),
    [
        ("a\nb\n", 32, "3 outputs and 2 labels"),
        ("", 32, "3 outputs and 0"),
        ("a\nb\nc\n", 40, "as its preprocessing says"),
    ],
)
def test_labels_and_preprocessing_that_do_not_fit_are_refused(
    labels: str, size: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, names = tmp_path / "plain.tflite", tmp_path / "labels.txt"
    content = untrained(ModelSpec(input_size=32, channels=1, classes=3, width=0.1))
    spec = json.dumps(to_dict(PreprocessSpec(size, size, channels=1)))
    plain.write_bytes(with_attached(content, {"preprocess.json": spec.encode()}))
    names.write_text(labels)
    assert written(plain, "--labels", names, "--out", tmp_path / "page.html") == 1
    assert said in capsys.readouterr().err


def test_several_outputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="2 outputs; expected one"):
        described._require_one_answer(tmp_path, [4, 3], 7)


def test_given_labels_name_the_classes_of_the_pictures_and_the_title_may_be_garbled(tmp_path: Path) -> None:
    chain()
    plain, labels, page = tmp_path / "plain.tflite", tmp_path / "labels.txt", tmp_path / "page.html"
    plain.write_bytes(untrained(ModelSpec(input_size=32, channels=1, classes=3, width=0.1)))
    labels.write_text("cat\ndog\nkoala\n")
    (tmp_path / "data" / "koala").mkdir(parents=True)
    Image.new("L", (9, 9), 90).save(tmp_path / "data" / "koala" / "a.png")
    given = ("--labels", labels, "--data", tmp_path / "data", "--title", "t\udcff")
    assert written(plain, *given, "--out", page, "--quiet") == 0
    assert [test["truth"] for test in embedded(page)["tests"]] == [2]


def test_localhost_gives_the_page_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, Any] = {}

    def visit(address: str) -> None:
        with urllib.request.urlopen(address) as answer:
            found["page"] = answer.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address + "other")
        found["other"], found["address"] = refused.value.code, address
        refused.value.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.webbrowser, "open", visit)
    serving.serve(b"the page")
    assert (found["page"], found["other"]) == (b"the page", 404)
    assert found["address"].startswith("http://localhost:")
    assert found["address"] in capsys.readouterr().out
