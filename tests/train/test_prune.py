"""Pruning reaches its target in every layer and leaves the given model alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec, PruneConfig
from sqz_tf.train.batches import Examples
from sqz_tf.train.fit import FitPlan
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import prunable, prune, sparsity
from sqz_tf.train.squeezenet import StatelessDropout, squeezenet

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

SPEC = ModelSpec(input_size=32, channels=1, classes=3, width=0.1, batch_norm=True)


def examples(count: int = 48) -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count).astype(np.int32)
    images = rng.integers(0, 60, (count, 32, 32, 1)) + 70 * labels[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count), 3, Pixels(1 / 255))


@pytest.mark.parametrize("target", [0.5, pytest.param(0.8, marks=pytest.mark.slow)])
def test_every_layer_but_the_skipped_reaches_the_target(target: float, tmp_path: Path) -> None:
    make_deterministic(1)
    model = squeezenet(SPEC)
    before = model.get_weights()
    config = PruneConfig(sparsity=target, skip=("conv1", "conv10"))
    pruned, history = prune(
        model, examples(), examples(), config, FitPlan(epochs=4, batch_size=16), seed=1, state=tmp_path
    )
    names = prunable(model, config.skip)
    assert len(names) == 24
    for name, fraction in sparsity(pruned, names).items():
        size = pruned.get_layer(name).get_weights()[0].size
        assert abs(fraction - target) <= 2 / size, name  # TF-MOT rounds its threshold
    assert sparsity(pruned, ["conv1", "conv10"]) == {"conv1": 0, "conv10": 0}
    assert len(history.loss) == 4
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not any("prune" in layer.name for layer in pruned.layers)
    assert any(isinstance(layer, StatelessDropout) for layer in pruned.layers)
