"""An output folder is read in one place: each file once, and what is missing or damaged is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sqz_tf.artifact.exported import REFERENCE, Export, ExportError, best_answers
from sqz_tf.base import stats


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model_int8.tflite").write_bytes(b"int8")
    (tmp_path / "labels.txt").write_text("cat\nblue sky\n", encoding="utf-8")
    (tmp_path / "manifest.json").write_text(json.dumps({"tool": "sqz-tf", "config": {"seed": 1}}))
    (tmp_path / "report.json").write_text("{}")
    return tmp_path


def read_all(folder: Path) -> None:
    export = Export.open(folder)
    _ = (export.report, export.labels, export.reference_answers)


def test_what_is_there_is_read(folder: Path) -> None:
    export = Export.open(str(folder))
    assert (export.int8, export.labels, export.config, export.report) == (b"int8", ("cat", "blue sky"), {"seed": 1}, {})
    assert export.reference_answers is None
    (folder / "model_int8.tflite").unlink()
    assert export.int8 == b"int8"  # read once


def test_a_model_knows_the_export_it_lies_in(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = Export.beside(folder / "model_int8.tflite")
    assert found
    assert found.config == {"seed": 1}
    assert Export.beside(tmp_path_factory.mktemp("elsewhere") / "model.tflite") is None


@pytest.mark.parametrize("name", ["model_f32.tflite", "model_uint8.tflite"])
def test_a_missing_model_is_named(name: str, folder: Path) -> None:
    export = Export.open(folder)
    with pytest.raises(ExportError, match=f"{name} cannot be read .No such file"):
        _ = export.float if "f32" in name else export.uint8


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", b"{", "manifest.json: "),
        ("manifest.json", b"[]", "manifest.json: it is a list of 0"),
        ("manifest.json", b'{"config": 1}', "manifest.json has no configuration"),
        ("manifest.json", b"\xff", "manifest.json: "),
        ("report.json", b"null", "report.json: it is null"),
        ("labels.txt", b"\xff\xfe", "utf-8"),
        (REFERENCE, b"no array", REFERENCE),
        (REFERENCE, b"", REFERENCE),
    ],
)
def test_a_damaged_file_is_named(name: str, content: bytes, message: str, folder: Path) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ExportError, match=rf"is damaged \(.*{message}.*expected a folder that an export wrote"):
        read_all(folder)


def test_answers_of_another_form_are_refused(folder: Path) -> None:
    for wrong in (np.zeros(3), np.zeros((2, 2, 2), int), np.zeros((2, 5)), np.array([["a"]])):
        np.save(folder / REFERENCE, wrong)
        with pytest.raises(ExportError, match=f"{REFERENCE} holds"):
            _ = Export.open(folder).reference_answers
    np.save(folder / REFERENCE, np.array([None, {}], dtype=object))  # needs pickle, which is never loaded
    with pytest.raises(ExportError, match=REFERENCE):
        _ = Export.open(folder).reference_answers


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 9)), elements=st.integers(-3, 3).map(float)),
    st.integers(1, 5),
)
def test_answers_are_right_where_the_scores_are(scores: np.ndarray, k: int) -> None:
    labels = np.arange(len(scores)) % scores.shape[1]
    answers = best_answers(scores)
    assert answers.shape == (len(scores), min(5, scores.shape[1]))
    assert np.array_equal(stats.answered(answers, labels, k), stats.top_k_correct(scores, labels, k))
