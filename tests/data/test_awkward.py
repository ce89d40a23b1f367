"""Data sets as people have them: each is read as it is meant, with a line on what was decided, or refused."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from sqz_tf import export
from sqz_tf.base.errors import SqzError
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.data.accuracy import evaluate
from sqz_tf.images.find import Reading, scan
from sqz_tf.inference.classifier import Classifier
from tests.helpers import (
    awkward_copies,
    awkward_files,
    awkward_names,
    awkward_ordinary,
    awkward_published,
    awkward_split_columns,
    awkward_tables,
    echo_models,
)
from tests.helpers.awkward import CASES, Case

MORE = (  # which add to CASES
    awkward_copies,
    awkward_files,
    awkward_names,
    awkward_ordinary,
    awkward_published,
    awkward_split_columns,
    awkward_tables,
)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `--dry-run` count pictures and leave TensorFlow alone."""

    def foresee(plan: Any, summary: Any, *more: Any) -> dict[str, Any]:
        counts = {name: sum(each) for name, each in summary.counts.items()}
        return {"classes": list(summary.classes), "counts": counts, "int8_bytes": 1, "params": 1, "seconds": 1}

    forecast, training = types.ModuleType("forecast"), types.ModuleType("training")
    forecast.foresee = foresee  # type: ignore[attr-defined]
    training.HEAD_EPOCHS = 15  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sqz_tf.pipeline.forecast", forecast)
    monkeypatch.setitem(sys.modules, "sqz_tf.pipeline.training", training)


def made(case: Case, folder: Path) -> Path:
    root = folder / "pictures"
    root.mkdir()
    return case.make(root) or root


def compare(notes: list[str], expected: tuple[str, ...]) -> None:
    """Ask that each expected part is in a note of its own, and that there is no other note."""
    left = list(notes)
    for part in expected:
        found = [note for note in left if part in note]
        assert found, f"no note says {part!r}: {notes}"
        left.remove(found[0])
    assert not left


@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_says_what_is_there(
    name: str, tmp_path: Path, no_training: None, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    source = made(case, tmp_path)
    line = ["--data", str(source), "--dry-run", "--json", "--out", str(tmp_path / "out"), *case.options]
    code = export.main(line)
    out, err = capsys.readouterr()
    if case.refused:
        assert (code, out) == (1, "")
        assert case.refused in err.splitlines()[-1]
        return
    assert code == 0, err
    found = json.loads(out)
    assert tuple(found["classes"]) == case.classes
    counts = found["counts"]
    assert (counts["train"], counts["validation"], counts["test"]) == case.counts
    compare(found["notes"], case.notes)


def test_the_corpus_has_enough_of_each_kind() -> None:
    kinds: dict[str, int] = {}
    for case in CASES.values():
        kinds[case.kind] = kinds.get(case.kind, 0) + 1
    assert sum(kinds.values()) >= 60
    assert min(kinds.values()) >= 3


@pytest.mark.parametrize("quiet", [False, True])
def test_what_was_noted_is_said_before_an_error(
    quiet: bool, tmp_path: Path, no_training: None, capsys: pytest.CaptureFixture[str]
) -> None:
    source = made(CASES["heic_without_its_library"], tmp_path)
    line = ["--data", str(source), "--dry-run", "--out", str(tmp_path / "out")]
    assert export.main([*line, "--quiet"] if quiet else line) == 1
    *notes, error = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert notes == ([] if quiet else [f"reading {source}", *notes[1:]])
    assert quiet or any("12 × .heic cannot be read without pillow-heif: pip install pillow-heif" in n for n in notes)


# The same through evaluate and classify ---------------------------------------------------------------------------

LABELS = sorted({label for case in CASES.values() for label in case.classes})


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """A network that knows the classes of all cases."""
    count = len(LABELS)
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    spec = PreprocessSpec(count, 1, channels=1, fit="warp")
    path.write_bytes(echo_models.described(echo_models.model(shape=(1, 1, count, 1)), LABELS, spec))
    return Classifier(path, isolated=False)


def reading(case: Case) -> Reading:
    options = dict(zip(case.options[::2], case.options[1::2], strict=True))
    return Reading(options.get("--splits", ""), options.get("--zip-encoding", ""))


ABOUT_LABELS = re.compile(
    r"pictures look like|look like held-out|look the same|exact copies|byte for byte|has no picture of"
)
"""Notes of those who train."""


@pytest.mark.parametrize("name", CASES)
def test_evaluate_and_classify_read_the_same(name: str, tmp_path: Path, classifier: Classifier) -> None:
    case = CASES[name]
    source = made(case, tmp_path)
    if case.refused and not case.judged:
        with pytest.raises(SqzError):
            evaluate(classifier, source, reading=reading(case))
        return
    found = evaluate(classifier, source, reading=reading(case))
    assert found.classes == len(case.classes)
    assert found.accuracy.n + found.skipped == case.labelled
    compare(list(found.notes), tuple(note for note in case.notes if not ABOUT_LABELS.search(note)))
    if source.is_dir():
        first = scan(source, reading(case)).entries[0]
        assert classifier.classify(source / first.name)
