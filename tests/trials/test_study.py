"""A study is shared: each point is done once, by whoever comes first, and what is interrupted is taken up."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.base.errors import ConfigError
from sqz_tf.trials.points import Point
from sqz_tf.trials.rows import Row
from sqz_tf.trials.study import WANTED, Study, open_storage, record
from tests.helpers.explored import BASE, learnt, sizes
from tests.helpers.needs import require

POINTS = [replace(Point.of(BASE), width=width) for width in (0.1, 0.2, 0.3, 0.4)]


@pytest.fixture(autouse=True)
def optuna() -> Any:
    require(importlib.util.find_spec("optuna"), "optuna is not installed")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@pytest.fixture
def open_study(tmp_path: Path) -> Callable[[], Study]:
    return lambda: Study(open_storage(None, tmp_path), "one", 1, {"about": "nothing"})


def wanted() -> list[dict[str, Any]]:
    return [{"point": asdict(point)} for point in POINTS]


def trained(trial: Any, validation: float = 0.5) -> tuple[float, float]:
    point = Point(**trial.user_attrs[WANTED]["point"])
    flash = round(1000 * point.width)
    record(trial, Row(point, sizes(flash), "trained", learnt(validation), 1, "", 7))
    return validation, flash


def nothing(number: int) -> None:
    raise AssertionError("nobody else is at work")


def test_every_point_is_done_once_by_those_who_share_a_study(open_study: Callable[[], Study]) -> None:
    first, second = open_study(), open_study()
    assert (first.made, second.made) == (True, False)
    first.fill(wanted())
    second.fill(wanted())
    done: list[Point] = []

    def by_second(trial: Any) -> tuple[float, float]:
        done.append(Point(**trial.user_attrs[WANTED]["point"]))
        return trained(trial)

    def by_first(trial: Any) -> tuple[float, float]:
        done.append(Point(**trial.user_attrs[WANTED]["point"]))
        if len(done) == 1:
            second.study.optimize(by_second, n_trials=2)  # while the first is at its first point
        return trained(trial)

    first.work(by_first, nothing)
    assert sorted(done, key=lambda point: point.width) == POINTS
    assert {row.point for row in second.rows()} == set(POINTS)
    assert [(row.seed, row.state, row.epochs) for row in second.rows()] == [(7, "trained", 1)] * 4


def test_an_interrupted_point_waits_and_is_taken_up_again(open_study: Callable[[], Study]) -> None:
    first = open_study()
    first.fill(wanted())
    begun: list[float] = []

    def interrupted(trial: Any) -> tuple[float, float]:
        begun.append(trial.user_attrs[WANTED]["point"]["width"])
        if len(begun) == 2:
            raise KeyboardInterrupt
        return trained(trial)

    with pytest.raises(KeyboardInterrupt):
        first.work(interrupted, nothing)
    again = open_study()
    assert (len(again.rows()), again.left()) == (1, 3)
    again.fill(wanted())
    assert again.left() == 3
    again.work(trained, nothing)
    assert (sorted(row.point.width for row in again.rows()), again.left()) == ([0.1, 0.2, 0.3, 0.4], 0)


def test_more_points_are_added_to_a_study(open_study: Callable[[], Study]) -> None:
    study = open_study()
    study.fill(wanted()[:2])
    study.work(trained, nothing)
    study.fill(wanted())
    assert study.left() == 2


def test_a_point_is_compared_with_those_that_are_no_larger(open_study: Callable[[], Study], optuna: Any) -> None:
    study = open_study()
    study.fill(wanted())

    def objective(trial: Any) -> tuple[float, float]:
        point = Point(**trial.user_attrs[WANTED]["point"])
        record(trial, Row(point, sizes(100), "trained", learnt(0.8, (0.4, 0.6, 0.8)), 3))
        return 0.8, 100

    study.work(objective, nothing)
    behind, ahead = [0.3, 0.4], [0.3, 0.7]
    assert study.cannot_win(behind, epochs=3, flash=100)
    assert not study.cannot_win(ahead, epochs=3, flash=100)
    assert not study.cannot_win(behind, epochs=3, flash=99), "all others are larger"
    assert not study.cannot_win(behind, epochs=40, flash=100), "too early"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "--storage nonsense:… cannot be used"),
        ("sqlite://", "names no file; expected such as sqlite:////shared/study.db"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
        ("sqlite:///{damaged}", "file is not a database"),
        ("oracle+none://me:secret@host/x", r"--storage oracle\+none://me:\*\*\*@host/x"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"--storage postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x"),
    ],
)
def test_a_broken_storage_is_named_without_its_password(url: str, words: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_text("no database at all, but some text that is long enough to be a header of one\n" * 20)
    with pytest.raises(ConfigError, match=words) as refusal:
        open_storage(url.format(damaged=damaged), tmp_path)
    assert "secret" not in str(refusal.value)
    assert "sqlite:////shared" in str(refusal.value) or "sqz-tf[explore]" in str(refusal.value)
