"""Who may teach, or be started from: an export of the kit, for the same classes, with its float network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.weights import safetensors
from sqz_tf.artifact.exported import ExportError
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, to_dict
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.pretrained import load
from sqz_tf.network.weight_files import WeightsError
from sqz_tf.pipeline.job import Training, from_scratch, from_weights
from sqz_tf.pipeline.plan import Options
from sqz_tf.pipeline.teaching import open_teacher, require_alike
from tests.helpers.colour_network import CLASSES as COLOURS
from tests.helpers.colour_network import write_pictures

CLASSES = ("cat", "dog")
SPEC = ModelSpec(input_size=32, classes=2, width=0.1, batch_norm=True)
CONFIG = {"model": to_dict(SPEC), "preprocess": to_dict(PreprocessSpec(32, 32, mean=(0.5,) * 3, std=(0.2,) * 3))}


def numbers(spec: ModelSpec = SPEC) -> bytes:
    tensors: dict[str, np.ndarray] = {}
    for name, shape in layer_shapes(spec).items():
        tensors |= {f"{name}/kernel": np.ones(shape, np.float32), f"{name}/bias": np.zeros(shape[-1], np.float32)}
    return safetensors.write(tensors)


def exported(folder: Path, labels: str = "cat\ndog\n", config: Any = CONFIG, data: bytes | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"config": config}))
    (folder / "labels.txt").write_text(labels)
    (folder / "model.keras").write_bytes(b"")
    (folder / "model_f32.safetensors").write_bytes(numbers() if data is None else data)
    return folder


def test_a_folder_or_a_file_in_it_names_the_teacher(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    for given in (folder, folder / "model.keras"):
        teacher = open_teacher(str(given))
        require_alike("large", teacher, CLASSES, 3)
        assert (teacher.model.classes, teacher.preprocess.mean) == (2, (0.0, 0.0, 0.0))  # folded into conv1
        assert teacher.layers["conv10"][0].shape == layer_shapes(SPEC)["conv10"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels": "dog\ncat\n"}, "knows 2 classes"),
        ({"labels": "cat\n"}, "knows 1 classes"),
        (
            {"config": {**CONFIG, "model": to_dict(ModelSpec(input_size=32, classes=2, width=0.1, channels=1))}},
            "damaged",
        ),
    ],
)
def test_others_are_refused_with_the_reason(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises((ConfigError, ExportError), match=told):
        require_alike("large", open_teacher(str(exported(tmp_path, **change))), CLASSES, 3)


def test_one_of_other_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sees 3 channels; expected 1"):
        require_alike("large", open_teacher(str(exported(tmp_path))), CLASSES, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"config": {**CONFIG, "model": {**to_dict(SPEC), "width": "wide"}}},
        {"data": b"\0" * 20},
        {"data": numbers(replace(SPEC, width=0.2))},
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match=f"{tmp_path} is damaged"):
        open_teacher(str(exported(tmp_path, **change)))


def test_what_is_no_export_is_named(tmp_path: Path) -> None:
    for given in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ExportError, match=str(tmp_path)):
            open_teacher(str(given))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_teacher_that_is_none_is_told_before_a_picture_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weighted: bool
) -> None:
    def summarise(*given: Any) -> None:
        pytest.fail("pictures were read")

    monkeypatch.setattr("sqz_tf.pipeline.job.summarise", summarise)
    options = Options(DataConfig(), teacher=str(tmp_path / "missing"))
    weights = str(exported(tmp_path / "export"))
    with pytest.raises(ExportError, match="missing"):
        from_weights(options, weights, None) if weighted else from_scratch(options)


@pytest.mark.parametrize(("own", "size"), [(32, 32), (160, 128)])
def test_fine_tuning_is_at_the_size_of_an_export_unless_that_is_large(tmp_path: Path, own: int, size: int) -> None:
    config = {"model": to_dict(replace(SPEC, input_size=own)), "preprocess": to_dict(PreprocessSpec(own, own))}
    weights = str(exported(tmp_path / "export", config=config))
    write_pictures(tmp_path / "pictures", per_class=12)
    data = DataConfig(str(tmp_path / "pictures"))
    assert from_weights(Options(data), weights, None).plan.model.input_size == size
    assert from_weights(Options(data, input_size=64), weights, None).plan.preprocess.width == 64


def test_other_channels_than_a_grey_export_takes_are_refused(tmp_path: Path) -> None:
    grey = replace(SPEC, channels=1)
    config = {"model": to_dict(grey), "preprocess": to_dict(PreprocessSpec(32, 32, channels=1))}
    weights = str(exported(tmp_path / "export", config=config, data=numbers(grey)))
    found = from_weights(Options(DataConfig(), channels=1), weights, None)
    assert isinstance(found, Training)
    assert found.plan.model.channels == 1
    with pytest.raises(ConfigError, match="--channels 3 does not fit the weights; expected 1"):
        from_weights(Options(DataConfig(), channels=3), weights, None)


def test_training_starts_from_an_export_at_its_size_or_another(tmp_path: Path) -> None:
    folder = exported(tmp_path / "export")
    own = load(str(folder))
    assert (own.model, own.labels) == (replace(SPEC, batch_norm=False), CLASSES)
    larger = load(str(folder), replace(own.model, input_size=96, pool_padding="valid"))
    assert (larger.model.input_size, larger.preprocess) == (96, PreprocessSpec(96, 96))
    assert larger.sha256 == own.sha256
    assert larger.sha256 == own.sha256


def test_pictures_that_may_have_trained_the_weights_are_warned_of_where_they_judge(tmp_path: Path) -> None:
    spec, pictures = replace(SPEC, classes=len(COLOURS)), tmp_path / "pictures"
    learnt = DataConfig("elsewhere/pictures", calibration_images=9)
    config = {**CONFIG, "model": to_dict(spec), "train": {"epochs": 4}, "data": to_dict(learnt)}
    weights = str(exported(tmp_path / "export", "\n".join(COLOURS) + "\n", config, numbers(spec)))
    write_pictures(pictures, per_class=12)

    def warned(epochs: int | None, **data: Any) -> list[str]:
        notes = from_weights(Options(DataConfig(str(pictures), **data), epochs=epochs), weights, None).notes
        return [
            note
            for note in notes
            if note.startswith(f"warning: pictures of elsewhere/pictures have trained {weights}, and ")
        ]

    assert "these judge it" in warned(None)[0]
    assert warned(2) == warned(2, validation_fraction=0.1) == []
    assert "may be split otherwise" in warned(2, test_fraction=0.5)[0]


def test_the_hash_of_an_export_covers_whatever_its_answers_depend_on(tmp_path: Path) -> None:
    configs = [
        CONFIG,
        {**CONFIG, "model": to_dict(replace(SPEC, bypass="simple"))},
        {**CONFIG, "model": to_dict(replace(SPEC, pool_padding="valid", input_size=64))},
        {**CONFIG, "preprocess": to_dict(PreprocessSpec(32, 32, scale=1.0))},
    ]
    found = [load(str(exported(tmp_path / str(n), config=each))).sha256 for n, each in enumerate((CONFIG, *configs))]
    assert found[0] == found[1]
    assert len(set(found)) == len(configs)


def test_an_export_at_another_size_keeps_what_is_cut_off(tmp_path: Path) -> None:
    cut = PreprocessSpec(32, 32, fit="warp", resize_width=40, resize_height=36, scale=0.5)
    folder = exported(tmp_path / "export", config={**CONFIG, "preprocess": to_dict(cut)})
    larger = load(str(folder), replace(load(str(folder)).model, input_size=64))
    assert larger.preprocess == replace(cut, width=64, height=64, resize_width=80, resize_height=72)


def test_numbers_without_their_manifest_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model_f32.safetensors").write_bytes(numbers())
    with pytest.raises(WeightsError, match=r"lies alone.*give the export's folder"):
        load(str(tmp_path / "model_f32.safetensors"))
