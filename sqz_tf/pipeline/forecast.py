"""What a training run would make and about how long it would take, from a few timed training steps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sqz_tf.base.pixels import Pixels
from sqz_tf.data.dataset import Summary
from sqz_tf.network.exported_weights import ExportedWeights
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.teaching import teacher_of
from sqz_tf.train.batches import Examples, class_weights
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import prunable
from sqz_tf.train.squeezenet import plain_squeezenet, squeezenet

FIXED_SECONDS = 45.0  # start-up, compilation, conversion, checks and report


def foresee(
    plan: Plan, summary: Summary, head_epochs: int = 0, teacher: ExportedWeights | None = None
) -> dict[str, Any]:
    """Return counts, sizes and seconds of a run, as plain values.

    Args:
      head_epochs: of a new last layer alone, before all layers are trained.
      teacher: answers in every step.
    """
    make_deterministic(plan.seed)
    model = squeezenet(plan.model, plan.preprocess)
    plain = plain_squeezenet(plan.model)
    counts = {name: sum(per_class) for name, per_class in summary.counts.items()}
    size = (plan.train.batch_size, plan.model.input_size, plan.model.input_size, plan.model.channels)
    step = _seconds_per_step(model, size, plan.model.classes)
    lesson = _seconds_per_answer(teacher, plan.train.batch_size) if teacher else 0.0
    steps = -(-counts["train"] // plan.train.batch_size)
    epochs = head_epochs / 2 + plan.train.epochs + 1.3 * plan.prune.epochs + 1.8 * plan.quantize.epochs
    if plan.start:
        epochs += plan.start.epochs * (plan.start.input_size / plan.model.input_size) ** 2
    if plan.dsd:
        epochs += 1.3 * plan.dsd.sparse_epochs + plan.dsd.dense_epochs
    lessons = head_epochs + plan.train.epochs + plan.prune.epochs + plan.quantize.epochs
    lessons += plan.start.epochs if plan.start else 0
    lessons += plan.dsd.sparse_epochs + plan.dsd.dense_epochs if plan.dsd else 0
    return {
        "classes": list(summary.classes),
        "counts": counts,
        "per_class": {name: list(per_class) for name, per_class in summary.counts.items()},
        "params": plain.count_params(),
        "int8_bytes": plain.count_params() + 40_000,
        "pruned_layers": prunable(model, plan.prune.skip),
        "class_weights": _class_weights(summary),
        "seconds": round(FIXED_SECONDS + (epochs * step + lessons * lesson) * steps * 1.1),
    }


def _seconds_per_step(model: Any, shape: tuple[int, ...], classes: int, tries: int = 4) -> float:
    model.compile("sgd", "categorical_crossentropy")
    x = np.zeros(shape, np.float32)
    y = np.eye(classes, dtype=np.float32)[np.arange(shape[0]) % classes]
    model.train_on_batch(x, y)
    start = time.perf_counter()
    for _ in range(tries):
        model.train_on_batch(x, y)
    return (time.perf_counter() - start) / tries


def _seconds_per_answer(teacher: ExportedWeights, batch_size: int, tries: int = 3) -> float:
    network = teacher_of(teacher, 1.0).network
    x = np.zeros((batch_size, *network.input_shape[1:]), np.float32)
    network.predict_on_batch(x)
    start = time.perf_counter()
    for _ in range(tries):
        network.predict_on_batch(x)
    return (time.perf_counter() - start) / tries


def _class_weights(summary: Summary) -> str:
    labels = np.repeat(np.arange(len(summary.classes)), summary.counts["train"])
    weights = class_weights(Examples(labels, labels, np.arange(len(labels)), len(summary.classes), Pixels(1.0)))
    if np.all(weights == 1):
        return "none (the classes are balanced)"
    return f"from {weights.min():.2f} to {weights.max():.2f} (the classes are unbalanced)"
