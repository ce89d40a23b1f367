"""The models of an output folder, read once and checked against its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.tflite.reader import read_model
from converters.tflite.writer import PREPROCESS_FILE, read_attached
from sqz_tf.artifact.exported import Export
from sqz_tf.base.errors import ConfigError, SqzError, translated
from sqz_tf.base.json_files import parse, typed
from sqz_tf.base.spec import PreprocessSpec, from_dict


class CheckError(SqzError):
    """The folder cannot be judged."""


@dataclass(frozen=True)
class Artifacts:
    """What is judged: an output folder whose models fit its manifest."""

    export: Export
    preprocess: PreprocessSpec

    @property
    def float_model(self) -> bytes:
        """model_f32.tflite."""
        return self.export.float

    @property
    def int8_model(self) -> bytes:
        """model_int8.tflite."""
        return self.export.int8

    @property
    def uint8_model(self) -> bytes:
        """model_uint8.tflite."""
        return self.export.uint8

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the outputs."""
        return self.export.labels

    @property
    def manifest(self) -> dict[str, Any]:
        """What manifest.json says."""
        return self.export.manifest


def read_artifacts(folder: Path) -> Artifacts:
    """Read an output folder.

    Raises:
      CheckError, ExportError: a file is missing or damaged, or a model takes other pictures than the manifest says.
    """
    export = Export.open(folder)
    of = (ValueError, ConfigError)
    with translated(CheckError, f"{folder} is damaged", expected="a folder that an export wrote", of=of):
        preprocess = from_dict(PreprocessSpec, export.config.get("preprocess"), "preprocess")
        for model in (export.float, export.int8, export.uint8):
            read_model(model)
    artifacts = Artifacts(export, preprocess)
    _ = artifacts.labels
    _check_models(artifacts)
    return artifacts


def check_pictures(artifacts: Artifacts, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> None:
    """Check that pictures and labels fit the manifest and the models.

    Args:
      images: uint8 [N, h, w, c].
      labels: integers [N], in [0, classes) for the rows used.
      rows: integers [M], which of them are used.

    Raises:
      CheckError: they do not.
    """
    shape, classes = shape_of(artifacts.preprocess), output_size(artifacts.int8_model)
    if images.dtype != np.uint8 or images.shape[1:] != shape or images.shape[:1] != labels.shape or not len(rows):
        raise CheckError(
            f"pictures are {images.dtype} {list(images.shape)}, labels {list(labels.shape)}",
            expected=f"uint8 {['N', *shape]} and ['N'], N at least 1",
        )
    used = labels[rows]
    if used.dtype.kind not in "iu" or used.min() < 0 or used.max() >= classes:
        raise CheckError(
            f"labels are {used.dtype} from {used.min()} to {used.max()}",
            expected=f"integers from 0 to {classes - 1}",
        )


def _check_models(artifacts: Artifacts) -> None:
    shape = (1, *shape_of(artifacts.preprocess))
    for (name, model), kind in zip(_models(artifacts).items(), ("float32", "int8", "uint8"), strict=True):
        tensor = read_model(model).input_tensors()[0]
        if tensor.shape != shape or tensor.dtype != kind:
            raise CheckError(
                f"{name} takes {tensor.dtype} {list(tensor.shape)}",
                expected=f"{kind} {list(shape)}, as the manifest says",
            )


def shape_of(spec: PreprocessSpec) -> tuple[int, int, int]:
    """Return (height, width, channels) of the input."""
    return spec.height, spec.width, spec.channels


def output_size(model: bytes) -> int:
    """Return the number of classes a model tells apart."""
    return read_model(model).output_tensors()[0].shape[-1]


def as_float(images: np.ndarray, preprocess: PreprocessSpec) -> np.ndarray:
    """Return the float model's input for uint8 pictures: `pixel * scale` in float32."""
    return images.astype(np.float32) * np.float32(preprocess.scale)


def spread(n: int, count: int) -> np.ndarray:
    """Return at most `count` of the row numbers 0…n-1, evenly spaced: splits may be sorted by class."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(np.int64))


def attached_wnids(artifacts: Artifacts) -> tuple[str, ...]:
    """Return the WordNet id of each output, as model_int8.tflite carries them; empty if it carries none."""
    data = attached(artifacts)["model_int8.tflite"].get(PREPROCESS_FILE, b"{}")
    values = parse(data, dict[str, Any], what=f"{PREPROCESS_FILE} of model_int8.tflite")
    wnids: tuple[str, ...] = typed(values.get("wnids", ()), tuple[str, ...], "wnids")
    return wnids


def _models(artifacts: Artifacts) -> dict[str, bytes]:
    return {
        "model_f32.tflite": artifacts.float_model,
        "model_int8.tflite": artifacts.int8_model,
        "model_uint8.tflite": artifacts.uint8_model,
    }


def attached(artifacts: Artifacts) -> dict[str, dict[str, bytes]]:
    """Return the files attached to each model, by name."""
    with translated(CheckError, "a model cannot be judged", fix="export again"):
        return {name: read_attached(model) for name, model in _models(artifacts).items()}
