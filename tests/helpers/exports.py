"""Running `python -m sqz_tf.export` in tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.needs import ROOT

FILES = {
    *(
        "model.keras",
        "model_f32.safetensors",
        "reference_answers.npy",
        "model_f32.tflite",
        "model_int8.tflite",
        "model_uint8.tflite",
        "labels.txt",
        "README.md",
    ),
    *("report.html", "report.json", "manifest.json"),
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


def export(*arguments: str | Path, timeout: int = 900, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sqz_tf.export", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=timeout)
    assert not check or done.returncode == 0, done.stderr
    return done


def python(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)


def files(folder: Path) -> set[str]:
    every = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in every if not name.startswith("c/")}
