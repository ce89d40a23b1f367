"""Judge an output folder by what its manifest says, on its own held-out pictures."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.artifact.exported import FLOAT, NUMBERS, Export, ExportError
from sqz_tf.base.console import Console
from sqz_tf.base.errors import ConfigError, SqzError
from sqz_tf.base.json_files import typed
from sqz_tf.base.spec import CheckConfig, DataConfig, ModelSpec, from_dict
from sqz_tf.parity.verdict import ParityReport, failures_in, judge

if TYPE_CHECKING:
    import numpy as np

    from sqz_tf.data.dataset import Dataset
    from sqz_tf.parity.artifacts import Artifacts
    from sqz_tf.parity.edges import Edge, Predict


def judge_folder(folder: Path, source: str | None, max_drop: float | None, console: Console) -> ParityReport:
    """Judge an output folder by what its manifest says, on its own held-out pictures.

    Args:
      source: pictures to use instead, as in `DataConfig`.
      max_drop: gate to use instead, in percentage points.

    Raises:
      SqzError: the folder or the pictures cannot be read.
    """
    from sqz_tf.parity.artifacts import read_artifacts

    files = _files_edge(Export(folder))  # hashes first, before anything else is opened
    artifacts = read_artifacts(folder)
    config = artifacts.manifest["config"]
    gate = from_dict(CheckConfig, config.get("check", {}))
    if max_drop is not None:
        gate = dataclasses.replace(gate, max_drop=max_drop)
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as cache:
        dataset, rows = pictures_of(artifacts, source, Path(cache, "data"), console)
        predict, why_not = _keras(artifacts.export, console)
        report = judge(
            folder,
            dataset.images,
            dataset.labels,
            gate,
            predict,
            _pruned_sparsity(artifacts.export),
            reference_of(artifacts, dataset, rows, console),
            progress=console.note,
            rows=rows,
        )
    return _with_edges(report, {"files": files}, why_not)


def pictures_of(
    artifacts: Artifacts, source: str | None, cache: Path, console: Console, calibration_images: int | None = None
) -> tuple[Dataset, np.ndarray]:
    """Return an export's pictures, kept in `cache`, and which rows of them judge.

    Args:
      source: pictures to use instead, as in `DataConfig`.
      calibration_images: how many of the pictures that calibrate are wanted, where they are a folder of their own;
        by default as many as the export used.

    Raises:
      SqzError: they cannot be read or do not fit.
    """
    from sqz_tf.data.dataset import trains_nothing

    if trains_nothing(artifacts.manifest["config"]):
        return _judging(artifacts, source, cache, console, calibration_images)
    return _held_out(artifacts, source, cache, console)


def _held_out(artifacts: Artifacts, source: str | None, cache: Path, console: Console) -> tuple[Dataset, np.ndarray]:
    """Return the pictures, kept in `cache`, and which of them judge."""
    from sqz_tf.data.dataset import load
    from sqz_tf.parity.artifacts import CheckError

    config = _data_config(artifacts, source, console)
    dataset = load(config, artifacts.preprocess, cache, console.step)
    if dataset.classes != artifacts.labels:
        raise CheckError(
            f"the pictures' classes are {_some(dataset.classes)}",
            expected=f"those of labels.txt, {_some(artifacts.labels)}",
            fix="give the pictures of the export with --data",
        )
    _compare_pictures(artifacts, source, dataset, console)
    return dataset, dataset.splits["test"]


def _judging(
    artifacts: Artifacts, source: str | None, cache: Path, console: Console, calibration_images: int | None
) -> tuple[Dataset, np.ndarray]:
    """Do as `_held_out` for a network that was only quantized, whose classes the pictures need not all have."""
    import numpy as np

    from sqz_tf.data.dataset import load_for_judging
    from sqz_tf.data.sources import reading_of
    from sqz_tf.images.find import scan
    from sqz_tf.images.matching import match_classes
    from sqz_tf.parity.artifacts import CheckError, attached_wnids

    config = _data_config(artifacts, source, console)
    found = scan(config.source, reading_of(config))
    if not found.classes:
        raise CheckError(
            f"{config.source} holds {len(found.entries)} pictures without labels",
            expected="one folder per class, or labels.csv",
        )
    outputs = match_classes(
        found.classes,
        artifacts.labels,
        wnids=found.wnids,
        numbers=found.label_numbers,
        label_wnids=attached_wnids(artifacts),
    )
    given: str | None = typed(artifacts.manifest["config"].get("calibration_data"), str | None, "calibration_data")
    calibration = given if given and Path(given).exists() else None
    if calibration and calibration_images:
        config = dataclasses.replace(config, calibration_images=calibration_images)
    dataset = load_for_judging(
        config, calibration, outputs, artifacts.labels, artifacts.preprocess, cache, console.step
    )
    if given and not calibration:
        console.note(f"note: {given}, which calibrated, is not there: cannot tell if these are the export's pictures")
        return dataset, np.sort(np.concatenate([dataset.splits["calibration"], dataset.splits["test"]]))
    if not calibration_images:
        _compare_pictures(artifacts, source, dataset, console)
    return dataset, dataset.splits["test"]


def _data_config(artifacts: Artifacts, source: str | None, console: Console) -> DataConfig:
    """Return where the pictures are and how they are read.

    Raises:
      CheckError: they are not where the export had them.
    """
    from sqz_tf.data.sources import is_named
    from sqz_tf.parity.artifacts import CheckError

    config = from_dict(DataConfig, artifacts.manifest["config"].get("data", {}))
    if source is not None:
        config = dataclasses.replace(config, source=source)
    elif not is_named(config.source) and not os.path.exists(config.source):
        raise CheckError(
            f"{config.source}, where the export's pictures were, is not here",
            expected="them there, or given with --data",
        )
    console.note(f"reading {config.source} …")
    return config


def _compare_pictures(artifacts: Artifacts, source: str | None, dataset: Dataset, console: Console) -> None:
    if source is None and dataset.sha256 != artifacts.manifest.get("data_sha256"):
        console.note("note: these are not the pictures of the export, or they are split otherwise")


def _some(names: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")


def _keras(export: Export, console: Console) -> tuple[Predict | None, str]:
    """Return the float network in Keras as a function, rebuilt from its numbers, or None and the reason why not.

    Models that come with the kit have their numbers in `model_f32.tflite` alone. model.keras is never loaded: a Keras
    file may run what its author put there.
    """
    from sqz_tf.network.exported_weights import numbers_in  # NumPy, which --help does without

    console.note("rebuilding the float network …")
    spec = from_dict(ModelSpec, export.config.get("model", {}))
    try:
        numbers = numbers_in(export)
    except ExportError as error:
        why = f"the folder holds no {NUMBERS}, and none are in {FLOAT} ({error}); model.keras is never loaded"
        console.note(f"note: {why}")
        return None, why
    try:
        from sqz_tf.train.saved import rebuilt

        return rebuilt(spec, numbers), ""
    except ConfigError as error:  # TensorFlow is not installed
        return None, str(error)


def reference_of(artifacts: Artifacts, dataset: Dataset, rows: np.ndarray, console: Console) -> np.ndarray | None:
    """Return what the float network that the export judged against said of these pictures; None if it is not known."""
    answers = artifacts.export.reference_answers
    if answers is None:
        why = "the folder does not hold what the float network said before pruning"
    elif dataset.sha256 != artifacts.manifest.get("data_sha256") or len(answers) != len(rows):
        why = "the float network before pruning was not asked about these pictures"
    else:
        return answers
    console.note(f"note: {why}: int8 is judged against model_f32.tflite")
    return None


def _pruned_sparsity(export: Export) -> dict[str, float] | None:
    """Return what pruning left, from report.json; None where there is none."""
    try:
        layers = typed(export.report.get("sparsity"), dict[str, dict[str, Any]], "sparsity").get("layers")
        found = typed(layers, dict[str, dict[str, float]], "sparsity.layers")
        return {name: both["pruned"] for name, both in found.items()}
    except (SqzError, KeyError):
        return None


def _files_edge(export: Export) -> Edge:
    from sqz_tf.parity.edges import Edge

    problems = export.differences()
    return Edge("equal", not problems, equal=not problems, note="; ".join(problems))


def _with_edges(report: ParityReport, edges: dict[str, Edge], why_no_keras: str) -> ParityReport:
    """Return the report with further edges in front, and the reason for a missing Keras edge."""
    every = {**edges, **report.edges}
    if why_no_keras:
        name = "keras_float-tflite_float"
        every[name] = dataclasses.replace(every[name], skipped=why_no_keras)
    new = failures_in(edges)
    return dataclasses.replace(report, edges=every, failures=(*new, *report.failures))
