"""What both networks of a comparison are trained by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec, to_dict
from sqz_tf.comparison.work import settings_of
from sqz_tf.data.dataset import Summary
from sqz_tf.pipeline.plan import Options, make_plan

pytestmark = pytest.mark.training


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
