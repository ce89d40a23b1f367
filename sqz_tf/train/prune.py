"""Magnitude pruning with TF-MOT (Zhu and Gupta 2017, arXiv:1710.01878), the same sparsity in every pruned layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.spec import PruneConfig
from sqz_tf.train.batches import Examples, steps_per_epoch
from sqz_tf.train.fit import FitPlan, History, Progress, fit
from sqz_tf.train.keras import keras, tfmot
from sqz_tf.train.squeezenet import convolutions, copy_model

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
) -> tuple[Any, History]:
    """Return a pruned copy of `model`, fine-tuned and without TF-MOT's wrappers, and its history.

    Sparsity rises from zero to `config.sparsity` over the first 60 % of the epochs; the model given is unchanged.
    """
    names = set(prunable(model, config.skip))
    steps = steps_per_epoch(train, plan.batch_size) * plan.epochs
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=config.sparsity,
        begin_step=0,
        end_step=max(1, int(RAMP * steps)),
        frequency=max(1, min(100, int(RAMP * steps) // 20)),
    )

    def wrap(layer: Any) -> Any:
        if layer.name not in names:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    wrapped = keras.models.clone_model(copy_model(model), clone_function=wrap)
    callbacks = (tfmot.sparsity.keras.UpdatePruningStep(),)
    history = fit(
        wrapped, train, validation, plan, seed=seed, state=state, progress=progress, note=note, callbacks=callbacks
    )
    return tfmot.sparsity.keras.strip_pruning(wrapped), history
