"""Exports that start from published weights: only quantized for ImageNet's classes, fine-tuned for others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from android_demo.tools.build import build
from converters.tflite.reader import read_model
from sqz_tf.artifact.manifest import verify_manifest
from sqz_tf.base.spec import ModelSpec
from sqz_tf.deploy import android
from sqz_tf.images.decode import decode
from sqz_tf.inference.classifier import Classifier
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.pretrained import _layouts
from tests.helpers import android_build, android_cases, android_natives, android_package
from tests.helpers.exports import FILES, MAKES_EXPORTS, export, files, quick_export
from tests.helpers.needs import ROOT, dev_data
from tests.helpers.shared import shared
from tests.helpers.weight_files import flat, random_tensors, safetensors_bytes

pytestmark = pytest.mark.training

JUDGING, CALIBRATING = 40, 48
"""Pictures of an export of ImageNet's network."""


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the published weights from the development data, never from the network."""
    monkeypatch.setenv("SQZ_TF_WEIGHTS", str(dev_data("squeezenet_v1.0_deep_compression")))


@pytest.fixture(scope="module")
def imagenet() -> Path:
    """ImageNet's network, quantized, on a few labelled pictures in folders named by wnid."""
    weights, source = dev_data("squeezenet_v1.0_deep_compression"), dev_data("imagenet_dev")
    calibration = dev_data("imagenet_unlabelled")

    def make(folder: Path) -> None:
        for line in (source / "labels.csv").read_text().splitlines()[1 :: 400 // JUDGING]:
            name, _, wnid = line.split(",")
            (folder / "judged" / wnid).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / "judged" / wnid)
        arguments: list[str | Path] = [
            "--weights",
            "imagenet",
            "--data",
            folder / "judged",
            "--calibration-images",
            str(CALIBRATING),
        ]
        arguments += ["--calibration-data", str(calibration), "--max-drop", "10", "--quiet"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SQZ_TF_WEIGHTS", str(weights))
            export(*arguments, "--out", folder / "out")

    made_of = [JUDGING, CALIBRATING, *map(listing, (weights, source, calibration))]
    return shared("imagenet", made_of, make, *MAKES_EXPORTS, "tests/commands/test_export_weights.py") / "out"


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*"))


def report_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


@pytest.mark.slow
def test_the_folder_is_whole_and_carries_the_licence(imagenet: Path) -> None:
    assert files(imagenet) == FILES | {"LICENCE.weights.txt"}
    assert verify_manifest(imagenet) == []
    licence = (imagenet / "LICENCE.weights.txt").read_text()
    assert "Redistribution and use in source and binary forms" in licence
    assert "Redistribution and use" in (imagenet / "README.md").read_text()


@pytest.mark.slow
def test_the_published_network_is_the_one_exported(imagenet: Path) -> None:
    report = report_of(imagenet)
    model = read_model((imagenet / "model_int8.tflite").read_bytes())
    assert report["params"] == 1_248_424
    assert set(model.op_names) == {"CONV_2D", "MAX_POOL_2D", "CONCATENATION", "PAD", "MEAN", "SOFTMAX"}
    image = model.input_tensors()[0]
    assert (image.shape, image.scale, image.zero_point) == ((1, 227, 227, 3), (1.0,), (-128,))
    assert report["accuracy"]["float"]["top1"] == report["accuracy"]["final_float"]["top1"]
    assert 0.45 <= report["accuracy"]["float"]["top1"] <= 0.85


@pytest.mark.slow
def test_calibration_helps_and_int8_agrees_with_float(imagenet: Path) -> None:
    report = report_of(imagenet)
    found = report["calibration"]
    assert found["images"] == CALIBRATING
    assert found["chosen"]["divergence"] < 0.6 * found["min_max"]["divergence"]
    assert report["agreement_top1"] >= 0.85
    assert report["accuracy"]["int8"]["n"] == JUDGING
    for name in ("tflite_runtime_ref", "tflm", "compiled_c"):
        assert report["parity"][f"int8_litert_ref-{name}"]["equal"]


@pytest.mark.slow
def test_published_zeros_survive(imagenet: Path) -> None:
    layers = report_of(imagenet)["sparsity"]["layers"]
    assert layers["fire9_expand3x3"]["pruned"] > 0.6
    assert all(both["tflite"] >= both["pruned"] for both in layers.values())


@pytest.mark.slow
def test_the_app_gives_pythons_answers_to_real_photographs(imagenet: Path, tmp_path: Path) -> None:
    classpath = android_build.core(tmp_path)
    photos = sorted((dev_data("imagenet_dev") / "images").iterdir())[:20]
    model = (imagenet / "model_int8.tflite").read_bytes()
    pictures = [decode(path.read_bytes(), path.name) for path in photos]
    cases = android_cases.scored_cases(model, 0, tmp_path, pictures)
    assert len({case.top[0] for case in cases}) > 10
    android_cases.write(tmp_path, [model], cases)
    android_build.run_cases(classpath, tmp_path, "SamePixelsTest", "SameScoresTest")


@pytest.mark.slow
def test_the_package_gives_pythons_answers_to_a_hundred_photographs(imagenet: Path) -> None:
    android_build.require_android()
    android_natives.require_machines()
    package = android_package.packaged({"imagenet": (imagenet / "model_int8.tflite").read_bytes()})
    given = android_package.asked(package.model, sorted((dev_data("imagenet_dev") / "images").iterdir())[:100])
    for abi in android_package.SIXTY_FOUR:
        android_package.assert_exact(package, abi, given)
        android_package.assert_fast(package, abi, given)


@pytest.mark.slow
def test_the_app_with_this_network_is_small(imagenet: Path, tmp_path: Path) -> None:
    android_build.require_android()
    android.bundle([imagenet], tmp_path / "assets")
    verdict = build(tmp_path / "assets", ["arm64-v8a"], tmp_path / "apk", android_build.CACHE)
    assert verdict.models[0]["bytes"] == (imagenet / "model_int8.tflite").stat().st_size
    assert verdict.bytes < 15_000_000  # 11.5 MB are TFLite, stored as Android loads it
    assert len(zlib.compress((tmp_path / "apk" / "sqz-demo.apk").read_bytes())) < 6_000_000  # what is sent


@pytest.mark.slow
def test_the_file_knows_its_classes_by_name_and_wnid(imagenet: Path) -> None:
    classifier = Classifier(imagenet / "model_int8.tflite")
    assert (classifier.labels[0], classifier.wnids[0]) == ("tench", "n01440764")
    assert [index for index, label in enumerate(classifier.labels) if label == "crane"] == [134, 517]


# Fine-tuning -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 64-pixel pictures: stripes across and stripes down, in any colours."""
    folder = tmp_path_factory.mktemp("shapes") / "shapes"
    rng = np.random.default_rng(0)
    for name, axis in (("across", 0), ("down", 1)):
        (folder / name).mkdir(parents=True)
        for number in range(16):
            stripes = rng.integers(0, 256, (64, 1, 3)).repeat(64, 1)
            Image.fromarray(np.moveaxis(stripes, 0, axis).astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.slow
def test_other_classes_get_a_new_head(shapes: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "--weights",
        "imagenet",
        "--data",
        shapes,
        "--input-size",
        "64",
        "--epochs",
        "2",
        "--quiet",
    ]
    arguments += ["--prune-epochs", "2", "--quantize-epochs", "1", "--max-drop", "100"]
    quick_export(*arguments, "--out", tmp_path / "out")
    report = report_of(tmp_path / "out")
    assert report["data"]["classes"] == ["across", "down"]
    assert report["model"]["arch"] == "squeezenet-1.0"
    assert report["accuracy"]["float"]["top1"] >= 0.9, "published features tell stripes apart at once"
    image = read_model((tmp_path / "out" / "model_int8.tflite").read_bytes()).input_tensors()[0]
    assert (image.shape, image.zero_point) == ((1, 64, 64, 3), (-128,))
    assert image.scale[0] == pytest.approx(1.0)
    assert (tmp_path / "out" / "LICENCE.weights.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "imagenet", "--data", "{shapes}", "--epochs", "0"], ["--epochs 0", "WordNet", "fine-tune"]),
        (["--data", "{shapes}", "--epochs", "0"], ["--epochs 0", "--weights"]),
        (["--weights", "imagenet", "--arch", "squeezenet-1.1", "--data", "{shapes}"], ["squeezenet-1.0"]),
        (["--weights", "imagenet", "--width", "0.5", "--data", "{shapes}"], ["--width"]),
        (["--weights", "imagenet", "--start-size", "32", "--data", "{shapes}"], ["--start-size", "leave one"]),
        (
            ["--weights", "imagenet", "--base-e", "64", "--pct-3x3", "0.5", "--data", "{shapes}"],
            ["--base-e, --pct-3x3", "--weights", "the network the weights are for"],
        ),
        (["--data", "{shapes}", "--calibration-data", "{shapes}"], ["--calibration-data", "--weights"]),
        (["--weights", "{shapes}/across/0.png", "--data", "{shapes}"], ["0.png"]),
        (["--weights", "nowhere.net", "--data", "{shapes}"], ["nowhere.net"]),
    ],
)
def test_contradictions_get_one_line(arguments: list[str], words: list[str], shapes: Path, tmp_path: Path) -> None:
    given = [argument.format(shapes=shapes) for argument in arguments]
    done = export(*given, "--out", tmp_path / "out", "--quiet", check=False)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in words), lines
    assert list(tmp_path.iterdir()) == []


