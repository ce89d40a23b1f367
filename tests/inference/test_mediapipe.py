"""MediaPipe Tasks, the real library in an environment of its own, on the files of an export."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sqz_tf.inference.classifier import Classifier
from tests.helpers import colour_network
from tests.helpers.echo_models import described, model
from tests.helpers.needs import ROOT, dev_data, require

PYTHON = Path(os.environ.get("SQZ_TF_MEDIAPIPE_PYTHON", ROOT / ".venv-mediapipe" / "bin" / "python"))
ASK = """
import json, sys
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

path, *pictures = sys.argv[1:]
try:
    classifier = vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=path))
    )
except ValueError as error:
    print(json.dumps({"refused": str(error)}))
    sys.exit()
found = []
for picture in pictures:
    result = classifier.classify(mediapipe.Image.create_from_file(picture))
    found.append([[each.index, each.category_name, each.score] for each in result.classifications[0].categories])
print(json.dumps({"found": found}))
"""
STEP = 1 / 256  # of a score: versions of XNNPACK may round otherwise
EXPORT = os.environ.get("SQZ_TF_EXPORT", "")
"""An export of RGB pictures to ask about, too."""


@pytest.fixture(autouse=True)
def installed() -> None:
    require(PYTHON.exists(), "there is no .venv-mediapipe: run make mediapipe")


def ask(path: Path, *pictures: Path) -> dict[str, Any]:
    command = [str(PYTHON), "-c", ASK, str(path), *map(str, pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def assert_same(path: Path, pictures: np.ndarray, folder: Path) -> None:
    """Ask MediaPipe and the kit about pictures [N, H, W, 3] of the input's size, which MediaPipe need not resize."""
    classifier = Classifier(path)
    files = [folder / f"{number}.png" for number in range(len(pictures))]
    for file, pixels in zip(files, pictures, strict=True):
        Image.fromarray(pixels).save(file)
    ours, found = classifier.scores(pictures), ask(path, *files)["found"]
    assert len(found) == len(pictures)
    for scores, theirs in zip(ours, found, strict=True):
        assert theirs[0][2] == pytest.approx(scores.max(), abs=STEP)
        for index, name, score in theirs:
            assert (name, score) == (classifier.labels[index], pytest.approx(scores[index], abs=STEP))


@pytest.mark.slow
@pytest.mark.training
def test_it_takes_uint8_and_float_with_the_kits_answers_and_refuses_int8(tmp_path: Path) -> None:
    folder = colour_network.write_folder(tmp_path / "out")
    pictures, _ = colour_network.pictures(4, 9)
    assert_same(folder / "model_uint8.tflite", pictures, tmp_path)
    assert ask(folder / "model_f32.tflite", tmp_path / "0.png")["found"]
    assert "uint8/float32, got INT8" in ask(folder / "model_int8.tflite")["refused"]


@pytest.mark.slow
def test_it_refuses_a_grey_model(tmp_path: Path) -> None:
    (tmp_path / "grey.tflite").write_bytes(described(model("uint8")))
    assert re.search("depth = 3 or 4|Only RGB", ask(tmp_path / "grey.tflite")["refused"])


@pytest.mark.slow
@pytest.mark.skipif(not EXPORT, reason="SQZ_TF_EXPORT names no export of RGB pictures")
def test_it_gives_the_kits_answers_for_an_export(tmp_path: Path) -> None:
    classifier = Classifier(Path(EXPORT) / "model_uint8.tflite")
    photos = sorted((dev_data("imagenet_dev") / "images").iterdir())[:20]
    assert_same(classifier.path, np.stack([classifier.pixels(photo) for photo in photos]), tmp_path)
