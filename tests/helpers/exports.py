"""Running `python -m sqz_tf.export` in tests, and the exports that several tests read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers.needs import ROOT
from tests.helpers.shared import shared

FILES = {
    *("model.keras", "model_f32.safetensors", "model_f32.tflite", "model_int8.tflite", "model_uint8.tflite"),
    *("labels.txt", "README.md", "report.html", "report.json", "manifest.json", "reference_answers.npy"),
    *(f"tflm/{name}" for name in ("model_data.h", "model_data.cc", "op_resolver.h", "settings.h")),
}
TINY = [
    "--epochs",
    "4",
    "--prune-epochs",
    "3",
    "--quantize-epochs",
    "1",
    "--width",
    "0.1",
    "--max-drop",
    "100",
    "--quiet",
]
BYPASSED = [*TINY, "--bypass", "complex", "--squeeze-ratio", "0.25"]
MAKES_EXPORTS = ("sqz_tf", "converters", "mcu", "tests/helpers/exports.py")
"""What an export depends on, for `shared`."""

# Optimizing TensorFlow's graphs takes a third of an export that trains for seconds.
UNOPTIMIZED = """
import sys
from sqz_tf.train.keras import tf
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
from sqz_tf import export
"""
FINISH = "sys.exit(export.main(sys.argv[1:]))"
GATE_THAT_FAILS = """
from sqz_tf.parity import verdict
verdict.check_sparsity = lambda pruned, tflite: ("conv9: made to fail",)
"""


def export(*arguments: str | Path, timeout: int = 900, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does."""
    command = [sys.executable, "-m", "sqz_tf.export", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=timeout)
    assert not check or done.returncode == 0, done.stderr
    return done


def quick_export(*arguments: str | Path, before: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command with TensorFlow's graphs as they are, after the statements `before`."""
    done = python(UNOPTIMIZED + before + FINISH, *arguments)
    assert not check or done.returncode == 0, done.stderr
    return done


def python(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)


def files(folder: Path) -> set[str]:
    """Return the files of an output folder but for the C."""
    every = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in every if not name.startswith("c/")}


def make_photos(folder: Path) -> Path:
    """Write three classes of coloured noise, easy to tell apart."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("blue sky", "grün", "<red>")):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 90, (44, 40 + label, 3))
            pixels[..., 2 - label] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def digits_folder() -> Path:
    """Return the main job as `make demo` runs it, but shorter: the folder `digits` in it, its words in `stdout`."""

    def make(folder: Path) -> None:
        done = export("--data", "digits", "--epochs", "30", "--out", folder / "digits")
        (folder / "stdout").write_text(done.stdout.replace(str(folder), "FOLDER"))

    return shared("digits", [], make, *MAKES_EXPORTS)


def refused_folder() -> Path:
    """Return where a bypassed network of `photos` was refused at the last gate: photos.rejected, photos.work, stdout.

    Its stages are all there, for exports that go on from them.
    """

    def make(folder: Path) -> None:
        photos = make_photos(folder / "pictures" / "photos")
        arguments: list[str | Path] = ["--data", photos, "--out", folder / "photos", *BYPASSED]
        done = quick_export(*arguments, before=GATE_THAT_FAILS, check=False)
        assert done.returncode == 1, done.stderr
        (folder / "stdout").write_text(done.stdout)

    return shared("refused", BYPASSED, make, *MAKES_EXPORTS)


def unbroken_folder() -> Path:
    """Return the folder that the same export leaves without the gate."""

    def make(folder: Path) -> None:
        go_on(folder / "photos", *BYPASSED)

    return shared("unbroken", BYPASSED, make, *MAKES_EXPORTS) / "photos"


def go_on(out: Path, *arguments: str | Path) -> None:
    """Export `photos` into `out`, from whatever stages of the refused export are of use."""
    refused = refused_folder()
    shutil.copytree(refused / "photos.work", out.with_name(out.name + ".work"))
    quick_export("--data", refused / "pictures" / "photos", "--out", out, *arguments)
