"""Pack what lies on a disk, an export or a `.tflite`, with its own pictures or a person's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from converters import packs
from sqz_tf.artifact.exported import PACK
from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.one_file import write_file
from sqz_tf.artifact.workspace import Stage, Workspace
from sqz_tf.base import stats
from sqz_tf.base.console import Console
from sqz_tf.base.spec import THREADS, PackConfig, to_dict
from sqz_tf.data.unlabelled import load_unlabelled
from sqz_tf.inference.model_file import read
from sqz_tf.parity.artifacts import as_float, read_artifacts
from sqz_tf.parity.folder import pictures_of, reference_of
from sqz_tf.pipeline.packing import MOST_LEARNT, Held, Task, figures_of, learnt_rows, pack_stages
from sqz_tf.train.keras import use_threads


def pack_files(
    model: Path, data: str | None, config: PackConfig, seed: int, out: Path, overwrite: bool, console: Console
) -> dict[str, Any]:
    """Pack a network and write the `.sqz` if it keeps to what was asked for.

    Args:
      model: an export's folder, or an int8 `.tflite` that carries labels and preprocessing.
      data: pictures to round with; None takes the export's.
      out: the file to write. Stages lie beside it until it is written, in `OUT.parts.work`.

    Returns:
      The figures; `passed` tells whether the pack was written.

    Raises:
      SqzError: something cannot be read, packed or written.
    """
    use_threads(THREADS)
    task = (
        _export_task(model, data, config, seed, console)
        if model.is_dir()
        else _task(model, data, config, seed, console)
    )
    with Workspace(out.with_name(f"{out.name}.parts"), note=console.note) as workspace:

        def stage(name: str, parts: list[Any], build: Any, needs: Any = ()) -> Stage:
            values = [to_dict(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]
            console.note(f"{name} …")
            return workspace.stage(name, [*values, versions(), THREADS], build, needs=needs)

        packed = pack_stages(task, stage, console.step)
        figures = figures_of(packed)
        if figures["passed"]:
            write_file(out, (packed.folder / PACK).read_bytes(), packs.is_pack, overwrite)
            workspace.clear()
    return figures


def _task(path: Path, data: str | None, config: PackConfig, seed: int, console: Console) -> Task:
    model = read(path)
    assert data is not None
    images = load_unlabelled(data, model.preprocess, MOST_LEARNT, console.step)
    return Task(model.content, None, images, None, config, seed)


def _export_task(folder: Path, data: str | None, config: PackConfig, seed: int, console: Console) -> Task:
    artifacts = read_artifacts(folder)
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as cache:
        dataset, rows = pictures_of(artifacts, None, Path(cache, "data"), console, MOST_LEARNT)
        held = np.asarray(dataset.images[rows])
        images = np.asarray(dataset.images[learnt_rows(dataset.splits)])
        answers = reference_of(artifacts, dataset, rows, console)
        labels = np.asarray(dataset.labels[rows])
    if data is not None:
        images = load_unlabelled(data, artifacts.preprocess, MOST_LEARNT, console.step)
    right = _right(artifacts, held, labels) if answers is None else stats.answered(answers, labels, 1)
    return Task(artifacts.int8_model, artifacts.float_model, images, Held(held, labels, right), config, seed)


def _right(artifacts: Any, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return on which pictures model_f32.tflite is right, bool [N]."""
    from sqz_tf.inference.interpreters import run

    scores = run(artifacts.float_model, as_float(images, artifacts.preprocess), "litert-xnnpack").outputs
    return stats.top_k_correct(scores, labels, 1)
