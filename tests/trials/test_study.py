"""A study is shared: each point is done once, by whoever comes first, and what is interrupted is taken up."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sqz_tf.base.errors import ConfigError, OutputError
from sqz_tf.trials.points import Point
from sqz_tf.trials.rows import Row
from sqz_tf.trials.study import WANTED, Study, failures, open_storage, record
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


def test_a_point_that_fails_waits_for_nobody(open_study: Callable[[], Study]) -> None:
    study = open_study()
    study.fill(wanted()[:1])

    def broken(trial: Any) -> tuple[float, float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        study.work(broken, nothing)
    assert study.left() == 0


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_point_whose_processes_are_killed_is_given_up(open_study: Callable[[], Study], optuna: Any) -> None:
    study = open_study()
    study.fill(wanted()[:1])
    for _ in range(3):
        assert study.left() == 1
        trial = study.study.ask()
        trial.set_user_attr("heard", True)
        record(trial, Row(POINTS[0], sizes(9), "not trained"))
        fail(study, trial)
        assert [each for each in waiting(study) if "heard" in each.user_attrs] == []
    assert (study.left(), waiting(study)) == (0, [])
    (row,) = study.rows()
    assert (row.point, row.state, row.why) == (POINTS[0], "failed", "its process was killed 3 times")
    study.fill(wanted()[:1])
    assert study.left() == 0


def fail(study: Study, trial: Any) -> None:
    """Do what a process does that finds another's heartbeat missing."""
    study._storage.set_trial_state_values(trial._trial_id, importlib.import_module("optuna").trial.TrialState.FAIL)
    study._storage.get_heartbeat_stale_trial_callback()(study.study, study._storage.get_trial(trial._trial_id))


def waiting(study: Study) -> list[Any]:
    return [trial for trial in study.study.get_trials() if trial.state.name == "WAITING"]


@pytest.mark.parametrize("end", ["records", "returns", "interrupted"])
def test_a_point_that_was_taken_away_is_left_to_who_has_it(end: str, open_study: Callable[[], Study]) -> None:
    first, second = open_study(), open_study()
    first.fill(wanted()[:1])
    begun: list[int] = []

    def objective(trial: Any) -> tuple[float, float]:
        begun.append(trial.number)
        if len(begun) > 1:
            return trained(trial)
        values = trained(trial) if end == "returns" else (0.5, 9)
        fail(second, trial)
        if end == "interrupted":
            raise KeyboardInterrupt
        return values if end == "returns" else trained(trial)

    if end == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            first.work(objective, nothing)
        assert first.left() == 1
    first.work(objective, nothing)
    assert begun == [0, 1]
    assert ([row.point for row in first.rows()], first.left()) == (POINTS[:1], 0)


def test_studies_filled_at_once_do_each_point_once(
    open_study: Callable[[], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = open_study(), open_study()
    first.fill([])
    seen = first._alive

    def meanwhile() -> list[Any]:
        found = seen()
        monkeypatch.setattr(first, "_alive", seen)
        second.fill(wanted())
        return found

    monkeypatch.setattr(first, "_alive", meanwhile)
    first.fill(wanted())
    assert (len(waiting(first)), first.left()) == (8, 4)
    begun: list[float] = []

    def interrupted_once(trial: Any) -> tuple[float, float]:
        begun.append(trial.user_attrs[WANTED]["point"]["width"])
        if len(begun) == 2:
            raise KeyboardInterrupt
        return trained(trial)

    with pytest.raises(KeyboardInterrupt):
        first.work(interrupted_once, nothing)
    second.work(interrupted_once, nothing)
    assert begun == [0.1, 0.2, 0.3, 0.4, 0.2]
    assert (sorted(row.point.width for row in second.rows()), second.left()) == ([0.1, 0.2, 0.3, 0.4], 0)
    second.fill(wanted())
    assert second.left() == 0


def test_more_points_are_added_to_a_study(open_study: Callable[[], Study]) -> None:
    study = open_study()
    study.fill(wanted()[:2])
    study.work(trained, nothing)
    study.fill(wanted())
    assert study.left() == 2


def test_points_that_an_earlier_command_left_are_counted(open_study: Callable[[], Study]) -> None:
    study = open_study()
    study.fill(wanted()[:3])
    study.fill(wanted()[2:])
    assert (study.others(wanted()), study.others(wanted()[2:]), study.left()) == (0, 2, 4)
    study.work(trained, nothing)
    assert study.others(wanted()[2:]) == 0


def test_a_database_that_can_only_be_read_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    open_storage(None, tmp_path)
    place = f"sqlite:///file:{tmp_path}/study.db?mode=ro&uri=true"
    with pytest.raises(ConfigError, match=r"cannot be used: .*attempt to write a readonly database"):
        open_storage(place, tmp_path)
    with pytest.raises(ConfigError, match="cannot be used: "):
        open_storage(f"sqlite:///{tmp_path}/x.db?timeout=abc", tmp_path)


def test_proving_a_database_leaves_no_study(tmp_path: Path) -> None:
    assert open_storage(None, tmp_path).get_all_studies() == []


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
        ("nonsense", "--storage nonsense cannot be used"),
        ("sqlite://", "names no file; expected such as sqlite:////shared/study.db"),
        ("sqlite:////nowhere/at/all/study.db", "unable to open database file"),
        ("sqlite:///{damaged}", "file is not a database"),
        ("oracle+none://me:secret@host/x", r"--storage oracle\+none://me:\*\*\*@host/x"),
        ("host=127.0.0.1 password=secret", r"--storage host=127.0.0.1 password=\*\*\* cannot be used"),
        (
            "sqlite:////nowhere/x.db?password=secret",
            r"--storage sqlite:////nowhere/x.db\?password=\*\*\* cannot be used",
        ),
        (
            "postgresql://127.0.0.1:1/x?user=me&password=secret",
            r"--storage postgresql\+psycopg://127.0.0.1:1/x\?password=\*\*\*&user=me",
        ),
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


@pytest.mark.parametrize("name", ["why?", "100%25#{now}", "a b&c"])
def test_a_study_lies_in_the_folder_whatever_its_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    Study(open_storage(None, folder), "one", 1, {})
    assert not Study(open_storage(None, folder), "one", 1, {}).made
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.db")] == [Path(name) / "study.db"]


def test_a_heartbeat_that_is_no_time_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQZ_TF_HEARTBEAT_SECONDS", "soon")
    with pytest.raises(ConfigError, match="SQZ_TF_HEARTBEAT_SECONDS is 'soon'; expected a number of seconds from 1"):
        open_storage(None, tmp_path)


def test_a_database_lost_in_the_middle_is_told(tmp_path: Path, open_study: Callable[[], Study]) -> None:
    study = open_study()
    (tmp_path / "study.db").write_text("overwritten")
    with pytest.raises(OutputError, match=r"the study's database fails: .*run the same command again"), failures():
        study.fill(wanted())
