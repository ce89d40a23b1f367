"""An export that trains: data → dense → pruned → quantized, then what every export does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.workspace import Workspace
from sqz_tf.base.console import Console
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import PreprocessSpec, QuantizeConfig
from sqz_tf.data.dataset import Summary, load
from sqz_tf.network.pretrained import Pretrained
from sqz_tf.pipeline.plan import Plan
from sqz_tf.pipeline.stages import Made, Pipeline, read_json, read_weights, write_json, write_weights
from sqz_tf.quantize.aware import activation_ranges, without_fake_quantization
from sqz_tf.quantize.calibrate import Calibration, calibrate
from sqz_tf.quantize.equalise import unit_scale
from sqz_tf.quantize.schemes.grid import grid_of
from sqz_tf.train.batches import Examples, class_weights, evaluation_batches
from sqz_tf.train.fit import FitPlan, History, fit
from sqz_tf.train.keras import make_deterministic
from sqz_tf.train.prune import prunable, prune, sparsity
from sqz_tf.train.squeezenet import change_pixels, convolutions, fold, plain_squeezenet, set_layers, squeezenet

FIXED_SECONDS = 45.0  # start-up, compilation, conversion, checks and report
SEED_OF = {"dense": 0, "pruned": 1, "quantized": 2}  # added to the seed: no stage repeats another's shuffles
HEAD_EPOCHS = 15
HEAD_RATE = 3e-3
SCALE_IMAGES = 64
STATISTICS_IMAGES = 2000


class TrainingPipeline(Pipeline):
    """Train from scratch, or fine-tune published weights under a new head; then prune and quantize.

    Args:
      pretrained: weights to start from; None starts from nothing. The rest is as for `Pipeline`.
    """

    def __init__(
        self,
        plan: Plan,
        summary: Summary,
        workspace: Workspace,
        console: Console,
        command: list[str],
        pretrained: Pretrained | None = None,
    ) -> None:
        super().__init__(plan, summary.sha256, workspace, console, command, pretrained)

    def _make(self) -> Made:
        plan = self.plan
        self.data = self._stage("data", plan.preprocess, self._load)
        origin = self.pretrained.sha256 if self.pretrained else None
        self.dense = self._stage("dense", [plan.model, plan.train, plan.seed, origin], self._train, resumable=True)
        self.pruned = self._stage("pruned", plan.prune, self._prune, resumable=True)
        if grid_of(plan.quantize).power_of_two:
            self._compare(self._folded, self._quantize)
        self.quantized = self._stage(
            "quantized", plan.quantize, lambda out: self._quantize(out, plan.quantize), resumable=True
        )
        return Made(
            reference_scores=np.load(self.dense / "scores.npy"),
            pruned_scores=np.load(self.pruned / "scores.npy"),
            sparsity=read_json(self.pruned / "sparsity.json"),
            sparsity_target=plan.prune.sparsity,
            training={
                "float": read_json(self.dense / "history.json"),
                "pruned": read_json(self.pruned / "history.json"),
                "qat": read_json(self.quantized / "history.json"),
            },
            more={},
        )

    def _models(self) -> tuple[Any, Any]:
        config = self.plan.quantize
        model, plain = self._quantized(self.quantized, config)
        final = without_fake_quantization(model, plain)
        return model, change_pixels(final, grid_of(config).pixels(self.preprocess.scale), self._raw)

    def _folded(self) -> Any:
        """Return the pruned network as the plain graph that is quantized."""
        return fold(self._network(self.pruned), self.plan.model, self.preprocess)

    def _load(self, out: Path) -> None:
        load(self.plan.data, self.plan.preprocess, out / "cache", self.console.step)

    @cached_property
    def preprocess(self) -> PreprocessSpec:
        """The plan's preprocessing; from scratch, with the training pictures' mean and standard deviation."""
        if self.pretrained:
            return self.plan.preprocess
        train = self.dataset.splits["train"]
        mean, std = _channel_statistics(self.dataset.images, train[:: -(-len(train) // STATISTICS_IMAGES)])
        return replace(
            self.plan.preprocess,
            mean=tuple(round(float(value), 4) for value in mean),
            std=tuple(round(max(float(value), 0.05), 4) for value in std),
        )

    def _examples(self, split: str, pixels: Pixels | None = None) -> Examples:
        data = self.dataset
        return Examples(data.images, data.labels, data.splits[split], len(data.classes), pixels or self._raw)

    def _network(self, folder: Path | None = None) -> Any:
        model = squeezenet(self.plan.model, self.preprocess)
        if folder is not None:
            model.set_weights(read_weights(folder / "weights.npz"))
        return model

    def _train(self, out: Path) -> None:
        train = self.plan.train
        plan = replace(
            self._phase(train.epochs, train.learning_rate),
            warmup_epochs=train.warmup_epochs,
            patience=train.patience,
            restart=self.pretrained is None,
            keep_start=self.pretrained is not None,
        )
        make_deterministic(self.plan.seed)
        model = self._network()
        if self.pretrained:
            self._train_head(model, plan, out)
        self._finish(out, model, self._fit(model, plan, "dense", out))

    def _train_head(self, model: Any, plan: FitPlan, out: Path) -> None:
        """Load the published layers and fit the new head alone, so that its first steps do not spoil them."""
        assert self.pretrained is not None
        set_layers(model, {name: pair for name, pair in self.pretrained.layers.items() if name != "conv10"})
        head = model.get_layer("conv10").get_weights()
        unit_scale(model, self._numbers(self.dataset.splits["calibration"][:SCALE_IMAGES]))
        model.get_layer("conv10").set_weights(head)
        body = [layer for layer in convolutions(model) if layer.name != "conv10"]
        for layer in body:
            layer.trainable = False
        warm_up = replace(
            plan, epochs=HEAD_EPOCHS, learning_rate=HEAD_RATE, warmup_epochs=0.5, restart=False, patience=0
        )
        self._fit(model, warm_up, "dense", out, "head")
        for layer in body:
            layer.trainable = True

    def _prune(self, out: Path) -> None:
        config = self.plan.prune
        plan = self._phase(config.epochs, config.learning_rate, first_best_epoch=round(0.7 * config.epochs))
        make_deterministic(self.plan.seed + SEED_OF["pruned"])
        model, history = prune(
            self._network(self.dense),
            self._examples("train"),
            self._examples("validation"),
            config,
            plan,
            seed=self.plan.seed + SEED_OF["pruned"],
            state=out / "training",
            progress=self._progress("pruned"),
        )
        self._finish(out, model, history)
        write_json(out / "sparsity.json", sparsity(model, prunable(model, config.skip)))

    def _quantize(self, out: Path, config: QuantizeConfig) -> None:
        make_deterministic(self.plan.seed + SEED_OF["quantized"])
        pixels = grid_of(config).pixels(self.preprocess.scale)
        found = self._calibrated(change_pixels(self._folded(), self._raw, pixels), config, pixels)
        model = self._quantize_aware(found.model, config, found.ranges, found.bounds)
        write_weights(out / "before.npz", model.get_weights())
        plan = replace(self._phase(config.epochs, config.learning_rate), keep_start=True)
        history = self._fit(model, plan, "quantized", out, pixels=pixels)
        write_weights(out / "plain.npz", found.model.get_weights())
        write_json(out / "ranges.json", found.ranges)
        self._finish(out, model, history, pixels)

    def _calibrated(self, plain: Any, config: QuantizeConfig, pixels: Pixels) -> Calibration:
        """Return the network to quantize and its ranges.

        A network trained with batch norm has even activations: with free scales, the values it puts out are the range.
        A published one has outliers, and powers of two are coarse, so these are searched.
        """
        x, grid = self._numbers(self.dataset.splits["calibration"], pixels), grid_of(config)
        if self.pretrained is None and not grid.power_of_two:
            return Calibration(plain, plain, activation_ranges(plain, x))
        return calibrate(plain, x, pixels.range, grid, self.console.step)

    def _phase(self, epochs: int, learning_rate: float, first_best_epoch: int = 0) -> FitPlan:
        train = self.plan.train
        return FitPlan(
            epochs=epochs,
            batch_size=train.batch_size,
            learning_rate=learning_rate,
            warmup_epochs=min(0.5, epochs / 5),
            weight_decay=train.weight_decay,
            label_smoothing=train.label_smoothing,
            augment=train.augment,
            first_best_epoch=first_best_epoch,
        )

    def _fit(
        self, model: Any, plan: FitPlan, phase: str, out: Path, part: str = "training", pixels: Pixels | None = None
    ) -> History:
        return fit(
            model,
            self._examples("train", pixels),
            self._examples("validation", pixels),
            plan,
            seed=self.plan.seed + SEED_OF[phase],
            state=out / part,
            progress=self._progress(phase if part == "training" else part),
        )

    def _finish(self, out: Path, model: Any, history: History, pixels: Pixels | None = None) -> None:
        """Keep a phase's weights, its history, and its scores on the held-out pictures."""
        scores = model.predict(evaluation_batches(self._examples("test", pixels)), verbose=0)
        np.save(out / "scores.npy", scores)
        write_json(out / "history.json", asdict(history))
        write_weights(out / "weights.npz", model.get_weights())

    def _progress(self, phase: str) -> Callable[[int, int, dict[str, float]], None]:
        def progress(epoch: int, epochs: int, logs: dict[str, float]) -> None:
            extra = f"loss {logs['loss']:.3f}  validation top-1 {logs['val_accuracy']:.3f}"
            self.console.step(phase, epoch, epochs, extra)

        return progress


