"""What all networks of a comparison share: the pictures, the schedule, and how one is fitted, measured and kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.base.console import Console
from sqz_tf.base.errors import TrainingError
from sqz_tf.base.pixels import Pixels
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, TrainConfig, from_dict
from sqz_tf.comparison.forecast import alexnet_of, require_possible
from sqz_tf.data.dataset import Dataset, open_cached
from sqz_tf.network.alexnet import AlexNetSpec
from sqz_tf.parity.artifacts import Artifacts
from sqz_tf.pipeline.files import read_json, write_json, write_weights
from sqz_tf.pipeline.plan import lasting
from sqz_tf.quantize.schemes.every import QuantizeConfig
from sqz_tf.train.batches import Examples, evaluation_batches
from sqz_tf.train.fit import FitPlan, History, fit
from sqz_tf.train.keras import make_deterministic

ALEXNET_RATE = 1e-3  # peak: without batch normalisation ten times as much does not converge
TUNING_RATE = 1e-4
TRAINING = "training"  # folder of checkpoints
SEED_OF = {"alexnet": 10, "svd": 11, "pruned": 12, "deep": 13, "eight_bits": 14, "six_bits": 15}
"""Added to the seed: no stage repeats another's shuffles, nor those of the export."""


@dataclass(frozen=True)
class Settings:
    """What AlexNet is made by: the export's preprocessing and schedule, so that both networks had the same chances."""

    alexnet: AlexNetSpec
    squeezenet: ModelSpec
    preprocess: PreprocessSpec
    train: TrainConfig
    prune_epochs: int
    tune_epochs: int
    seed: int


def settings_of(artifacts: Artifacts, epochs: int | None, seed: int) -> Settings:
    """Return the settings that an export calls for.

    Args:
      epochs: of AlexNet's dense training; None takes the export's.

    Raises:
      ConfigError: the export's AlexNet would be too large.
    """
    config = artifacts.export.config
    train = from_dict(TrainConfig, config["train"], "train")
    model = from_dict(ModelSpec, config["model"], "model")
    require_possible(alexnet_of(model))
    if epochs is not None:
        train = lasting(train, epochs, train.learning_rate)
    return Settings(
        alexnet=alexnet_of(model),
        squeezenet=model,
        preprocess=artifacts.preprocess,
        train=replace(train, learning_rate=ALEXNET_RATE),
        prune_epochs=max(1, config["prune"]["epochs"]),
        tune_epochs=max(1, from_dict(QuantizeConfig, config["quantize"], "quantize").epochs),
        seed=seed,
    )


def advised(error: TrainingError, phase: str) -> TrainingError:
    """Return the error with advice for a comparison, which has no option for the rate of learning."""
    fix = "check that the labels fit the pictures; otherwise try another --width or --seed"
    return TrainingError(f"{error.what} ({phase})", expected=error.expected, fix=fix)


@dataclass(frozen=True)
class Work:
    """One comparison while it is made; `pictures` is the folder that `Dataset` is kept in."""

    settings: Settings
    artifacts: Artifacts
    pictures: Path
    console: Console

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures, as both networks see them."""
        return open_cached(self.pictures)

    @cached_property
    def labels(self) -> np.ndarray:
        """Labels of the held-out pictures, integers [N]."""
        return np.asarray(self.dataset.labels[self.dataset.splits["test"]])

    def examples(self, split: str) -> Examples:
        """Return one split."""
        data, pixels = self.dataset, Pixels(self.settings.preprocess.scale)
        return Examples(data.images, data.labels, data.splits[split], len(data.classes), pixels)

    def phase(self, epochs: int, learning_rate: float, **more: Any) -> FitPlan:
        """Return the plan of one phase of training."""
        train = self.settings.train
        return FitPlan(
            epochs=epochs,
            batch_size=train.batch_size,
            learning_rate=learning_rate,
            warmup_epochs=min(train.warmup_epochs, epochs / 5),
            weight_decay=train.weight_decay,
            label_smoothing=train.label_smoothing,
            augment=train.augment,
            mix=train.mix,
            **more,
        )

    def seeded(self, phase: str) -> int:
        """Make a phase's random numbers its own, and return its seed."""
        seed = self.settings.seed + SEED_OF[phase]
        make_deterministic(seed)
        return seed

    def fit(self, model: Any, plan: FitPlan, phase: str, out: Path, callbacks: tuple[Any, ...] = ()) -> History:
        """Train a model in place; an interrupted phase is taken up."""
        try:
            return fit(
                model,
                self.examples("train"),
                self.examples("validation"),
                plan,
                seed=self.settings.seed + SEED_OF[phase],
                state=out / TRAINING,
                progress=self._progress(phase),
                note=self.console.note,
                callbacks=callbacks,
            )
        except TrainingError as error:
            raise advised(error, phase) from error

    def tuned(self, model: Any, phase: str, out: Path) -> History:
        """Tune a compressed model in place at a low rate; it stays as it is unless an epoch is better by validation."""
        return self.fit(model, self.phase(self.settings.tune_epochs, TUNING_RATE, keep_start=True), phase, out)

    def scores(self, model: Any, split: str = "test") -> np.ndarray:
        """Return a model's outputs for a split, float32 [N, classes]."""
        found: np.ndarray = model.predict(evaluation_batches(self.examples(split)), verbose=0)
        return found

    def validation(self, model: Any) -> float:
        """Return how often a model is right on the pictures that choose."""
        examples = self.examples("validation")
        labels = np.asarray(examples.labels[examples.index])
        return float(np.mean(self.scores(model, "validation").argmax(1) == labels))

    def _progress(self, phase: str) -> Callable[[int, int, dict[str, float]], None]:
        def progress(epoch: int, epochs: int, logs: dict[str, float]) -> None:
            extra = f"loss {logs['loss']:.3f}  validation top-1 {logs['val_accuracy']:.3f}"
            self.console.step(phase, epoch, epochs, extra)

        return progress


@dataclass(frozen=True)
class Kept:
    """What a compressed network's stage says of it beside its scores.

    Attributes:
      bytes: that hold it.
      how: with what it was made, and by which settings, in words.
      values_bytes: of its values alone, where the paper counts no more.
      parts: bytes by what they hold, where they were encoded.
    """

    bytes: int
    how: str
    values_bytes: int | None = None
    parts: dict[str, int] | None = None


def keep(out: Path, kept: Kept, scores: np.ndarray, history: History | None = None, model: Any = None) -> None:
    """Write what a stage found, and discard the checkpoints of its training."""
    np.save(out / "scores.npy", scores)
    write_json(out / "row.json", asdict(kept))
    if history:
        write_json(out / "history.json", asdict(history))
    if model is not None:
        write_weights(out / "weights.npz", model.get_weights())
    shutil.rmtree(out / TRAINING, ignore_errors=True)  # last: until then an interruption goes on from them


def kept_in(folder: Path) -> tuple[Kept, np.ndarray]:
    """Return what `keep` wrote: the row, and the scores [N, classes]."""
    return Kept(**read_json(folder / "row.json")), np.load(folder / "scores.npy")
