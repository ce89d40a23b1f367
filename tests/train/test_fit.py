"""Training learns, resumes to the same weights, and says when it is stuck."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqz_tf.base.errors import TrainingError
from sqz_tf.base.pixels import Pixels
from sqz_tf.train import fit as training
from sqz_tf.train.batches import (
    AUGMENTATIONS,
    Examples,
    class_weights,
    evaluation_batches,
    steps_per_epoch,
    training_batches,
)
from sqz_tf.train.fit import FitPlan, History, WarmupCosine, _Run, fit
from sqz_tf.train.keras import keras, make_deterministic
from sqz_tf.train.squeezenet import StatelessDropout
from tests.helpers.needs import quick

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]

PLAN = FitPlan(epochs=5, batch_size=16, learning_rate=1e-2, label_smoothing=0.05, augment="glyph")


def examples(count: int = 60, noise: int = 60) -> Examples:
    """Return pictures whose brightness tells the class."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 3).astype(np.int32)
    images = rng.integers(0, noise, (count, 32, 32, 1)) + 70 * labels[:, None, None, None]
    return Examples(images.astype(np.uint8), labels, np.arange(count), 3, Pixels(1 / 255))


def network() -> Any:
    """Return a network with everything that has a state of its own: batch norm's means, and dropout's counter."""
    layers = keras.layers
    x = inputs = layers.Input((32, 32, 1))
    x = layers.Conv2D(8, 3, strides=4)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    x = layers.Conv2D(3, 1)(StatelessDropout(0.2)(x))
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


def trained(state: Path, plan: FitPlan = PLAN, data: Examples | None = None, **options: Any) -> tuple[Any, Any]:
    make_deterministic(1)
    model = network()
    data = data or examples()
    return model, fit(model, data, data, plan, seed=1, state=state, **options)


def test_learns_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    model, history = trained(tmp_path, FitPlan(epochs=12, batch_size=16, learning_rate=1e-2))
    data = examples()
    predicted = model.predict(evaluation_batches(data), verbose=0).argmax(1)
    assert np.mean(predicted == data.labels) == pytest.approx(max(history.val_accuracy))
    assert max(history.val_accuracy) > 0.9


def test_a_step_is_traced_once(tmp_path: Path) -> None:
    model, data, traced = network(), examples(), []
    step = model.train_step
    model.train_step = lambda batch: traced.append(batch) or step(batch)
    fit(model, data, data, replace(PLAN, epochs=2), seed=1, state=tmp_path)
    assert len(traced) == 1


def test_the_start_is_kept_if_no_epoch_is_better(tmp_path: Path) -> None:
    plan = FitPlan(epochs=12, batch_size=16, learning_rate=1e-2)
    model, _ = trained(tmp_path / "first", plan)
    good, data = model.get_weights(), examples()
    harmful = FitPlan(epochs=2, batch_size=16, learning_rate=5.0, warmup_epochs=0, keep_start=True)
    history = fit(model, data, data, harmful, seed=1, state=tmp_path / "second")
    assert history.best_epoch == -1
    for a, b in zip(good, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("stop_after", "averaging"), quick([(1, 0.0), (3, 0.0), (2, 1.0)], (2, 1.0)))
def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path, stop_after: int, averaging: float) -> None:
    plan = replace(PLAN, averaging=averaging)
    whole, _ = trained(tmp_path / "whole", plan)

    def interrupt(epoch: int, epochs: int, logs: dict[str, float]) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", plan, progress=interrupt)
    resumed, history = trained(tmp_path / "parts", plan)
    assert len(history.loss) == PLAN.epochs
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["photos [new]", "why?*", "back\\slash"])
def test_a_state_is_taken_up_from_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    def interrupt(epoch: int, epochs: int, logs: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / name, replace(PLAN, epochs=2), progress=interrupt)
    _, history = trained(tmp_path / name, replace(PLAN, epochs=2))
    assert len(history.loss) == 2
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([3.0, 2.0, 2.0, 2.5], True),
        ([3.0, 2.0, 1.9, 1.8], False),
        ([3.0, 2.0, 2.5, 1.9], False),
        ([3.0, 2.0, 2.5], False),
    ],
)
def test_patience_lasts_while_the_loss_still_falls(losses: list[float], stops: bool, tmp_path: Path) -> None:
    """The best epoch by accuracy is the second."""
    run = _Run(None, examples(), examples(), replace(PLAN, patience=2), 1, tmp_path, None, print)
    run.history = History(loss=losses, val_loss=losses, val_accuracy=[0.5, 0.9, 0.8, 0.8], best_epoch=1)
    assert run._out_of_patience() == stops