def _channel_statistics(images: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel in units of 0…1, from exact integer sums."""
    sums = np.zeros((2, images.shape[-1]), np.int64)
    for row in rows:
        pixels = images[row].reshape(-1, images.shape[-1]).astype(np.int64)
        sums += np.stack([pixels.sum(0), np.square(pixels).sum(0)])
    mean, square = sums / (len(rows) * images[0].size / images.shape[-1])
    return mean / 255, np.sqrt(square - mean**2) / 255


def foresee(plan: Plan, summary: Summary, head_epochs: int = 0) -> dict[str, Any]:
    """Return what a run would make and about how long it would take, from a few timed training steps."""
    make_deterministic(plan.seed)
    model = squeezenet(plan.model, plan.preprocess)
    plain = plain_squeezenet(plan.model)
    counts = {name: sum(per_class) for name, per_class in summary.counts.items()}
    size = (plan.train.batch_size, plan.model.input_size, plan.model.input_size, plan.model.channels)
    step = _seconds_per_step(model, size, plan.model.classes)
    steps = -(-counts["train"] // plan.train.batch_size)
    epochs = head_epochs / 2 + plan.train.epochs + 1.3 * plan.prune.epochs + 1.8 * plan.quantize.epochs
    return {
        "classes": list(summary.classes),
        "counts": counts,
        "per_class": {name: list(per_class) for name, per_class in summary.counts.items()},
        "params": plain.count_params(),
        "int8_bytes": plain.count_params() + 40_000,
        "pruned_layers": prunable(model, plan.prune.skip),
        "class_weights": _class_weights(summary),
        "seconds": round(FIXED_SECONDS + epochs * steps * step * 1.1),
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


def _class_weights(summary: Summary) -> str:
    labels = np.repeat(np.arange(len(summary.classes)), summary.counts["train"])
    weights = class_weights(Examples(labels, labels, np.arange(len(labels)), len(summary.classes), Pixels(1.0)))
    if np.all(weights == 1):
        return "none (the classes are balanced)"
    return f"from {weights.min():.2f} to {weights.max():.2f} (the classes are unbalanced)"
