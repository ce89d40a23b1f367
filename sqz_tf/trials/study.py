"""A study kept by Optuna: its points wait in a queue that any number of processes take from.

The queue is filled once, by who makes the study. A point that an interrupted process leaves goes back into it: at once
after Ctrl-C, and after a kill as soon as its heartbeat has stopped for a while, unless it has killed several.
"""

from __future__ import annotations

import os
import re
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.base.errors import ConfigError, OutputError, first_line
from sqz_tf.trials.learning import Learnt
from sqz_tf.trials.points import Point
from sqz_tf.trials.rows import FAILED, NOT_TRAINED, Row
from sqz_tf.trials.sizes import Sizes

if TYPE_CHECKING:
    import optuna
    import sqlalchemy

DATABASE = "study.db"
BEAT_SECONDS, BEATS_MISSED = 15, 4
BEAT_VARIABLE = "SQZ_TF_HEARTBEAT_SECONDS"
WAIT_SECONDS, FILL_SECONDS, RETRY_SECONDS = 1.0, 30.0, 0.3
AGAIN, MOST_DRAWS = "again", 5
MOST_KILLED = 2  # processes that a point may take with it and be tried again
WANTED, HEARD, READY = "wanted", "heard", "ready"  # attributes: a point to do; under way; all points wait
AFTER, KILLED, REPEATED = "after", "killed", "repeated"  # which trial it takes over from; processes; another does it
STARTUP_POINTS, WARMUP_SHARE = 4, 0.25  # a search stops nothing before there are so many, nor in so much of the epochs
_SECRET = re.compile(r"(passw\w*\s*=\s*)\S+", re.IGNORECASE)
_INSTALL = "run: pip install 'sqz-tf[explore]'"


def require_optuna() -> None:
    """Refuse to begin without the package that keeps studies.

    Raises:
      ConfigError: it is missing; names the extra.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(f"exploring needs Optuna ({first_line(error)})", fix=_INSTALL) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def open_storage(url: str | None, folder: Path) -> Any:
    """Return the database that studies are kept in: one of SQLite in `folder`, or what a URL names.

    Raises:
      ConfigError: the URL is none, its driver is missing, or the database cannot be used.
    """
    import optuna
    import sqlalchemy

    try:
        parsed = _address(url, folder)
    except (sqlalchemy.exc.SQLAlchemyError, ValueError) as error:
        raise _broken(_SECRET.sub(r"\1***", (url or "").partition("://")[0]), error) from error
    secrets = [str(value) for name, value in parsed.query.items() if "passw" in name.lower()]
    hidden = {name: "***" for name in parsed.query if "passw" in name.lower()}
    shown = parsed.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A", "*")
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database in (None, "", ":memory:"):
        raise ConfigError(f"--storage {shown} names no file", expected="such as sqlite:////shared/study.db")
    options = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    try:
        storage = _made(parsed.render_as_string(hide_password=False), options)
        _prove(storage)
        return storage
    except ImportError as error:
        raise ConfigError(f"--storage {shown} needs a driver that is missing", fix=_INSTALL) from error
    except (optuna.exceptions.OptunaError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, OSError, ValueError) as error:
        raise _broken(shown, error, secrets) from error


def _address(url: str | None, folder: Path) -> sqlalchemy.URL:
    """Return where the database is, with our driver of PostgreSQL."""
    import sqlalchemy

    if url is None:
        return sqlalchemy.URL.create("sqlite", database=str(folder / DATABASE))
    parsed = sqlalchemy.engine.make_url(url)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _made(address: str, options: Mapping[str, Any]) -> Any:
    """Connect, and make the tables if there are none; of processes that do so at once the slower ones try again."""
    import optuna
    import sqlalchemy

    for last in (False, False, True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # heartbeats are called experimental
                return optuna.storages.RDBStorage(
                    address.replace("{", "{{").replace("}", "}}"),  # it takes it for a template
                    engine_kwargs=dict(options),
                    heartbeat_interval=_beat(),
                    grace_period=BEATS_MISSED * _beat(),
                    heartbeat_stale_trial_callback=_killed,
                )
        except sqlalchemy.exc.DBAPIError as error:
            if last or "exists" not in str(error):
                raise
            time.sleep(RETRY_SECONDS)
    return None


def _prove(storage: Any) -> None:
    """Write to a database, and take it back: one that can only be read is known before anything is done."""
    from optuna.study import StudyDirection

    storage.delete_study(storage.create_new_study([StudyDirection.MAXIMIZE], f"sqz-tf probe {uuid.uuid4()}"))


@contextmanager
def failures() -> Iterator[None]:
    """Turn what a database says that is lost in the middle of the work into an error of ours.

    Raises:
      OutputError: it is.
    """
    import optuna
    import sqlalchemy

    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise OutputError(
            f"the study's database fails: {first_line(_cause(error))[:200]}",
            fix="run the same command again when it answers: finished points and epochs are kept",
        ) from error


def interruptions() -> tuple[type[BaseException], ...]:
    """Return what ends a process but is no fault of the point that it is at, which somebody else then does."""
    import optuna
    import sqlalchemy

    lost = (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
    return (KeyboardInterrupt, SystemExit, OutputError, *lost)


def _wait_again(study: optuna.Study, trial: Any, killed: int) -> None:
    """Let what a trial was to do wait again, with what has been drawn."""
    known = {WANTED: trial.user_attrs[WANTED], AFTER: trial.number, KILLED: killed}
    study.enqueue_trial(trial.params, user_attrs=known)


def _killed(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Let a point wait again whose process was killed, or give it up as one that kills them."""
    import optuna

    if WANTED not in trial.user_attrs:
        return
    killed = trial.user_attrs.get(KILLED, 0) + 1
    if killed <= MOST_KILLED:
        _wait_again(study, trial, killed)
        return
    known = {name: trial.user_attrs[name] for name in (WANTED, "point", "sizes", "seed") if name in trial.user_attrs}
    known |= {AFTER: trial.number, "state": FAILED, "why": f"its process was killed {killed} times"}
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.PRUNED, user_attrs=known))


