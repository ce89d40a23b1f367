"""The main job, run for real: what lands in the folder, what is refused, and what resuming gives."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.compiler import compile_model
from converters.tflite.reader import read_model, weight_zero_fraction
from converters.tflite.writer import for_microcontroller, read_attached
from converters.tflm_decode.writer import with_decode
from sqz_tf import export as command
from sqz_tf.artifact.manifest import verify_manifest
from sqz_tf.images.decode import decode
from sqz_tf.images.resize import preprocess
from sqz_tf.inference.classifier import Classifier
from sqz_tf.inference.interpreters import run
from sqz_tf.pipeline.job import Training
from tests.helpers.exports import (
    BYPASSED,
    FILES,
    digits_folder,
    export,
    files,
    go_on,
    make_photos,
    quick_export,
    refused_folder,
    unbroken_folder,
)
from tests.helpers.micro_interpreter import has_tflm
from tests.helpers.needs import ROOT, require

pytestmark = pytest.mark.training


@pytest.fixture(scope="session")
def digits() -> Path:
    """The main job as `make demo` runs it."""
    return digits_folder() / "digits"


@pytest.fixture(scope="session")
def report(digits: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((digits / "report.json").read_text())
    return found


@pytest.mark.slow
def test_dense_sparse_dense_leaves_a_result_and_none_of_its_stages(tmp_path: Path) -> None:
    go_on(tmp_path / "photos", *BYPASSED, "--dsd")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    phases = json.loads((tmp_path / "photos" / "report.json").read_text())["training"]
    assert [len(phases[name]["loss"]) for name in ("float", "sparse", "dense")] == [4, 2, 2]


@pytest.mark.slow
def test_a_start_on_smaller_pictures_leaves_its_history_and_none_of_its_stages(tmp_path: Path) -> None:
    go_on(tmp_path / "photos", *BYPASSED, "--start-size", "24")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    phases = json.loads((tmp_path / "photos" / "report.json").read_text())["training"]
    assert [len(phases[name]["loss"]) for name in ("small", "float")] == [3, 1]


def test_the_folder_is_whole(digits: Path) -> None:
    table = (digits.parent / "stdout").read_text().splitlines()
    assert [line.split()[0] for line in table[1:4]] == ["float", "pruned", "int8"]
    assert table[-1] == "report: FOLDER/digits/report.html"
    assert files(digits) == FILES
    assert verify_manifest(digits) == []
    assert not digits.with_name("digits.work").exists()


def test_digits_are_learnt_and_int8_keeps_up(report: dict[str, Any]) -> None:
    accuracy = report["accuracy"]
    assert accuracy["int8"]["n"] >= 450
    assert accuracy["float"]["top1"] >= 0.975
    assert accuracy["int8"]["top1"] >= accuracy["float"]["top1"] - 0.01
    assert report["gate"] == {"passed": True, "failures": [], "warnings": report["gate"]["warnings"]}


def test_half_of_every_pruned_layer_is_zero_in_the_tflite(digits: Path, report: dict[str, Any]) -> None:
    model = read_model((digits / "model_int8.tflite").read_bytes())
    zeros = weight_zero_fraction(model, [*report["sparsity"]["layers"], "conv1"])
    assert len(report["sparsity"]["layers"]) == 25
    assert all(zeros[name] >= 0.5 for name in report["sparsity"]["layers"])


def test_every_required_edge_is_byte_equal(report: dict[str, Any]) -> None:
    edges = report["parity"]
    for name in ("litert_builtin", "tflite_runtime_ref", "tflm", "compiled_c"):
        edge = edges[f"int8_litert_ref-{name}"]
        require(not edge["skipped"], f"the edge to {name} was skipped: {edge['skipped']}")
        assert (edge["equal"], edge["max_abs_diff"]) == (True, 0)
    assert edges["int8-uint8_twin"]["equal"]
    assert edges["int8_litert_ref-litert_xnnpack"]["agreement_top1"] >= 0.97


def test_the_c_is_what_the_compiler_makes_of_the_int8_model(digits: Path, report: dict[str, Any]) -> None:
    model = (digits / "model_int8.tflite").read_bytes()
    written = {path.name: path.read_text() for path in (digits / "c").iterdir()}
    labels = (digits / "labels.txt").read_text().splitlines()
    tools = {"tools": f"sqz-tf {report['sqz_tf']}", "model": "model_int8.tflite"}
    assert written == compile_model(model, "model_int8", provenance=tools, labels=labels)
    assert f"#define MODEL_INT8_ARENA_BYTES {report['mcu']['arena_bytes']}u" in written["model_int8.h"]
    assert report["mcu"]["arena_bytes"] < 0.2 * max(report["mcu"]["whole_maps"]["bytes"]) + 1024
    assert report["tflm"]["arena_bytes"] > 5 * report["mcu"]["arena_bytes"]


def test_tflite_micro_gives_the_same_from_compressed_weights(digits: Path) -> None:
    from sklearn.datasets import load_digits

    require(has_tflm(), "the tflite-micro wheel is not installed")
    model = for_microcontroller((digits / "model_int8.tflite").read_bytes())
    written = with_decode(model)
    assert len(written) < 0.8 * len(model)
    drawn = np.kron(load_digits().images[:100], np.ones((6, 6))) * 255 / 16
    pictures = (drawn.astype(np.uint8) ^ 0x80).view(np.int8)[..., None]
    expected = run(model, pictures, "litert-ref").outputs
    np.testing.assert_array_equal(run(written, pictures, "tflm").outputs, expected)
    assert len(np.unique(expected)) > 20


def test_the_input_is_the_raw_pixel(digits: Path) -> None:
    image = read_model((digits / "model_int8.tflite").read_bytes()).input_tensors()[0]
    assert (image.shape, image.dtype, image.zero_point) == ((1, 48, 48, 1), "int8", (-128,))
    assert image.scale[0] == pytest.approx(1 / 255, rel=1e-6)


def test_a_classifier_needs_the_file_alone(digits: Path, tmp_path: Path) -> None:
    moved = tmp_path / "only.tflite"
    moved.write_bytes((digits / "model_int8.tflite").read_bytes())
    assert set(read_attached(moved.read_bytes())) == {"labels.txt", "preprocess.json", "accuracy.json"}
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = (found.images[:50] * 255 / 16).round().astype(np.uint8)
    classifier = Classifier(moved)
    answers = [classifier.classify(np.repeat(picture[..., None], 3, axis=2))[0] for picture in pixels]
    assert np.mean([index == truth for (index, _, _), truth in zip(answers, found.target, strict=False)]) >= 0.9
    assert all(label == str(index) for index, label, _ in answers)


# A tiny data set ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of coloured noise, easy to tell apart."""
    return make_photos(tmp_path_factory.mktemp("photos") / "photos")


