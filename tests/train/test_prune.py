"""Pruning reaches its target in every layer and leaves the given model alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec, PruneConfig
from sqz_tf.train.batches import Examples
from sqz_tf.train.blocks import block_of
from sqz_tf.train.fit import FitPlan
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import block_mask, prunable, prune, sparsity
from sqz_tf.train.squeezenet import StatelessDropout, squeezenet
from tests.helpers.pruned_fire import pruned_fire

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

SPEC = ModelSpec(input_size=32, channels=1, classes=3, width=0.1, batch_norm=True)


def examples(count: int = 48) -> Examples:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count).astype(np.int32)
    images = rng.integers(0, 60, (count, 32, 32, 1)) + 70 * labels[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count), 3, Pixels(1 / 255))


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.5, 0.8])
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


def test_block_pruning_leaves_whole_blocks_of_every_layer(tmp_path: Path) -> None:
    make_deterministic(1)
    model, rng = pruned_fire(), np.random.default_rng(0)
    model.set_weights([rng.normal(size=each.shape) for each in model.get_weights()])
    pictures = rng.integers(0, 256, (32, 8, 8, 3)).astype(np.uint8)
    train = Examples(pictures, rng.integers(0, 4, 32).astype(np.int32), np.arange(32), 4, Pixels(1 / 255))
    config = PruneConfig(sparsity=0.5, pattern="block", skip=("squeeze1x1",))
    pruned, _ = prune(model, train, train, config, FitPlan(epochs=1, batch_size=4), seed=1, state=tmp_path)
    names = prunable(model, config.skip)
    assert len(names) == 3
    for name, fraction in sparsity(pruned, names).items():
        kernel = pruned.get_layer(name).get_weights()[0]
        assert set(shares(kernel != 0)) == {0, 1}, name
        assert abs(fraction - 0.5) <= 4 / kernel.size, name


def shares(there: np.ndarray) -> np.ndarray:
    """Return the share of each block of a kernel that is there."""
    number = block_of(there.shape).ravel()
    return np.bincount(number, there.ravel()) / np.bincount(number)


@pytest.mark.parametrize("shape", [(3, 3, 3, 16), (1, 1, 16, 10), (3, 2, 7, 9), (1, 1, 1, 1), (1, 3, 5, 6)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9])
def test_a_mask_takes_the_smallest_blocks_as_many_as_come_nearest(shape: tuple[int, ...], share: float) -> None:
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    mask, number = block_mask(weights, share).numpy(), block_of(shape).ravel()
    assert set(shares(mask)) <= {0, 1}
    assert abs(1 - mask.mean() - share) <= 4 / mask.size + 1e-6
    squares = np.bincount(number, np.square(weights).ravel()) / np.bincount(number)
    there = shares(mask) == 1
    assert squares[~there].max(initial=0) <= squares[there].min(initial=np.inf)