def test_averages_are_judged_and_kept_and_the_weights_themselves_train_on(tmp_path: Path) -> None:
    def losses(averaging: float) -> tuple[Any, History]:
        return trained(tmp_path / str(averaging), replace(PLAN, averaging=averaging))

    plain, plain_history = losses(0.0)
    slow, slow_history = losses(9.0)
    assert slow_history.loss == plain_history.loss  # training went the same way
    assert slow_history.val_loss != plain_history.val_loss
    data = examples()
    loss, _ = slow.evaluate(evaluation_batches(data), verbose=0)
    assert loss == pytest.approx(slow_history.val_loss[slow_history.best_epoch], rel=1e-4)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(slow.get_weights(), plain.get_weights(), strict=True))


STATE: dict[str, Any] = {
    "epoch": 1,
    "history": {"loss": [1.0], "accuracy": [0.5], "val_loss": [1.0], "val_accuracy": [0.5]},
    "files": {"epoch-1.index": hashlib.sha256(b"").hexdigest()},
}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        json.dumps({**STATE, "epoch": "1"}),
        json.dumps({**STATE, "epoch": 10**9}),
        json.dumps({**STATE, "epoch": -1}),
        json.dumps({**STATE, "history": {**STATE["history"], "loss": [1.0, 1.0]}}),  # type: ignore[dict-item]
        json.dumps({**STATE, "history": {**STATE["history"], "restarts": -(10**18)}}),  # type: ignore[dict-item]
        json.dumps({**STATE, "history": {**STATE["history"], "best_epoch": 7}}),  # type: ignore[dict-item]
        json.dumps(STATE).replace("0.5", "NaN"),
        json.dumps({**STATE, "files": {"epoch-1.index": "0" * 64}}),
        json.dumps({**STATE, "files": {}}),
        json.dumps({**STATE, "files": {"../../etc/passwd": "0" * 64}}),
    ],
)
def test_a_damaged_state_begins_again(text: str, tmp_path: Path) -> None:
    (tmp_path / "epoch-1.index").touch()
    (tmp_path / "state.json").write_text(text)
    run = _Run(None, examples(6), examples(6), FitPlan(epochs=1), 1, tmp_path, None, print)
    assert run._read_state() == 0
    assert run.history == History()


def test_a_sound_state_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "epoch-1.index").touch()
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    run = _Run(None, examples(6), examples(6), FitPlan(epochs=1), 1, tmp_path, None, print)
    assert run._read_state() == 1
    assert run.history.val_loss == [1.0]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training(wrong: float, tmp_path: Path) -> None:
    run = _Run(None, examples(6), examples(6), FitPlan(epochs=1), 1, tmp_path, None, print)
    with pytest.raises(TrainingError, match=r"epoch 1 ended with a loss of 1\.0 .*lower --learning-rate"):
        run._epoch_end(0, {"loss": 1.0, "val_loss": wrong, "accuracy": 0.5, "val_accuracy": 0.5})
    assert not list(tmp_path.iterdir()), "nothing was kept of it"


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, _ = trained(tmp_path)
    calls: list[int] = []
    again, _ = trained(tmp_path, progress=lambda epoch, *_: calls.append(epoch))
    assert not calls
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_stuck_at_chance_restarts_once_then_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (64, 32, 32, 1)).astype(np.uint8)
    data = Examples(noise, rng.integers(0, 3, 64).astype(np.int32), np.arange(64), 3, Pixels(1 / 255))
    plan = FitPlan(epochs=6, batch_size=64, learning_rate=1e-9, restart=True)
    with pytest.raises(TrainingError, match=r"stuck.*ln 3 = 1\.099.*labels"):
        trained(tmp_path, plan, data)


