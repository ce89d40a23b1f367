"""Nothing dies after training that could be told before it, and a rejected result stays rejected."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sqz_tf.artifact.exported import REFERENCE, Export
from sqz_tf.base.errors import ConfigError, OutputError
from sqz_tf.base.spec import DataConfig
from sqz_tf.data.dataset import summarise
from sqz_tf.parity.verdict import REQUIRE_VARIABLE
from sqz_tf.pipeline import preflight
from sqz_tf.pipeline.plan import Options, make_plan
from tests.helpers import colour_network
from tests.helpers.exports import python, quick_export
from tests.helpers.needs import ROOT

HIDDEN = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {hidden!r} else found(name, *rest)
"""
EXPORT = """
import sys
from sqz_tf import export
sys.exit(export.main(sys.argv[1:]))
"""
# Hardly a weight is left: pruning costs most of what the network knew, quantization nothing more.
RUINED = [
    *("--epochs", "6", "--prune-epochs", "1", "--quantize-epochs", "1", "--sparsity", "0.99", "--max-drop", "0"),
    *("--width", "0.1", "--input-size", "32", "--quiet"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals") / "pictures"
    colour_network.write_pictures(folder, per_class=30)
    return folder


@pytest.fixture(scope="module")
def rejected(pictures: Path) -> Path:
    """A result that pruning ruined, made where tflite-micro is not installed."""
    out = pictures.parent / "ruined"
    hidden = HIDDEN.format(hidden="tflite_micro")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(REQUIRE_VARIABLE, raising=False)
        done = quick_export("--data", pictures, "--out", out, *RUINED, before=hidden, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return out.with_name("ruined.rejected")


@pytest.mark.slow
@pytest.mark.training
def test_without_tflite_micro_an_export_goes_to_its_end(rejected: Path) -> None:
    report = Export.open(rejected).report
    assert report["tflm"]["arena_bytes"] is None
    assert "tflite-micro is not installed" in report["parity"]["int8_litert_ref-tflm"]["skipped"]
    settings = (rejected / "tflm" / "settings.h").read_text()
    assert "ARENA" not in settings
    assert "INPUT_BYTES" in settings


@pytest.mark.training
@pytest.mark.slow
def test_the_failure_names_pruning_not_quantization(rejected: Path) -> None:
    (failure,) = Export.open(rejected).report["gate"]["failures"]
    assert failure.startswith("float-int8: top-1 falls by")
    assert "between float and model_f32.tflite, 0.00 in quantization" in failure


@pytest.mark.training
@pytest.mark.slow
def test_a_rejected_result_is_rejected_again(rejected: Path) -> None:
    command = [sys.executable, "-m", "sqz_tf.check", str(rejected), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1, done.stderr
    report = Export.open(rejected).report
    assert json.loads(done.stdout)["failures"] == report["gate"]["failures"]
    assert json.loads(done.stdout)["accuracy"]["float"] == report["accuracy"]["float"]


@pytest.mark.training
@pytest.mark.slow
def test_a_folder_without_the_reference_is_judged_with_a_note(rejected: Path) -> None:
    reference = rejected / REFERENCE
    kept = reference.read_bytes()
    reference.unlink()
    try:
        command = [sys.executable, "-m", "sqz_tf.check", str(rejected)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    finally:
        reference.write_bytes(kept)
    assert "int8 is judged against model_f32.tflite" in done.stderr
    assert "reference_answers.npy is missing" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--android", "--out", "{tmp}/my photos"], ["'my photos'", "letters, digits", "give --out another name"]),
        (["--android", "--out", "{tmp}/größe"], ["'größe'", "letters, digits"]),
    ],
)
def test_a_name_that_the_app_cannot_take_is_refused_at_once(
    arguments: list[str], words: list[str], pictures: Path, tmp_path: Path
) -> None:
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    for dry in ([], ["--dry-run"]):
        command = [sys.executable, "-m", "sqz_tf.export", "--data", str(pictures), *given, *dry]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")  # not even the pictures were read
        assert all(word in done.stderr for word in words), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hidden", ["matplotlib", "jinja2", "threadpoolctl"])
def test_a_missing_package_is_told_before_anything_is_read(hidden: str, pictures: Path, tmp_path: Path) -> None:
    done = python(HIDDEN.format(hidden=hidden) + EXPORT, "--data", pictures, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr == f"error: {hidden} cannot be imported; run: pip install 'sqz-tf[train]'\n"


def test_a_runtime_that_must_be_asked_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    preflight.require_tools()
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    with pytest.raises(ConfigError, match=r"asks for compiled-c, which cannot be used"):
        preflight.require_tools()


FULL = """
import shutil
usage = shutil.disk_usage
shutil.disk_usage = lambda path: usage(path)._replace(free=60 * 2**20)
"""


@pytest.mark.training
def test_too_little_space_for_the_pictures_is_told_before_training(pictures: Path, tmp_path: Path) -> None:
    options = ("--input-size", "1024", "--width", "1")
    done = python(FULL + EXPORT, "--data", pictures, "--out", tmp_path / "out", "--quiet", *options)
    assert done.returncode == 1
    assert "the disk is full: 60 MiB are free" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_space_grows_with_pictures_and_network(pictures: Path) -> None:
    summary = summarise(DataConfig(str(pictures)))
    small = make_plan(Options(DataConfig(str(pictures)), input_size=32, width=0.1), summary)
    large = make_plan(Options(DataConfig(str(pictures)), input_size=224, width=1.0), summary)
    assert preflight.needed_bytes(large, 1000) > preflight.needed_bytes(small, 1000) + 1000 * (224**2 - 32**2) * 3


@pytest.mark.slow
@pytest.mark.training
def test_a_dry_run_tells_that_nothing_could_be_written(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    command = [sys.executable, "-m", "sqz_tf.export", "--data", str(pictures), "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert "note: as it stands nothing could be written" in done.stderr
    assert OutputError.__name__ not in done.stderr


AFFINE = """
import os, sys
os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]))
import hashlib
import numpy as np
from sqz_tf.quantize.calibrate import calibrate
from sqz_tf.quantize.schemes.free import FREE
from sqz_tf.train.keras import keras, make_deterministic, use_threads
from sqz_tf.train.squeezenet import plain_squeezenet
from sqz_tf.base.spec import ModelSpec
use_threads(8)
make_deterministic(1)
model = plain_squeezenet(ModelSpec(input_size=32, classes=4, width=0.25, channels=3))
model.compile("sgd", "categorical_crossentropy")
x = np.random.default_rng(0).uniform(0, 1, (48, 32, 32, 3)).astype(np.float32)
model.fit(x, np.eye(4)[np.arange(48) % 4], epochs=1, batch_size=16, verbose=0)
found = calibrate(model, x, (0.0, 1.0), FREE)
weights = b"".join(value.tobytes() for value in [*model.get_weights(), *found.model.get_weights()])
print(hashlib.sha256(weights).hexdigest(), sorted(found.ranges.items()))
"""


@pytest.mark.slow
@pytest.mark.training
def test_the_number_of_processors_does_not_matter() -> None:
    one, two = (python(AFFINE, str(number)) for number in (1, 2))
    assert one.returncode == 0, one.stderr
    assert one.stdout == two.stdout