@pytest.fixture(scope="session")
def unbroken() -> Path:
    return unbroken_folder()


KILLED_AFTER_TWO_EPOCHS = """
import os, signal
from sqz_tf.train import fit
save = fit._Run._save
def save_and_die(run, epoch):
    save(run, epoch)
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
fit._Run._save = save_and_die
"""


@pytest.mark.slow
def test_a_killed_and_resumed_run_gives_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    arguments: list[str | Path] = ["--data", photos, "--out", out, *BYPASSED]
    killed = quick_export(*arguments, before=KILLED_AFTER_TWO_EPOCHS, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    assert len(list((tmp_path / "photos.work").glob("dense-*.tmp"))) == 1
    quick_export(*arguments)
    unbroken = unbroken_folder()
    for name in ("model_f32.tflite", "model_int8.tflite", "model_uint8.tflite", "tflm/model_data.cc", "labels.txt"):
        assert (out / name).read_bytes() == (unbroken / name).read_bytes(), name
    assert not (tmp_path / "photos.work").exists()


@pytest.mark.slow
def test_bypass_adds_only_add(unbroken: Path) -> None:
    model = read_model((unbroken / "model_int8.tflite").read_bytes())
    assert set(model.op_names) == {"CONV_2D", "MAX_POOL_2D", "CONCATENATION", "ADD", "MEAN", "SOFTMAX"}
    assert "AddAdd" in (unbroken / "tflm" / "op_resolver.h").read_text()


@pytest.mark.slow
def test_powers_of_two_from_pictures_to_verdict(tmp_path: Path) -> None:
    """Bypass, a scale for each channel: everything but the accuracy, which three classes of noise say little about."""
    out = tmp_path / "photos"
    go_on(out, *BYPASSED, "--scheme", "ristretto", "--per-channel", "--web")
    report = json.loads((out / "report.json").read_text())
    assert report["page"]["bytes"] == (out / "try.html").stat().st_size
    assert 'href="try.html"' in (out / "report.html").read_text()
    assert "try.html" in (out / "manifest.json").read_text()
    assert report["gate"]["passed"]
    assert report["scheme"] == "ristretto"
    assert {"before", "after", "free_scale", "against_free_scale", "trimming"} == set(report["ristretto"])
    assert report["bits"] == {"weights": 8, "outputs": 8, "biases": 32}
    assert isinstance(report["fractional_length"]["fire2_squeeze1x1/kernel"], list)
    for name in ("tflite_runtime_ref", "tflm", "compiled_c"):
        assert report["parity"][f"int8_litert_ref-{name}"]["equal"]
    assert all(both["tflite"] >= both["pruned"] for both in report["sparsity"]["layers"].values())
    assert min(decibels for decibels in report["sqnr"]["layers"].values() if decibels is not None) > 5
    assert report["sqnr"]["layers"]["pool10"] > 10, "what the averaged constant does is taken for noise"
    model = read_model((out / "model_int8.tflite").read_bytes())
    assert not any(any(tensor.zero_point) for tensor in model.tensors if tensor.index not in model.outputs)


@pytest.mark.slow
def test_class_names_survive_and_are_escaped(unbroken: Path) -> None:
    assert (unbroken / "labels.txt").read_text().splitlines() == ["<red>", "blue sky", "grün"]
    page = (unbroken / "report.html").read_text()
    assert "<red>" not in page
    assert "&lt;red&gt;" in page


@pytest.mark.slow
def test_a_failed_gate_keeps_the_result_aside() -> None:
    folder = refused_folder()
    assert "made to fail" in (folder / "stdout").read_text()
    assert not (folder / "photos").exists()
    assert files(folder / "photos.rejected") == FILES
    recorded = json.loads((folder / "photos.rejected" / "manifest.json").read_text())["config"]["model"]
    assert (recorded["bypass"], recorded["squeeze_ratio"], recorded["pct_3x3"]) == ("complex", 0.25, 0.5)
    assert len(list((folder / "photos.work").glob("converted-*"))) == 1


# Refusals, before any training -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--data", "nowhere"], 1, ["nowhere"]),
        (["--sparsity", "1.5"], 1, ["1.5", "0", "0.99"]),
        (["--arch", "squeezenet-2"], 2, ["squeezenet-2", "squeezenet-1.0"]),
        (["--width", "wide"], 2, ["wide"]),
        (["--base-e", "1.5"], 2, ["--base-e", "1.5"]),
        (["--squeeze-ratio", "2"], 1, ["squeeze_ratio is 2", "0.01", "1"]),
        (["--data", "{photos}", "--input-size", "2"], 1, ["2 pixels is too small", "at least 3", "--input-size 3"]),
        (["--data", "{photos}", "--out", "/proc/nowhere/x"], 1, ["/proc"]),
    ],
)
def test_bad_input_gets_one_line(
    arguments: list[str], code: int, words: list[str], photos: Path, tmp_path: Path
) -> None:
    given = [argument.format(photos=photos) for argument in arguments]
    if "--out" not in given:
        given += ["--out", str(tmp_path / "out")]
    done = export(*given, "--quiet", check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert all(word in last for word in words), last
    assert "Traceback" not in done.stderr
    assert code == 2 or len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("important")
    for more in ([], ["--overwrite"]):
        done = export("--data", photos, "--out", out, *more, "--quiet", check=False)
        assert done.returncode == 1
        assert str(out) in done.stderr
    assert files(tmp_path) == {"mine/thesis.txt"}


METAPARAMETERS = {"base_e": 32, "incr_e": 16, "freq": 3, "squeeze_ratio": 0.5, "pct_3x3": 0.25}
PAPERS = [word for name, value in METAPARAMETERS.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def test_dry_run_says_what_would_happen(photos: Path, tmp_path: Path) -> None:
    fractions = ("--test-fraction", "0.125", "--validation-fraction", "0.5")
    done = export("--data", photos, "--out", tmp_path / "out", "--dry-run", "--json", *PAPERS, *fractions)
    forecast = json.loads(done.stdout)
    assert {name: forecast["plan"]["model"][name] for name in METAPARAMETERS} == METAPARAMETERS
    assert forecast["classes"] == ["<red>", "blue sky", "grün"]
    counts = forecast["counts"]
    assert sum(counts[name] for name in ("train", "validation", "test")) == 72
    assert (counts["validation"], counts["test"]) == (36, 9)
    assert forecast["plan"]["model"]["input_size"] == 64
    assert forecast["seconds"] > 0
    assert "conv1" not in forecast["pruned_layers"]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_names_the_teacher_and_the_epochs_of_every_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = {"data": "", "classes": [], "counts": {}, "params": 1, "int8_bytes": 1, "head_epochs": 0}
    forecast = {**figures, "class_weights": "", "pruned_layers": [], "seconds": 1.0, "notes": []}
    monkeypatch.setattr(Training, "forecast", lambda self: forecast)
    epochs = ["--epochs", "20", "--prune-epochs", "7", "--quantize-epochs", "3"]
    assert command.main([*epochs, "--teacher", "digits", "--dsd", "--dry-run", "--out", str(tmp_path / "out")]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line.strip())
    assert rows["teacher"] == "digits"
    phases = (
        "20 epochs, then 10 with 30% zeros, then 10 dense again, then 7 pruning to 50% zeros (unstructured), then 3"
    )
    assert rows["training"].startswith(phases)


def test_a_class_that_cannot_be_a_label_is_refused_before_anything_is_trained(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "grün").rename(tmp_path / "photos" / "grün ")
    done = export("--data", tmp_path / "photos", "--out", tmp_path / "out", "--dry-run", "--quiet", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: the class 'grün ' in {tmp_path / 'photos'} has blanks around it; expected")
    assert done.stderr.count("\n") == 1


def test_help_and_version_are_quick_to_load() -> None:
    code = "import sys; from sqz_tf.export import build_parser; build_parser().format_help(); print(len(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(done.stdout) < 400, "something heavy is imported before it is needed"
    assert export("--version").stdout.startswith("sqz-tf 0.")
    for flag in ("--data", "--calibration-images", "--max-drop", "--no-resume", "--dry-run"):
        assert flag in export("--help").stdout


@pytest.mark.slow
def test_pixels_reach_the_model_as_preprocess_makes_them(unbroken: Path, photos: Path) -> None:
    classifier = Classifier(unbroken / "model_int8.tflite")
    picture = decode((photos / "grün" / "0.png").read_bytes())
    assert preprocess(picture, classifier.preprocess).shape == (64, 64, 3)