def _broken(shown: str, error: Exception, secrets: Sequence[str] = ()) -> ConfigError:
    said = first_line(_cause(error))
    for secret in filter(None, secrets):
        said = said.replace(secret, "***")
    return ConfigError(
        f"--storage {shown} cannot be used: {said[:200]}",
        expected="such as sqlite:////shared/study.db or postgresql://user@host/database",
    )


def _cause(error: Exception) -> BaseException:
    """Return what the database said, which Optuna wraps into a guess at what that means."""
    return error.__cause__ or error


def _beat() -> int:
    given = os.environ.get(BEAT_VARIABLE, str(BEAT_SECONDS))
    if not given.isdecimal() or not int(given):
        raise ConfigError(f"{BEAT_VARIABLE} is {given!r}", expected="a number of seconds from 1")
    return int(given)


class Study:
    """The points of an exploration, done and to do.

    Args:
      storage: what `open_storage` returns.
      name: the same for the same exploration, and for no other.
      seed: of the search; a process that joins a study draws by one of its own.
      about: plain values that say what the study is of.
    """

    def __init__(self, storage: Any, name: str, seed: int, about: Mapping[str, Any]) -> None:
        import optuna

        try:  # validation accuracy, flash
            self.study = optuna.create_study(storage=storage, study_name=name, directions=["maximize", "minimize"])
            self.made = True
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(storage=storage, study_name=name)
            self.made = False
        self.study.sampler = optuna.samplers.TPESampler(seed=seed if self.made else None)
        self._storage, self._silent = storage, dict[int, float]()
        if self.made:
            self.study.set_user_attr("about", dict(about))

    def fill(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Let points wait that are neither done, nor under way, nor waiting; who joins leaves that to the maker."""
        end = time.monotonic() + FILL_SECONDS
        while not self.made and READY not in self.study.user_attrs and time.monotonic() < end:
            time.sleep(WAIT_SECONDS)
        there = [trial.user_attrs.get(WANTED) for trial in self._alive()]
        for each in wanted:
            if dict(each) in there:
                there.remove(dict(each))
            else:
                self.study.enqueue_trial({}, user_attrs={WANTED: dict(each)})
        self.study.set_user_attr(READY, True)

    def work(self, objective: Callable[[Any], tuple[float, float]], waiting: Callable[[int], None]) -> None:
        """Do what waits, one point after another, until every point is done, here or by other processes.

        Args:
          objective: does a trial, and returns its validation accuracy and flash.
          waiting: told once how many points other processes are still doing.
        """
        import optuna

        states, told = optuna.trial.TrialState, False
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                optuna.storages.fail_stale_trials(self.study)
            self._fail_silent()
            found = [trial.state for trial in self.study.get_trials(deepcopy=False)]
            if states.WAITING in found:
                self._take(objective)
            elif states.RUNNING not in found:
                return
            else:
                if not told:
                    waiting(found.count(states.RUNNING))
                told = True
                time.sleep(WAIT_SECONDS)

    def _take(self, objective: Callable[[Any], tuple[float, float]]) -> None:
        """Do a point that waits; what comes of one that was thought dead meanwhile is left to who has it now."""
        lost, interrupted = False, False

        def done(trial: Any) -> tuple[float, float]:
            nonlocal lost, interrupted
            try:
                return self._done(trial, objective)
            except KeyboardInterrupt:
                interrupted = True
                raise
            finally:
                lost = self._is_lost(trial)

        try:
            self.study.optimize(done, n_trials=1)
        except Exception as error:
            if not lost:
                raise
            if interrupted:
                raise KeyboardInterrupt from error

    def _is_lost(self, trial: Any) -> bool:
        """Tell whether a trial was ended by others, to whom this process was silent for too long."""
        ended: bool = self._storage.get_trial(trial._trial_id).state.is_finished()
        return ended

    def _done(self, trial: Any, objective: Callable[[Any], tuple[float, float]]) -> tuple[float, float]:
        import optuna

        if WANTED not in trial.user_attrs:  # another process has taken the last that waited
            raise optuna.TrialPruned
        if self._repeats(trial):
            trial.set_user_attr(REPEATED, True)
            raise optuna.TrialPruned
        self._storage.record_heartbeat(trial._trial_id)  # the thread that does so has perhaps not run yet
        trial.set_user_attr(HEARD, True)
        try:
            return objective(trial)
        except interruptions():  # it waits for whoever goes on
            if not self._is_lost(trial):
                _wait_again(self.study, trial, trial.user_attrs.get(KILLED, 0))
            raise

    def _repeats(self, trial: Any) -> bool:
        """Tell whether an earlier trial is of the same: processes that fill a study at once let points wait twice."""
        wanted, number = trial.user_attrs[WANTED], trial.number
        same = [each for each in self._alive() if each.number < number and each.user_attrs[WANTED] == wanted]
        if AFTER in trial.user_attrs:  # an earlier one may be about to end without a result
            same = [each for each in same if each.state.is_finished() and _has_row(each)]
        return bool(same)

    def draw_again(self, trial: Any) -> None:
        """Give up a draw of a search that is a point already known, and let another wait for it, a few times.

        Raises:
          TrialPruned: another draw waits.
        """
        import optuna

        drawn = trial.user_attrs[WANTED]
        if drawn.get(AGAIN, 0) < MOST_DRAWS:
            self.study.enqueue_trial({}, user_attrs={WANTED: {**drawn, AGAIN: drawn.get(AGAIN, 0) + 1}})
            raise optuna.TrialPruned

    def _fail_silent(self) -> None:
        """Let points wait again whose process was killed before its first heartbeat, which Optuna never calls stale."""
        import optuna

        states = optuna.trial.TrialState
        running = self.study.get_trials(deepcopy=False, states=(states.RUNNING,))
        silent = [trial for trial in running if HEARD not in trial.user_attrs]
        now = time.monotonic()
        self._silent = {trial.number: self._silent.get(trial.number, now) for trial in silent}
        for trial in silent:
            if now - self._silent[trial.number] > BEATS_MISSED * _beat():
                with suppress(optuna.exceptions.UpdateFinishedTrialError):  # another process was faster
                    self._storage.set_trial_state_values(trial._trial_id, state=states.FAIL)
                    _killed(self.study, trial)

    def rows(self) -> list[Row]:
        """Return what is known of each point that is done, in the order in which they were begun."""
        return [row_of(trial) for trial in self._alive() if _has_row(trial)]

    def others(self, wanted: Sequence[Mapping[str, Any]]) -> int:
        """Return how many points wait that are none of these: what an earlier, interrupted command has left."""
        asked = [dict(each) for each in wanted]
        waiting = (trial.user_attrs[WANTED] for trial in self._alive() if trial.state.name == "WAITING")
        return sum({name: value for name, value in each.items() if name != AGAIN} not in asked for each in waiting)

    def left(self) -> int:
        """Return how many points wait or are under way."""
        undone = [trial for trial in self._alive() if not trial.state.is_finished()]
        return len({str(sorted(trial.user_attrs[WANTED].items())) for trial in undone})

    def _alive(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that are points, but those done under another number: failed ones and repeated ones."""
        import optuna

        every = [trial for trial in self.study.get_trials(deepcopy=False) if WANTED in trial.user_attrs]
        failed = optuna.trial.TrialState.FAIL
        return [trial for trial in every if trial.state != failed and REPEATED not in trial.user_attrs]

    def rivals(self, flash: int) -> list[optuna.trial.FrozenTrial]:
        """Return the trained points that take no more flash."""
        import optuna

        complete = self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        return [trial for trial in complete if trial.values[1] <= flash]

    def cannot_win(self, curve: Sequence[float], epochs: int, flash: int) -> bool:
        """Tell whether a search should stop a point: Optuna's median rule, among the points that take no more flash.

        Only these has it to beat: a larger one that is better says nothing against it.

        Args:
          curve: its validation accuracy after each epoch so far.
          epochs: that it would have.
          flash: that it takes.
        """
        import optuna

        others = optuna.create_study(direction="maximize")
        for rival in self.rivals(flash):
            seen = dict(enumerate(rival.user_attrs["learnt"]["curve"]))
            others.add_trial(optuna.create_trial(value=rival.values[0], intermediate_values=seen))
        pruner = optuna.pruners.MedianPruner(STARTUP_POINTS, n_warmup_steps=int(WARMUP_SHARE * epochs))
        running = optuna.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values=dict(enumerate(curve)))
        return bool(pruner.prune(others, running))


