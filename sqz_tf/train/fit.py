"""Fit a Keras model: Adam with decoupled weight decay, warm-up, cosine decay, early stop, resumable each epoch."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.manifest import sha256_of, write_json
from sqz_tf.base.errors import TrainingError
from sqz_tf.base.json_files import JsonError, load
from sqz_tf.train.averaging import Averaged
from sqz_tf.train.batches import Examples, Part, Teacher, steps_per_epoch, training_batches
from sqz_tf.train.distribute import ALONE, Alone, Build
from sqz_tf.train.keras import keras, tf

STUCK_LOSS = 0.985  # of ln(classes): above it, nothing has been learnt
STUCK_EPOCHS = 5
STUCK_STEPS = 100
SAFER_START = 0.1  # learning rate of the second attempt, relative to the first

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class FitPlan:
    """One phase of training.

    Attributes:
      first_best_epoch: epochs before it are never kept as the best (a pruning schedule still at work).
      restart: try again once with a safer start if the loss stays at ln(classes).
      keep_start: the weights before training stay unless an epoch is better by validation.
      mix: alpha of mix-up, 0 for none.
      averaging: epochs that the moving average of the weights spans, which is judged and kept; 0 for none.
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 3e-3
    warmup_epochs: float = 1.0
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augment: str = "none"
    mix: float = 0.0
    averaging: float = 0.0
    patience: int = 0
    first_best_epoch: int = 0
    restart: bool = False
    keep_start: bool = False


