"""What becomes of a point: trained, too large, stopped, or nothing learnt; training itself is made up here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.base.console import Console
from sqz_tf.base.errors import TrainingError
from sqz_tf.base.spec import DataConfig, ModelSpec
from sqz_tf.data.dataset import Summary
from sqz_tf.deploy import footprint
from sqz_tf.deploy.boards import Board, boards
from sqz_tf.deploy.need import FitError
from sqz_tf.pipeline.plan import Options, Plan
from sqz_tf.trials import exploring
from sqz_tf.trials.exploring import Place, Training, sized
from sqz_tf.trials.learning import Learnt, Watch
from sqz_tf.trials.points import Point, asked, points_of
from sqz_tf.trials.results import Result, summary
from sqz_tf.trials.rows import Row, values
from sqz_tf.trials.sizes import Limits, Sizes
from sqz_tf.trials.study import open_storage
from tests.helpers.explored import learnt
from tests.helpers.needs import require

EPOCHS = 8
COUNTS: dict[str, tuple[int, ...]] = {
    "train": (50, 50),
    "calibration": (10, 10),
    "validation": (20, 20),
    "test": (20, 20),
}
SUMMARY = Summary("made up", ("a", "b"), COUNTS, (8, 8), 1, "", "0" * 64)
RISC = boards()["hifive1-revb"]
Learn = Callable[[Plan, Watch], Learnt]


@pytest.fixture
def explored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Row]]:
    """Explore with a training that is made up."""
    require(importlib.util.find_spec("optuna"), "optuna is not installed")

    def work(learn: Learn, sweep: str = "", trials: int = 0, limits: Limits | None = None, **given: Any) -> list[Row]:
        monkeypatch.setattr(exploring.Learning, "learn", lambda self, plan, label, watch: learn(plan, watch))
        place = Place(RISC, limits or Limits())
        options = Options(data=DataConfig(), epochs=EPOCHS, input_size=32, width=0.1, **given)
        training = Training(options, SUMMARY, place, tmp_path, Console(quiet=True))
        study = training.study(open_storage(None, tmp_path), searching=not sweep)
        if sweep:
            points = points_of(asked(sweep)[1], training.base, ())
            training.sweep(study, sized(points, training.base, place, Console(quiet=True)))
        else:
            training.search(study, trials)
        return study.rows()

    return work


def few(base: ModelSpec, *_: object) -> dict[str, tuple[Any, ...]]:
    fixed = {name: (value,) for name, value in asdict(Point.of(base)).items()}
    return {**fixed, "width": (0.1, 0.15, 0.2)}


def test_machines_that_link_alike_share_a_study_and_others_do_not(
    explored: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Flash that is linked and flash that is estimated are no values of one goal."""
    storage, links = open_storage(None, tmp_path), "gcc 12.2.1"
    monkeypatch.setattr(footprint, "why_not", lambda: None if links else "gcc not found")
    monkeypatch.setattr(footprint, "compiler", lambda: links)

    def name(board: str) -> str:
        options = Options(data=DataConfig(), epochs=EPOCHS, input_size=32, width=0.1)
        training = Training(options, SUMMARY, Place(boards()[board], Limits()), tmp_path, Console(quiet=True))
        return training.study(storage, searching=False).study.study_name

    linked, elsewhere = name("stm32f405"), name("hifive1-revb")
    assert name("stm32f405") == linked
    links = "gcc 13.3.1"
    other = name("stm32f405")
    links = ""
    assert len({linked, other, name("stm32f405")}) == 3
    assert name("hifive1-revb") == elsewhere, "nothing is linked for it anywhere"


def all_epochs(accuracy: float, watch: Watch) -> Learnt:
    curve = [accuracy * epoch / EPOCHS for epoch in range(1, EPOCHS + 1)]
    for epoch in range(EPOCHS):
        watch(curve[: epoch + 1])
    return learnt(accuracy, tuple(curve))


def test_a_sweep_trains_all_that_is_not_too_large_and_stops_nothing(explored: Callable[..., list[Row]]) -> None:
    seen: list[float] = []

    def learn(plan: Plan, watch: Watch) -> Learnt:
        seen.append(plan.model.width)
        return all_epochs(1.0 if plan.model.width == 0.1 else 0.1, watch)

    rows = explored(learn, sweep="width=0.1,0.15,0.2,1", limits=Limits(flash=200_000))
    assert seen == [0.1, 0.15, 0.2]
    assert [(row.state, row.epochs) for row in rows] == [("trained", EPOCHS)] * 3 + [("too large", 0)]
    assert rows[3].why == "too much flash"
    assert [row.seed for row in rows] == [1] * 4


