"""A model with its labels and preprocessing: its own, or for a model from elsewhere what pages assume of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.tflite import reader
from converters.tflite.writer import read_attached
from sqz_tf.artifact.exported import Export
from sqz_tf.base.console import Console
from sqz_tf.base.errors import DataError, translated
from sqz_tf.base.spec import PreprocessSpec
from sqz_tf.inference import model_file
from sqz_tf.inference.model_file import LABELS_FILE, PREPROCESS_FILE, ModelError, ModelFile
from sqz_tf.report.document import validate


def described(path: Path, labels: Path | None, console: Console) -> ModelFile:
    """Read an int8 model of pictures.

    Args:
      path: a `.tflite` or a pack.
      labels: a text file, a label a line, in place of the model's own.

    Raises:
      ModelError: it is no int8 model, or takes no pictures.
      DataError: a file cannot be read.
    """
    content = model_file.int8_given(path)
    with translated(ModelError, f"{path} cannot be read"):
        graph = reader.read_model(content)
        attached = read_attached(content)
    names = _lines(labels) if labels else None
    if names is None and LABELS_FILE not in attached:
        names = [str(number) for number in range(sum(each.size for each in graph.output_tensors()))]
        console.note(f"{path} carries no labels: give --labels FILE, a label a line")
    preprocess = None
    if PREPROCESS_FILE not in attached:
        preprocess = _assumed(path, [each.shape for each in graph.input_tensors()])
        console.note(f"{path} does not say how pictures are prepared: the middle square, resized, pixel − 128")
    model = model_file.read(path, names, preprocess)
    _require_one_answer(path, [each.size for each in graph.output_tensors()], len(model.labels))
    _require_input(path, [each.shape for each in graph.input_tensors()], model.preprocess)
    return model


def report_of(export: Export | None, content: bytes) -> dict[str, Any] | None:
    """Return what an export's report says, if it is about this very model: other files may lie in its folder.

    Raises:
      ExportError: a file of the export is missing or damaged.
      OutputError: its report is not complete.
    """
    if export is None or content not in (export.int8, export.uint8):
        return None
    validate(export.report)
    return export.report


def _require_one_answer(path: Path, outputs: Sequence[int], labels: int) -> None:
    if len(outputs) != 1:
        raise ModelError(f"{path} has {len(outputs)} outputs", expected="one, whose best score is the answer")
    if outputs[0] != labels or not labels:
        raise ModelError(f"{path} has {outputs[0]} outputs and {labels} labels", expected="a label for each output")


def _require_input(path: Path, shapes: Sequence[Sequence[int]], preprocess: PreprocessSpec) -> None:
    wanted = [1, preprocess.height, preprocess.width, preprocess.channels]
    if [list(shape) for shape in shapes] != [wanted]:
        raise ModelError(f"{path} takes {_told(*shapes)}", expected=f"{_told(wanted)}, as its preprocessing says")


def _assumed(path: Path, shapes: Sequence[Sequence[int]]) -> PreprocessSpec:
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][0] != 1 or shapes[0][3] not in (1, 3):
        raise ModelError(f"{path} takes {_told(*shapes)}", expected="one picture, 1 × height × width × 1 or 3")
    _, height, width, channels = shapes[0]
    return PreprocessSpec(width, height, channels=channels)


def _told(*shapes: Sequence[int]) -> str:
    return ", ".join(" × ".join(map(str, shape)) for shape in shapes)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})", expected="a text file, a label a line") from error