@dataclass
class History:
    """Per-epoch figures of a phase, as plotted in the report."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    restarts: int = 0
    best_epoch: int = -1
    start: tuple[float, float] | None = None  # validation accuracy and loss before training, if asked for


@dataclass(frozen=True)
class State:
    """What `state.json` says of an interrupted phase: its finished epochs, their figures, and its files' hashes."""

    epoch: int
    history: History
    files: dict[str, str]

    def files_are_whole(self, folder: Path) -> bool:
        """Tell whether the files that belong to them have the hashes they had; names that lead elsewhere do not."""
        if self.epoch and not any(name.startswith(f"epoch-{self.epoch}.") for name in self.files):
            return False
        return all(Path(name).name == name and sha256_of(folder / name) == found for name, found in self.files.items())

    def fits(self, epochs: int) -> bool:
        """Tell whether the figures are those of so many epochs, of which there are at most `epochs`."""
        figures = (self.history.loss, self.history.accuracy, self.history.val_loss, self.history.val_accuracy)
        counted = 0 <= self.epoch <= epochs and all(len(each) == self.epoch for each in figures)
        return counted and -1 <= self.history.best_epoch < max(1, self.epoch) and self.history.restarts in (0, 1)


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then half a cosine down to a hundredth (Loshchilov and Hutter 2017, arXiv:1608.03983)."""

    def __init__(self, peak: float, warmup_steps: int, total_steps: int) -> None:
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step: Any) -> Any:
        """Return the learning rate at an optimizer step."""
        step = tf.cast(step, tf.float32)
        warmup = (step + 1) / max(1, self.warmup_steps)
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        cosine = 0.01 + 0.99 * 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(progress, 0.0, 1.0)))
        return self.peak * tf.minimum(warmup, cosine)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild the schedule."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


def fit(
    model: Any,
    train: Examples,
    validation: Examples,
    plan: FitPlan,
    *,
    seed: int,
    state: Path,
    progress: Progress | None = None,
    note: Callable[[str], None] = lambda line: None,
    callbacks: tuple[Any, ...] = (),
    teacher: Teacher | None = None,
    shared: Alone = ALONE,
    build: Build | None = None,
) -> History:
    """Train `model` in place and leave it with the weights of the best epoch by validation.

    Args:
      model: Keras model, float32 [N, H, W, C] → probabilities [N, classes].
      state: folder for resuming; an interrupted call continues after its last finished epoch, to the same result.
      note: told with one line if what an interrupted call left is damaged.
      callbacks: further Keras callbacks (TF-MOT's pruning step).
      teacher: whose answers are learnt, too.
      shared: the replicas that train together; each of their processes calls `fit`.
      build: makes another model of this structure; without it the replicas' are copies.

    Raises:
      TrainingError: the loss stayed at ln(classes), twice if the plan allows a restart; or it is not finite.
    """
    state.mkdir(parents=True, exist_ok=True)
    with shared.watching():
        copy = shared.copied(model, build, state)
    run = _Run(copy, train, validation, plan, seed, state, progress, note, teacher, shared)
    initial = copy.get_weights()
    while True:
        with shared.watching():
            run.go(callbacks)
        if not run.stuck:
            return run.finish(model)
        if not plan.restart or run.history.restarts:
            raise _stuck_error(run.history, train.classes)
        run.start_again(initial)


@contextmanager
def _without_wildcards(folder: Path) -> Iterator[Path]:
    """Give a path to a folder for TensorFlow, which takes names of checkpoints for patterns when it reads them."""
    if not set(str(folder)) & set("*?[]\\"):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="sqz-tf-") as place:
        link = Path(place, "state")
        link.symlink_to(folder.resolve(), target_is_directory=True)
        yield link


def _stuck_error(history: History, classes: int) -> TrainingError:
    return TrainingError(
        f"training is stuck: after {len(history.loss)} epochs the loss is {history.loss[-1]:.3f}, "
        f"no better than guessing among {classes} classes (ln {classes} = {math.log(classes):.3f})",
        fix="check that the labels fit the pictures; otherwise lower --learning-rate or raise --width",
    )


class _Run:
    """One call of `fit`: the state that survives an interruption, and the epoch loop."""

    def __init__(
        self,
        model: Any,
        train: Examples,
        validation: Examples,
        plan: FitPlan,
        seed: int,
        state: Path,
        progress: Progress | None,
        note: Callable[[str], None],
        teacher: Teacher | None = None,
        shared: Alone = ALONE,
    ) -> None:
        self.model, self.train, self.validation, self.plan = model, train, validation, plan
        self.seed, self.state, self.progress, self.note, self.teacher = seed, state, progress, note, teacher
        self.shared = shared
        self.steps = steps_per_epoch(train, plan.batch_size)
        self.history = History()
        self.stuck = False

    def go(self, callbacks: tuple[Any, ...]) -> None:
        """Train from the last checkpoint, or from the start."""
        self.shared.follow(self.state)
        start = self._read_state()
        rate = self.plan.learning_rate * SAFER_START**self.history.restarts
        with self.shared.scope():
            self._compile(rate, self.plan.warmup_epochs + 3 * self.history.restarts)
        if start:
            with _without_wildcards(self.state) as folder:
                self.checkpoint.read(str(folder / f"epoch-{start}")).assert_consumed()
        if self.plan.keep_start and self.history.start is None:
            loss, accuracy = self.model.evaluate(**self.shared.judged(self.validation), verbose=0)
            self.history.start = (float(accuracy), float(loss))
            self._save_best()
        if self.stuck or start >= self.plan.epochs or self._out_of_patience():
            return
        judged = self.shared.judged(self.validation)
        self.model.fit(
            self.shared.batches(lambda part: self._batches(start, part)),
            steps_per_epoch=self.steps,
            initial_epoch=start,
            epochs=self.plan.epochs,
            validation_data=judged["x"],
            validation_steps=judged["steps"],
            callbacks=[*callbacks, *self.averaged, keras.callbacks.LambdaCallback(on_epoch_end=self._epoch_end)],
            verbose=0,
        )

    def _batches(self, start: int, part: Part) -> Any:
        return training_batches(
            self.train,
            batch_size=self.plan.batch_size,
            seed=self.seed,
            first_step=start * self.steps,
            augment=self.plan.augment,
            label_smoothing=self.plan.label_smoothing,
            mix=self.plan.mix,
            teacher=self.teacher,
            part=part,
        )

    def _compile(self, rate: float, warmup_epochs: float) -> None:
        schedule = WarmupCosine(rate, round(warmup_epochs * self.steps), self.plan.epochs * self.steps)
        self.optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=self.plan.weight_decay, global_clipnorm=1.0, jit_compile=False
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.model.compile(self.optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        self.optimizer.build(self.model.trainable_variables)
        self._build_metrics()
        span = self.plan.averaging * self.steps
        self.averaged = [Averaged(self.model, 1 - 1 / max(1.0, span))] if span else []
        averages = self.averaged[0].state if self.averaged else {}
        self.checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer, **averages)

    def _build_metrics(self) -> None:
        """Make the metrics' variables now: Keras makes them in the first step, and TensorFlow then traces a second."""
        outputs = self.model.output
        self.model.compiled_loss.build(outputs)
        self.model.compiled_metrics.build(outputs, outputs)

    def _epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not all(math.isfinite(logs[name]) for name in ("loss", "val_loss")):
            raise TrainingError(
                f"epoch {epoch + 1} ended with a loss of {logs['loss']} (validation {logs['val_loss']})",
                expected="finite numbers",
                fix="lower --learning-rate",
            )
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            getattr(self.history, name).append(float(logs[name]))
        if self._is_best(epoch):
            self.history.best_epoch = epoch
            self._save_best()
        for averaged in self.averaged:
            averaged.give_back()
        self._save(epoch + 1)
        if self.progress:
            self.progress(epoch + 1, self.plan.epochs, dict(logs))
        self.stuck = self._looks_stuck(epoch + 1)
        if self.stuck or self._out_of_patience():
            self.model.stop_training = True

    def _is_best(self, epoch: int) -> bool:
        """Later is better among equals; accuracy first, then loss."""
        history, best = self.history, self.history.best_epoch
        if epoch < min(self.plan.first_best_epoch, self.plan.epochs - 1):
            return False
        now = (history.val_accuracy[epoch], -history.val_loss[epoch])
        if best < 0:
            return history.start is None or now > (history.start[0], -history.start[1])
        return now >= (history.val_accuracy[best], -history.val_loss[best])

    def _looks_stuck(self, epochs: int) -> bool:
        """Judge once, when enough has been seen; a run of fewer than STUCK_EPOCHS is not judged."""
        due = min(max(STUCK_EPOCHS, -(-STUCK_STEPS // self.steps)), self.plan.epochs)
        if not self.plan.restart or epochs != due or due < STUCK_EPOCHS:
            return False
        return min(self.history.loss) > STUCK_LOSS * math.log(self.train.classes)

    def _out_of_patience(self) -> bool:
        history, best = self.history, self.history.best_epoch
        if not self.plan.patience or best < 0:
            return False
        recent, before = history.val_loss[-self.plan.patience :], history.val_loss[: -self.plan.patience]
        return len(history.loss) - 1 - best >= self.plan.patience and min(recent) >= min(before)

    def start_again(self, initial: list[np.ndarray]) -> None:
        """Forget the first attempt, keep count of it."""
        self.history = History(restarts=self.history.restarts + 1)
        self.stuck = False
        self.model.set_weights(initial)
        self._write_state(0)

    def finish(self, model: Any) -> History:
        """Give a model the weights of the best epoch, or of the start if that was kept."""
        self.shared.follow(self.state)
        if self.history.best_epoch >= 0 or self.history.start is not None:
            with np.load(self._best()) as best:
                model.set_weights([best[name] for name in best.files])
        return self.history

    def _best(self) -> Path:
        """Return the file of the best weights; each epoch's has a name of its own, so that a crash spoils none."""
        return self.state / f"best-{self.history.best_epoch + 1}.npz"

    def _save_best(self) -> None:
        if not self.shared.is_chief:
            return
        partial = self.state / "best.partial.npz"
        np.savez(partial, *self.model.get_weights())
        os.replace(partial, self._best())

    def _save(self, epoch: int) -> None:
        """Write the checkpoint of a finished epoch; `state.json` names it last, so a crash leaves the old one."""
        if not self.shared.is_chief:
            return
        self.checkpoint.write(str(self.state / f"epoch-{epoch}"))
        self._write_state(epoch)
        old_bests = [path for path in self.state.glob("best-*.npz") if path != self._best()]
        for old in [*self.state.glob(f"epoch-{epoch - 1}.*"), *old_bests]:
            old.unlink()

    def _write_state(self, epoch: int) -> None:
        """Write what a later run takes up: the epoch, the history, and the hashes of the files that belong to them."""
        if not self.shared.is_chief:
            return
        names = sorted(
            path.name for path in [*self.state.glob(f"epoch-{epoch}.*"), *self.state.glob(self._best().name)]
        )
        files = {name: sha256_of(self.state / name) for name in names}
        write_json(self.state / "state.json", {"epoch": epoch, "history": asdict(self.history), "files": files})

    def _read_state(self) -> int:
        """Take up the history of an interrupted run; return its finished epochs, 0 if what it left is damaged."""
        path = self.state / "state.json"
        if not path.exists():
            return 0
        try:
            saved: State = load(path, State)
            whole = saved.fits(self.plan.epochs) and saved.files_are_whole(self.state)
        except (JsonError, OSError):
            whole = False
        if not whole:
            self.note("what the interrupted run left is damaged: training starts again")
            return 0
        self.history = saved.history
        self.stuck = self._looks_stuck(saved.epoch)
        return saved.epoch