def test_a_stuck_run_is_stuck_again_when_repeated(tmp_path: Path) -> None:
    plan = FitPlan(epochs=5, batch_size=60, learning_rate=1e-9, restart=True)
    calls: list[int] = []
    for expected in ([1, 2, 3, 4, 5] * 2, []):
        calls.clear()
        with pytest.raises(TrainingError, match="stuck"):
            trained(tmp_path, plan, progress=lambda epoch, *_: calls.append(epoch))
        assert calls == expected


def test_an_interrupted_second_attempt_goes_on_with_its_own_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAFER_START", 1e7)
    monkeypatch.setattr(training, "STUCK_STEPS", 1)
    plan = FitPlan(epochs=7, batch_size=30, learning_rate=1e-9, warmup_epochs=0, restart=True)
    whole, _ = trained(tmp_path / "whole", plan)
    seen: list[int] = []

    def interrupt(epoch: int, epochs: int, logs: dict[str, float]) -> None:
        seen.append(epoch)
        if seen[-2:] == [1, 2] and len(seen) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", plan, progress=interrupt)
    resumed, history = trained(tmp_path / "parts", plan)
    assert history.restarts == 1
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_stuck_start_is_saved_by_the_safer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAFER_START", 1e7)  # the first rate is hopeless, the second a good one
    monkeypatch.setattr(training, "STUCK_STEPS", 1)
    plan = FitPlan(epochs=12, batch_size=16, learning_rate=1e-9, warmup_epochs=0, restart=True)
    _, history = trained(tmp_path, plan)
    assert history.restarts == 1
    assert min(history.loss) < 0.9


def test_learning_rate_warms_up_and_falls() -> None:
    rate = WarmupCosine(1.0, 10, 100)
    values = [float(rate(step)) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert max(values) == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.01, abs=2e-3)
    assert all(a >= b for a, b in itertools.pairwise(values[10:]))


def test_class_weights_balance_an_unbalanced_set() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    data = Examples(np.zeros((100, 1, 1, 1), np.uint8), labels, np.arange(100), 2, Pixels(1.0))
    weights = class_weights(data)
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    assert np.all(class_weights(examples()) == 1)


@pytest.mark.parametrize("augment", sorted(AUGMENTATIONS))
def test_batches_depend_on_seed_and_step_only_and_stay_in_range(augment: str) -> None:
    data = examples(noise=110)

    def batch(step: int, seed: int = 5) -> list[np.ndarray]:
        options: dict[str, Any] = {"batch_size": 16, "seed": seed, "augment": augment, "label_smoothing": 0.1}
        return [part.numpy() for part in next(iter(training_batches(data, first_step=step, **options)))]

    endless = training_batches(data, batch_size=16, seed=5, first_step=0, augment=augment, label_smoothing=0.1)
    third = [part.numpy() for part in list(endless.take(3))[2]]
    for ours, theirs in zip(batch(2), third, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(batch(2)[0], batch(2, seed=6)[0])
    x, target, _ = third
    assert x.min() >= 0
    assert x.max() <= 1
    np.testing.assert_allclose(target.sum(1), 1, rtol=1e-6)
    assert target.max() == pytest.approx(0.9 + 0.1 / 3)


def test_an_epoch_shows_every_picture() -> None:
    data = examples(50)
    assert steps_per_epoch(data, 16) == 4
    batches = training_batches(data, batch_size=16, seed=1, first_step=0, augment="none", label_smoothing=0)
    seen = np.concatenate([x.numpy() for x, _, _ in batches.take(4)])
    assert {x.tobytes() for x in seen} == {(x / np.float32(255)).tobytes() for x in data.images.astype(np.float32)}


def test_unaugmented_batches_are_the_pixels() -> None:
    data = examples()
    x, _ = next(iter(evaluation_batches(data)))
    np.testing.assert_array_equal(x.numpy(), data.images.astype(np.float32) * np.float32(1 / 255))
