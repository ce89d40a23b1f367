"""How long a training is said to take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sqz_tf.base.spec import DataConfig, ModelSpec, PreprocessSpec
from sqz_tf.data.dataset import Summary
from sqz_tf.network.architecture import layer_shapes
from sqz_tf.network.exported_weights import ExportedWeights
from sqz_tf.pipeline.plan import Options, make_plan

pytestmark = pytest.mark.training


def test_a_teacher_answers_in_every_step_of_every_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqz_tf.pipeline import forecast

    spec = ModelSpec(input_size=32, classes=2, width=0.1)
    layers: dict[str, Any] = {
        name: (np.zeros(shape, np.float32), np.zeros(shape[-1], np.float32))
        for name, shape in layer_shapes(spec).items()
    }
    teacher = ExportedWeights(layers, spec, PreprocessSpec(32, 32), ("a", "b"))
    summary = Summary("name", ("a", "b"), {"train": (64, 64)}, (32, 32), 3, "", "0" * 64)
    chosen: dict[str, Any] = {"epochs": 8, "prune_epochs": 4, "quantize_epochs": 2, "dsd": True, "start_size": 24}
    plan = make_plan(Options(DataConfig(), width=0.1, **chosen), summary)
    assert forecast._seconds_per_answer(teacher, 4) > 0
    monkeypatch.setattr(forecast, "_seconds_per_step", lambda *given: 0.0)
    monkeypatch.setattr(forecast, "_seconds_per_answer", lambda *given: 100.0)
    alone, taught = (forecast.foresee(plan, summary, 15, each)["seconds"] for each in (None, teacher))
    epochs = 15 + 8 + (4 + 4) + 4 + 2  # the new layer's, the start's and the rest's, --dsd's, pruned, quantized
    assert taught - alone == pytest.approx(epochs * 2 * 100 * 1.1, abs=1)
