"""Pack what lies on a disk, an export or a `.tflite`, with its own pictures or a person's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters import packs
from converters.tflite.writer import read_attached
from sqz_tf.artifact.exported import PACK
from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.one_file import write_file
from sqz_tf.artifact.workspace import Stage, Workspace
from sqz_tf.base import stats
from sqz_tf.base.console import Console
from sqz_tf.base.errors import SqzError
from sqz_tf.base.spec import MIRRORED, THREADS, PackConfig
from sqz_tf.data.unlabelled import load_unlabelled
from sqz_tf.inference.interpreters import run
from sqz_tf.inference.model_file import LABELS_FILE, int8_given, read
from sqz_tf.parity.artifacts import Artifacts, as_float, read_artifacts
from sqz_tf.parity.folder import pictures_of, reference_of
from sqz_tf.parity.verdict import CHUNK
from sqz_tf.pipeline.packing import MOST_LEARNT, RUNTIME, Held, Task, figures_of, learnt_rows, loss, pack_stages
from sqz_tf.pipeline.run import staged
from sqz_tf.train.keras import use_threads


class PackError(SqzError):
    """The pack loses more than it may."""


def pack_files(
    model: Path, data: str | None, config: PackConfig, seed: int, out: Path, overwrite: bool, console: Console
) -> dict[str, Any]:
    """Pack a network and write the `.sqz` if it keeps to what was asked for.

    Args:
      model: an export's folder, or an int8 `.tflite` that carries labels and preprocessing.
      data: pictures to round with; None takes the export's.
      out: the file to write. Stages lie beside it until it is written, in `OUT.parts.work`.

    Returns:
      The figures of the pack.

    Raises:
      PackError: it loses more than it may; the stages stay.
      SqzError: something cannot be read, packed or written.
    """
    use_threads(THREADS)
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as cache:
        return _packed(_task(model, data, config, seed, Path(cache), console), out, overwrite, console)


def _packed(task: Task, out: Path, overwrite: bool, console: Console) -> dict[str, Any]:
    with Workspace(out.with_name(f"{out.name}.parts"), note=console.note) as workspace:

        def stage(name: str, parts: list[Any], build: Callable[[Path], None], needs: Sequence[Stage] = ()) -> Stage:
            return staged(workspace, console, name, [*parts, versions(), THREADS], build, needs=needs)

        packed = pack_stages(task, stage, console.step)
        figures = figures_of(packed)
        if not figures["passed"]:
            raise PackError(
                f"{loss(figures)}, more than {task.config.max_drop:g} points allow: {out} is not written",
                fix=f"give a larger --budget-kb or --max-drop; {workspace.work} holds what need not be done again",
            )
        write_file(out, (packed.folder / PACK).read_bytes(), packs.is_pack, overwrite)
        workspace.clear()
    return figures


def _task(model: Path, data: str | None, config: PackConfig, seed: int, cache: Path, console: Console) -> Task:
    if model.is_dir():
        return _export_task(read_artifacts(model), data, config, seed, cache, console)
    content = int8_given(model)
    unlabelled = () if LABELS_FILE not in read_attached(content) else None
    file = read(model, labels=unlabelled)
    assert data is not None
    images = load_unlabelled(data, file.preprocess, MOST_LEARNT, console.step)
    return Task(content, None, images, None, False, config, seed)


def _export_task(
    artifacts: Artifacts, data: str | None, config: PackConfig, seed: int, cache: Path, console: Console
) -> Task:
    train = artifacts.export.config.get("train")
    mirrored = isinstance(train, dict) and train.get("augment") in MIRRORED
    held, images = _pictures(artifacts, data, cache, console)
    return Task(artifacts.int8_model, artifacts.float_model, images, held, mirrored, config, seed)


def _pictures(artifacts: Artifacts, data: str | None, cache: Path, console: Console) -> tuple[Held | None, np.ndarray]:
    """Return the export's pictures that judge, and those to pack with: the export's, or a person's.

    Without the export's own pictures a person's alone must do.
    """
    try:
        dataset, rows = pictures_of(artifacts, None, cache / "data", console, MOST_LEARNT)
    except SqzError as error:
        if data is None:
            raise
        console.note(f"note: nothing is judged with labels: {error}")
        return None, load_unlabelled(data, artifacts.preprocess, MOST_LEARNT, console.step)
    learnt = learnt_rows(dataset.splits)
    answers = reference_of(artifacts, dataset, rows, console)
    judging = np.isin(rows, learnt, invert=True)  # where no others calibrated, those that did are held out, too
    rows = rows[judging]
    labels = np.asarray(dataset.labels[rows])
    if answers is None:
        right = _right(artifacts, dataset.images, rows, labels)
    else:
        right = stats.answered(answers[judging], labels, 1)
    held = Held(dataset.images, rows, labels, right)
    if data is not None:
        return held, load_unlabelled(data, artifacts.preprocess, MOST_LEARNT, console.step)
    return held, np.asarray(dataset.images[learnt])


def _right(artifacts: Artifacts, images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return on which rows of the pictures model_f32.tflite is right, bool [M]; so many at a time as fit in memory."""
    parts = np.array_split(rows, max(1, -(-len(rows) // CHUNK)))
    scores = [
        run(artifacts.float_model, as_float(images[part], artifacts.preprocess), RUNTIME).outputs for part in parts
    ]
    return stats.top_k_correct(np.concatenate(scores), labels, 1)
