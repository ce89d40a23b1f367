"""Magnitude pruning with TF-MOT (Zhu and Gupta 2017, arXiv:1710.01878), the same sparsity in every pruned layer.

TF-MOT prunes blocks of matrices only. Those of convolutions are chosen here, in the place where it chooses weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.spec import PruneConfig
from sqz_tf.train.batches import Examples, Teacher, steps_per_epoch
from sqz_tf.train.blocks import block_of
from sqz_tf.train.distribute import ALONE, Alone
from sqz_tf.train.fit import FitPlan, History, Progress, fit
from sqz_tf.train.keras import keras, tf, tfmot
from sqz_tf.train.squeezenet import convolutions, copy_model

WRAPPED = "prune_low_magnitude_"  # before a layer's name in that of TF-MOT's wrapper
RAMP = 0.6  # share of the epochs in which sparsity rises; the rest heals


def prunable(model: Any, skip: tuple[str, ...]) -> list[str]:
    """Return the names of the layers to prune: all convolutions but those in `skip`."""
    return [layer.name for layer in convolutions(model) if layer.name not in skip]


def sparsity(model: Any, names: list[str]) -> dict[str, float]:
    """Return the fraction of zeros in the kernel of each named layer."""
    return {name: float(np.mean(model.get_layer(name).get_weights()[0] == 0)) for name in names}


def prune(
    model: Any,
    train: Examples,
    validation: Examples,
    config: PruneConfig,
    plan: FitPlan,
    *,
    seed: int,
    state: Path,
    progress: Progress | None = None,
    note: Callable[[str], None] = lambda line: None,
    teacher: Teacher | None = None,
    shared: Alone = ALONE,
) -> tuple[Any, History]:
    """Return a pruned copy of `model`, fine-tuned and without TF-MOT's wrappers, and its history.

    Sparsity rises from zero to `config.sparsity` over the first 60 % of the epochs; the model given is unchanged. Whole
    blocks (`sqz_tf.train.blocks`) come as near to it as they can.
    """
    names = prunable(model, config.skip)
    steps = steps_per_epoch(train, plan.batch_size) * plan.epochs

    def build() -> Any:
        made = wrapped_to_prune(copy_model(model), dict.fromkeys(names, config.sparsity), steps)
        if config.pattern == "block":
            for name in names:
                _prune_blocks(made.get_layer(f"{WRAPPED}{name}"))
        return made

    wrapped = build()
    history = fit(
        wrapped,
        train,
        validation,
        plan,
        seed=seed,
        state=state,
        progress=progress,
        note=note,
        callbacks=(tfmot.sparsity.keras.UpdatePruningStep(),),
        teacher=teacher,
        shared=shared,
        build=build,
    )
    return tfmot.sparsity.keras.strip_pruning(wrapped), history


def wrapped_to_prune(model: Any, sparsities: Mapping[str, float], steps: int) -> Any:
    """Return a model of the same layers, shared but for those named, which TF-MOT's wrappers prune.

    Args:
      model: given up to this.
      sparsities: fraction of zeros that each layer's kernel comes to.
      steps: of the training to come.
    """

    def wrap(layer: Any) -> Any:
        if layer.name not in sparsities:
            return layer
        schedule = tfmot.sparsity.keras.PolynomialDecay(
            initial_sparsity=0.0,
            final_sparsity=sparsities[layer.name],
            begin_step=0,
            end_step=max(1, int(RAMP * steps)),
            frequency=max(1, min(100, int(RAMP * steps) // 20)),
        )
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    return keras.models.clone_model(model, clone_function=wrap)


def _prune_blocks(wrapper: Any) -> None:
    """Let TF-MOT's wrapper of a convolution ask for masks of whole blocks."""
    pruning = wrapper.pruning_obj

    def mask(weights: Any) -> tuple[Any, Any]:
        _, share = wrapper.pruning_schedule(wrapper.pruning_step)
        return tf.zeros([]), block_mask(weights, share)

    pruning._maybe_update_block_mask = mask


def block_mask(weights: Any, share: Any) -> Any:
    """Return 0 for the blocks of smallest mean square that come nearest to the share of the weights, 1 for the others.

    Args:
      weights: float32 [KH, KW, I, O].
      share: of zeros, in [0, 1).
    """
    number = block_of(weights.shape)
    sizes = np.bincount(number.ravel())
    squares = tf.math.unsorted_segment_mean(tf.square(weights), number, len(sizes))
    order = tf.argsort(squares, stable=True)
    half = tf.gather(tf.constant(sizes / 2, tf.float32), order)
    kept = 2 * tf.cumsum(half) - half > tf.cast(share, tf.float32) * number.size
    return tf.cast(tf.gather(tf.gather(kept, tf.argsort(order)), number), weights.dtype)