def test_a_network_that_learns_nothing_is_noted_and_the_next_is_trained(explored: Callable[..., list[Row]]) -> None:
    def learn(plan: Plan, watch: Watch) -> Learnt:
        if plan.model.width == 0.1:
            raise TrainingError("training is stuck")
        return all_epochs(0.9, watch)

    rows = explored(learn, sweep="width=0.1,0.2")
    assert [(row.state, row.why) for row in rows] == [("learnt nothing", "training is stuck"), ("trained", "")]


def test_a_point_that_cannot_be_done_is_noted_and_the_next_is_trained(explored: Callable[..., list[Row]]) -> None:
    def learn(plan: Plan, watch: Watch) -> Learnt:
        if plan.model.width == 0.1:
            raise MemoryError("no 9 GB left\nand more")
        return all_epochs(0.9, watch)

    rows = explored(learn, sweep="width=0.1,0.2")
    assert [(row.state, row.why) for row in rows] == [("failed", "MemoryError: no 9 GB left"), ("trained", "")]
    assert rows[0].sizes.known


def test_a_network_that_cannot_be_compiled_fails_alone(
    explored: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = exploring.measure

    def refused(spec: ModelSpec, board: Board, limits: Limits) -> Sizes:
        if spec.width == 0.1:
            raise FitError("the model cannot be compiled")
        return measured(spec, board, limits)

    monkeypatch.setattr(exploring, "measure", refused)
    monkeypatch.setattr(exploring, "space", few)
    rows = explored(lambda plan, watch: all_epochs(0.5 + plan.model.width, watch), trials=3)
    by_width = {row.point.width: row for row in rows}
    assert [by_width[width].state for width in (0.1, 0.15, 0.2)] == ["failed", "trained", "trained"]
    assert by_width[0.1].why == "the model cannot be compiled"
    told = values(by_width[0.1], False)
    assert (told["width"], told["flash"], told["linked"]) == (0.1, None, None)
    assert list(told) == list(values(by_width[0.2], False))
    assert "failed" in summary(Result(tuple(rows), {}, "data", ""))


def test_a_search_draws_only_what_was_left_open(explored: Callable[..., list[Row]]) -> None:
    given = {"arch": "squeezenet-1.0", "bypass": "simple", "base_e": 96, "incr_e": 32, "freq": 4}
    rows = explored(lambda plan, watch: all_epochs(0.5, watch), trials=2, **given, squeeze_ratio=0.2)
    for row in rows:
        assert {**asdict(row.point), **given, "squeeze_ratio": 0.2, "width": 0.1, "input_size": 32} == asdict(row.point)
    assert len(rows) == 2


@pytest.mark.slow
def test_a_search_stops_what_is_behind_smaller_points(explored: Callable[..., list[Row]]) -> None:
    """The more squeeze filters the worse is what is made up here, so that large points cannot win."""
    rows = explored(lambda plan, watch: all_epochs(1.0 - 0.9 * plan.model.squeeze_ratio, watch), trials=14)
    assert len(rows) == 14
    stopped = [row for row in rows if row.state == "stopped"]
    assert stopped
    for row in stopped:
        assert 2 <= row.epochs < EPOCHS
        smaller = [each for each in rows if each.learnt and each.sizes.flash <= row.sizes.flash]
        assert len(smaller) >= 4
        assert row.why == f"behind the median of the points that are no larger after epoch {row.epochs}"


def test_a_search_trains_no_point_larger_than_one_that_is_always_right(explored: Callable[..., list[Row]]) -> None:
    rows = explored(lambda plan, watch: all_epochs(1.0, watch), trials=6)
    smallest = rows[0].sizes.flash
    for row in rows:
        assert (row.state == "trained") == (row.sizes.flash < smallest or row is rows[0])
        smallest = min(smallest, row.sizes.flash)
    assert {row.why for row in rows if row.state == "stopped"} == {
        "a point that is no larger has every validation picture right"
    }


def test_a_search_draws_again_what_it_knows(
    explored: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def learn(plan: Plan, watch: Watch) -> Learnt:
        seen.append(plan.model.width)
        return all_epochs(0.9 - plan.model.width, watch)

    monkeypatch.setattr(exploring, "space", few)
    rows = explored(learn, trials=3)
    assert sorted(row.point.width for row in rows) == [0.1, 0.15, 0.2]
    assert sorted(seen) == [0.1, 0.15, 0.2]