# Weights of a person's own ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(shapes: Path) -> Path:
    """Random weights of a narrow network that names the classes of `shapes`, in another order."""
    layout = next(each for each in _layouts() if each.name == "torchvision-1.1")
    ours = layer_shapes(ModelSpec(arch="squeezenet-1.1", classes=2, width=0.1))
    kernels = {theirs: (ours[name][3], ours[name][2], *ours[name][:2]) for theirs, name in layout.layers.items()}
    path = shapes.parent / "own.safetensors"
    names = {"class_names": json.dumps(["down", "across"])}
    drawn = random_tensors(kernels).items()  # 0.1 on average: too much for scales of int8 where few inputs are added
    even = {name: (kernel * np.sqrt(200 / kernel[0].size), 0 * bias) for name, (kernel, bias) in drawn}
    path.write_bytes(safetensors_bytes(flat(even), __metadata__=names))
    return path


QUICK = ("--input-size", "48", "--max-drop", "100")


def test_a_head_of_the_same_names_is_only_quantized(own: Path, shapes: Path, tmp_path: Path) -> None:
    done = quick_export("--weights", own, "--data", shapes, "--out", tmp_path / "out", *QUICK)
    assert "replaced" not in done.stderr
    assert "note: warning: the weights' last layer, which is kept, is right on" in done.stderr  # they are random
    assert (tmp_path / "out" / "labels.txt").read_text() == "down\nacross\n"
    report = report_of(tmp_path / "out")
    assert (report["model"]["width"], report["model"]["classes"]) == (0.1, 2)
    assert list(report["training"]) == []
    assert report["accuracy"]["float"]["n"] > 20
    done = subprocess.run(
        [sys.executable, "-m", "sqz_tf.check", str(tmp_path / "out")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.slow
def test_a_head_asked_to_train_goes_on_and_that_is_said_first(own: Path, shapes: Path, tmp_path: Path) -> None:
    epochs = ("--epochs", "1", "--prune-epochs", "1", "--quantize-epochs", "1")
    done = quick_export("--weights", own, "--data", shapes, "--out", tmp_path / "out", *QUICK, *epochs)
    said = done.stderr.splitlines()
    note = "note: --epochs 1 asks for training: all layers are trained on, the last one, too"
    assert said.index(note) < said.index("data …"), said
    assert report_of(tmp_path / "out")["data"]["classes"] == ["across", "down"]
