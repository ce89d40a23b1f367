"""Low rank, shared weights and pruning do to a network what their papers say, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sqz_tf.base.console import Console
from sqz_tf.base.spec import ModelSpec, PreprocessSpec, TrainConfig
from sqz_tf.comparison import alexnets
from sqz_tf.comparison.alexnets import layers_of, left, values_bytes
from sqz_tf.comparison.coding import Layer
from sqz_tf.comparison.lowrank import LowRank, factored, factors_of, ranks_of
from sqz_tf.comparison.sharing import groups_of, sharing
from sqz_tf.comparison.work import Settings, Work
from sqz_tf.network.alexnet import AlexNetSpec
from sqz_tf.train.alexnet import LocalResponse
from sqz_tf.train.fit import FitPlan, History
from sqz_tf.train.keras import keras

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("unoptimized")]


@pytest.fixture(scope="module")
def network() -> Any:
    keras.utils.set_random_seed(3)
    inputs = keras.layers.Input((6, 6, 1))
    x = LocalResponse()(keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs))
    x = keras.layers.Flatten()(x)
    for name in ("fc6", "fc7"):
        x = keras.layers.Dense(20, "relu", name=name)(x)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax", name="fc8")(x))


def pictures(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).random((count, 6, 6, 1)).astype(np.float32)


def test_alexnet_is_trained_by_all_that_squeezenet_was(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = TrainConfig(7, 32, 2e-3, 1.0, 3e-4, 0.1, "glyph", 5, averaging=2.0, mix=0.2)
    plans: list[FitPlan] = []
    spec = AlexNetSpec(24, 1, 3, 0.05)
    settings = Settings(spec, ModelSpec(), PreprocessSpec(24, 24), train, prune_epochs=1, tune_epochs=1, seed=1)
    monkeypatch.setattr(Work, "fit", lambda self, model, plan, *rest: plans.append(plan) or History())
    monkeypatch.setattr(Work, "scores", lambda self, model: np.zeros((1, 3)))
    monkeypatch.setattr(alexnets, "dense", lambda work: network)
    none: Any = None
    alexnets.train(Work(settings, none, tmp_path, Console(quiet=True)), tmp_path)
    refused = {"teacher", "teacher_share", "goes_on"}  # a teacher, weights to go on from
    shared = set(TrainConfig.__dataclass_fields__) - refused
    assert {name: getattr(plans[0], name) for name in shared} == {name: getattr(train, name) for name in shared}


def test_full_energy_changes_nothing_and_saves_nothing(network: Any) -> None:
    factors = factors_of(network)
    assert list(factors) == ["fc6", "fc7", "fc8"]
    assert ranks_of(factors, 1.0) == {}
    ranks = {name: len(s) for name, (_, s, _) in factors.items()}
    low = factored(network, factors, ranks)
    assert low(pictures()).numpy() == pytest.approx(network(pictures()).numpy(), abs=1e-5)


def test_the_rank_is_the_least_that_keeps_the_energy() -> None:
    u, v = np.linalg.qr(np.random.default_rng(1).normal(size=(40, 4)))[0], np.eye(4, 30)
    factors = {"fc6": (u, np.array([3.0, 2.0, 1.0, 0.5], np.float32), v)}
    kept = np.cumsum([9, 4, 1, 0.25]) / 14.25
    assert [ranks_of(factors, energy)["fc6"] for energy in (0.1, *(kept - 1e-6))] == [1, 1, 2, 3, 4]


def test_factors_are_the_best_of_their_rank(network: Any) -> None:
    factors = factors_of(network)
    low = factored(network, factors, {"fc6": 3})
    left, right, _ = low.get_layer("fc6").get_weights()
    rest = np.linalg.norm(network.get_layer("fc6").get_weights()[0] - left @ right)
    assert left.shape[1] == 3
    assert rest == pytest.approx(np.sqrt((factors["fc6"][1][3:] ** 2).sum()), rel=1e-4)


@pytest.mark.parametrize("least", [1.0, 0.9, 0.5, 0.1, 0.0])
def test_the_least_energy_that_costs_a_point_at_most_is_taken(network: Any, least: float, tmp_path: Path) -> None:
    tuned: list[Any] = []
    factors, kept = factors_of(network), ranks_of(factors_of(network), least)

    def validation(model: Any) -> float:
        layer = model.get_layer("fc7")
        enough = not isinstance(layer, LowRank) or layer.rank >= kept.get("fc7", 99)
        return 0.9 if model is network else 0.891 if enough else 0.889

    work: Any = SimpleNamespace(
        validation=validation, console=Console(quiet=True), tuned=lambda model, *rest: tuned.append(model)
    )
    found = alexnets._lowest(work, network, tmp_path)
    good = [each for each in alexnets.ENERGIES if ranks_of(factors, each).get("fc7", 99) >= kept.get("fc7", 99)]
    assert found.energy == min(good)
    assert found.ranks == ranks_of(factors, found.energy)
    assert len(tuned) <= 5


def test_k_means_finds_the_values_that_are_there_and_leaves_zeros() -> None:
    rng = np.random.default_rng(0)
    middle = np.array([0, -0.5, 0.25, 0.6])[rng.integers(0, 4, (20, 30))]
    kernel = np.where(middle == 0, 0, middle + rng.normal(0, 0.01, middle.shape)).astype(np.float32)
    groups = groups_of(kernel, 3)
    for group, value in enumerate((0, -0.5, 0.25, 0.6)):
        assert (groups[middle == value] == group).all()
    assert groups_of(np.zeros((2, 2), np.float32), 4).tolist() == [[0, 0], [0, 0]]
    assert groups_of(np.array([[1.0, 1.0, 2.0]], np.float32), 256).max() == 2


def test_weights_that_share_a_value_still_do_after_training(network: Any) -> None:
    layers = layers_of(network)
    sparse = {name: np.where(np.abs(each.kernel) < 0.05, 0, each.kernel) for name, each in layers.items()}
    groups = {name: groups_of(kernel, 5) for name, kernel in sparse.items()}
    shared = sharing(network, groups)
    before = layers_of(shared)["fc7"].kernel
    shared.compile(keras.optimizers.AdamW(1e-2), "categorical_crossentropy", run_eagerly=True)
    shared.fit(pictures(6), np.eye(3)[[0, 1, 2, 0, 1, 2]], epochs=2, batch_size=3, verbose=0)
    for name, each in layers_of(shared).items():
        assert len(np.unique(each.kernel[groups[name] > 0])) <= 5, name
        assert not each.kernel[groups[name] == 0].any(), name
    assert (layers_of(shared)["fc7"].kernel != before).any()
    assert network.get_layer("fc7").kernel.constraint is None


def test_values_alone_are_counted_as_the_paper_does() -> None:
    layers = {"a": Layer(np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2)), "b": Layer(np.zeros((3, 1)), np.ones(1))}
    assert values_bytes(layers) == 4 * (2 + 2 + 0 + 1)
    assert left(layers) == 2 / 7
