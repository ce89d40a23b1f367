"""Who may teach: an export of the kit, for the same classes, with its float network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.artifact.exported import ExportError
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, to_dict
from sqz_tf.pipeline.teaching import open_teacher

CLASSES = ("cat", "dog")
CONFIG = {"model": to_dict(ModelSpec(classes=2)), "preprocess": to_dict(PreprocessSpec(224, 224))}


def exported(folder: Path, labels: str = "cat\ndog\n", config: Any = CONFIG, numbers: bytes | None = b"1") -> Path:
    (folder / "manifest.json").write_text(json.dumps({"config": config}))
    (folder / "labels.txt").write_text(labels)
    (folder / "model.keras").write_bytes(b"")
    if numbers is not None:
        (folder / "model_f32.safetensors").write_bytes(numbers)
    return folder


def test_a_folder_or_a_file_in_it_names_the_teacher(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    for given in (folder, folder / "model.keras"):
        teacher = open_teacher(str(given), CLASSES)
        assert (teacher.model.classes, teacher.preprocess.width, teacher.numbers) == (2, 224, b"1")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": "dog\ncat\n"}, "knows 2 classes"),
        ({"labels": "cat\n"}, "knows 1 classes"),
        ({"numbers": None}, "has no model_f32.safetensors"),
        ({"config": {}}, "model"),
        ({"config": {**CONFIG, "model": {**CONFIG["model"], "width": "wide"}}}, "width"),
    ],
)
def test_others_are_refused_with_the_reason(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        open_teacher(str(exported(tmp_path, **change)), CLASSES)


def test_what_is_no_export_is_named(tmp_path: Path) -> None:
    for given in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ExportError, match=str(tmp_path)):
            open_teacher(str(given), CLASSES)
