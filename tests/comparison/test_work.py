"""What both networks of a comparison are trained by."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from sqz_tf.base.console import Console
from sqz_tf.base.errors import TrainingError
from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, to_dict
from sqz_tf.comparison import work
from sqz_tf.comparison.work import TRAINING, settings_of
from sqz_tf.data.dataset import Summary
from sqz_tf.pipeline.plan import Options, make_plan

pytestmark = pytest.mark.training


def test_checkpoints_stay_until_the_result_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / TRAINING).mkdir()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        work.keep(tmp_path, work.Kept(1, "how"), np.zeros((1, 2)))
    assert (tmp_path / TRAINING).exists()
    monkeypatch.undo()
    work.keep(tmp_path, work.Kept(1, "how"), np.zeros((1, 2)))
    assert not (tmp_path / TRAINING).exists()


def test_a_network_that_learns_nothing_is_told_with_advice_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise TrainingError("training is stuck", fix="lower --learning-rate")

    monkeypatch.setattr(work, "fit", stuck)
    made = cast(Any, SimpleNamespace(settings=SimpleNamespace(seed=1), examples=str, _progress=str, console=Console()))
    with pytest.raises(TrainingError, match=r"training is stuck \(alexnet\); .* try another --width or --seed"):
        work.Work.fit(made, None, cast(Any, None), "alexnet", tmp_path)


def test_epochs_of_ones_own_bring_their_own_warm_up_and_patience() -> None:
    summary = Summary("name", ("a", "b"), {"train": (50, 50)}, (32, 32), 3, "", "0" * 64)
    plan = make_plan(Options(DataConfig(), epochs=6, width=0.1), summary)
    config = {**plan.to_dict(), "model": to_dict(ModelSpec(input_size=48, classes=2, width=0.1))}
    artifacts = cast(Any, SimpleNamespace(export=SimpleNamespace(config=config), preprocess=PreprocessSpec(48, 48)))

    def lasts(epochs: int | None) -> tuple[int, float, int]:
        train = settings_of(artifacts, epochs, seed=1).train
        return train.epochs, train.warmup_epochs, train.patience

    assert lasts(None) == (6, plan.train.warmup_epochs, plan.train.patience) == (6, 1.2, 10)
    assert lasts(100) == (100, 2.0, 33)
