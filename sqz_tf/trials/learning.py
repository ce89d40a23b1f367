"""How well a point learns: the dense training of an export, in a folder of its own, stopped where it cannot win.

Pictures are prepared once for each size of the input. What was interrupted goes on after its last finished epoch, and
what is trained is not trained again. Processes that share a folder wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.manifest import versions
from sqz_tf.artifact.workspace import Workspace, stage_key
from sqz_tf.base.console import Console
from sqz_tf.base.errors import OutputError
from sqz_tf.base.spec import to_dict
from sqz_tf.base.stats import top_k_correct
from sqz_tf.data.dataset import Dataset, Summary, load, open_cached
from sqz_tf.pipeline.plan import Plan

Watch = Callable[[Sequence[float]], None]
"""Told the validation accuracy of every epoch so far; whatever it raises ends the training."""

KEY_SHOWN = 12
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Learnt:
    """How well a network has learnt.

    Attributes:
      validation: fraction of the validation pictures that are right at the best epoch.
      validation_pictures: how many there are.
      test_right: held-out pictures that are right; nothing is chosen by it.
      test_pictures: how many there are.
      curve: `validation` after each epoch.
      seconds: what training took.
    """

    validation: float
    validation_pictures: int
    test_right: int
    test_pictures: int
    curve: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Learning:
    """Trains points on a data set, in a folder.

    Attributes:
      folder: where pictures and points lie.
      summary: of the data.
      console: told how far it is.
    """

    folder: Path
    summary: Summary
    console: Console

    def learn(self, plan: Plan, label: str, watch: Watch) -> Learnt:
        """Train a point, or go on with it, or read what it has learnt.

        Args:
          plan: of the point.
          label: what progress is said of.
          watch: see `Watch`.

        Raises:
          TrainingError: it learns nothing.
        """
        from sqz_tf.pipeline.run import Run
        from sqz_tf.pipeline.training import train_alone
        from sqz_tf.train.keras import keras

        keras.backend.clear_session()
        data = self._data(plan)
        key = stage_key(identity(plan), self.summary.sha256)[:KEY_SHOWN]
        with _entered(Workspace(self.folder / "points" / key), self.console) as workspace:
            watched = _Watched(self.console, label, workspace.work, watch)
            stage = train_alone(Run(plan, workspace, watched, ()), self.summary, data, data.sha256)
            return _read(stage.folder, data, workspace.seconds["dense"])

    def _data(self, plan: Plan) -> Dataset:
        """Return the pictures at the size that a plan wants."""
        made_of = [to_dict(plan.preprocess), self.summary.sha256, versions()]
        with _entered(Workspace(self.folder / "data" / stage_key(made_of)[:KEY_SHOWN]), self.console) as workspace:
            stage = workspace.stage("data", made_of, lambda out: _load(plan, self.summary, out, self.console))
            return open_cached(stage.folder / "cache")


def identity(plan: Plan) -> dict[str, Any]:
    """Return what a training depends on besides the pictures, as plain values: not where they lie."""
    values = plan.to_dict()
    return {**values, "data": {**values["data"], "source": ""}}


def _load(plan: Plan, summary: Summary, out: Path, console: Console) -> None:
    load(plan.data, plan.preprocess, out / "cache", console.step, summary.copies)


@contextmanager
def _entered(workspace: Workspace, console: Console) -> Iterator[Workspace]:
    """Enter a workspace, once no other process is in it."""
    told = False
    while True:
        try:
            workspace.__enter__()
            break
        except OutputError as error:
            if "another run" not in error.what:
                raise
            if not told:
                console.note(f"waiting: {error.what}")
            told = True
            time.sleep(POLL_SECONDS)
    try:
        yield workspace
    finally:
        workspace.__exit__(None, None, None)


class _Watched(Console):
    """A console that says of which point training tells, and lets `watch` look at each epoch."""

    def __init__(self, console: Console, label: str, work: Path, watch: Watch) -> None:
        super().__init__(console.quiet)
        self.console, self.label, self.work, self.watch = console, label, work, watch

    def note(self, line: str) -> None:
        """Say nothing of stages: a point has only one."""

    def step(self, label: str, done: int, total: int, extra: str = "") -> None:
        """Say how far the point is, and look at what it has learnt."""
        self.console.step(self.label, done, total, extra)
        self.watch(_curve(self.work))


def _curve(work: Path) -> list[float]:
    """Return the validation accuracy of each finished epoch of the training that is under way."""
    from sqz_tf.base.json_files import load as load_json
    from sqz_tf.train.fit import State

    (path,) = work.glob("dense-*.tmp/training/state.json")
    state: State = load_json(path, State)
    return state.history.val_accuracy


def _read(folder: Path, data: Dataset, seconds: float) -> Learnt:
    from sqz_tf.pipeline.files import read_json

    curve = read_json(folder / "history.json")["val_accuracy"]
    scores, rows = np.load(folder / "scores.npy"), data.splits["test"]
    pictures = len(data.splits["validation"])
    return Learnt(
        validation=round(max(curve) * pictures) / pictures,  # which training tells as float32
        validation_pictures=pictures,
        test_right=int(top_k_correct(scores, data.labels[rows], 1).sum()),
        test_pictures=len(rows),
        curve=tuple(round(each, 6) for each in curve),
        seconds=seconds,
    )