def _has_row(trial: optuna.trial.FrozenTrial) -> bool:
    """Tell whether a trial has recorded what came of it."""
    return "sizes" in trial.user_attrs and trial.user_attrs.get("state", NOT_TRAINED) != NOT_TRAINED


def row_of(trial: optuna.trial.FrozenTrial) -> Row:
    """Return what a trial has recorded."""
    known = trial.user_attrs
    sizes = {**known["sizes"], "milliseconds": tuple(known["sizes"]["milliseconds"])}
    sizes["lacking"] = tuple(sizes["lacking"])
    learnt = known.get("learnt")
    return Row(
        point=Point(**known["point"]),
        sizes=Sizes(**sizes),
        state=known.get("state", NOT_TRAINED),
        learnt=Learnt(**{**learnt, "curve": tuple(learnt["curve"])}) if learnt else None,
        epochs=known.get("epochs", 0),
        why=known.get("why", ""),
        seed=known.get("seed", 0),
    )


def record(trial: Any, row: Row) -> None:
    """Record what is known of a trial."""
    trial.set_user_attr("point", asdict(row.point))
    trial.set_user_attr("sizes", asdict(row.sizes))
    trial.set_user_attr("seed", row.seed)
    for name in ("epochs", "why", "state"):
        trial.set_user_attr(name, getattr(row, name))
    if row.learnt:
        trial.set_user_attr("learnt", asdict(row.learnt))
