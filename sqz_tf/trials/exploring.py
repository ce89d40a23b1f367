"""Explore the design space: measure points, train those that may win, and keep what is known of them in a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf import __version__
from sqz_tf.artifact.workspace import stage_key
from sqz_tf.base.console import Console
from sqz_tf.base.errors import ConfigError, SqzError, TrainingError, first_line
from sqz_tf.base.spec import ModelSpec
from sqz_tf.base.units import kib
from sqz_tf.data.dataset import Summary
from sqz_tf.deploy.boards import Board
from sqz_tf.pipeline.plan import Options, Plan, make_plan
from sqz_tf.trials.learning import Learning, identity
from sqz_tf.trials.points import NAMES, Point, space
from sqz_tf.trials.rows import FAILED, NOT_TRAINED, NOTHING, STOPPED, TOO_LARGE, TRAINED, Row
from sqz_tf.trials.sizes import UNKNOWN, Limits, linker, measure
from sqz_tf.trials.study import WANTED, Study, interruptions, record

if TYPE_CHECKING:
    import optuna

NAME_SHOWN, WHY_SHOWN = 16, 200


@dataclass(frozen=True)
class Place:
    """Where networks shall run.

    Attributes:
      board: whose RAM and flash are told.
      limits: that a network must keep to.
    """

    board: Board
    limits: Limits


def sized(points: Sequence[Point], base: ModelSpec, place: Place, console: Console) -> list[Row]:
    """Return what points take, without training.

    Raises:
      ConfigError: none of them keeps to the limits.
    """
    rows = []
    for number, point in enumerate(points, 1):
        rows.append(Row(point, measure(point.network(base), place.board, place.limits), NOT_TRAINED))
        console.step("measure", number, len(points))
    if all(row.sizes.lacking for row in rows):
        ram, flash = (min(getattr(row.sizes, name) for row in rows) for name in ("ram", "flash"))
        raise ConfigError(
            f"no point keeps to the limits of {place.board.name}",
            expected=f"at least {kib(ram)} of RAM and {kib(flash)} of flash for the smallest",
            fix="raise --max-ram or --max-flash, or sweep --width",
        )
    return rows


@dataclass(frozen=True)
class Training:
    """Trains points and keeps what is known of them in a study.

    Attributes:
      options: for every point, but for what is chosen of it.
      summary: of the data.
      place: where networks shall run.
      folder: pictures and points under way lie in it.
      console: told how far it is.
    """

    options: Options
    summary: Summary
    place: Place
    folder: Path
    console: Console

    @property
    def base(self) -> ModelSpec:
        """The network from which points differ."""
        return make_plan(self.options, self.summary).model

    def plan(self, point: Point) -> Plan:
        """Return how a point is trained."""
        return make_plan(replace(self.options, **asdict(point)), self.summary)

    @property
    def space(self) -> dict[str, tuple[Any, ...]]:
        """What a search chooses among: what was given for every point is no choice."""
        return space(self.base, [name for name in NAMES if getattr(self.options, name) is not None])

    @property
    def epochs(self) -> int:
        """How many a point is trained, at most."""
        return make_plan(self.options, self.summary).train.epochs

    def study(self, storage: Any, searching: bool) -> Study:
        """Open the study of just this in a database, or make it."""
        about = {
            "sqz_tf": __version__,
            "data": self.summary.sha256,
            "plan": identity(make_plan(self.options, self.summary)),
            "board": self.place.board.name,
            "limits": asdict(self.place.limits),
            "linked": linker(self.place.board),
            "space": {name: list(values) for name, values in self.space.items()} if searching else None,
        }
        return Study(storage, f"sqz-tf {stage_key(about)[:NAME_SHOWN]}", self.options.seed, about)

    def sweep(self, study: Study, rows: Sequence[Row]) -> None:
        """Train points, or go on with them; those that are too large are only noted.

        Args:
          rows: what they take.
        """
        known = {row.point: row.sizes for row in rows}
        self._fill(study, [{"point": asdict(row.point)} for row in rows])

        def objective(trial: Any) -> tuple[float, float]:
            point = Point(**trial.user_attrs[WANTED]["point"])
            return self._done(study, trial, Row(point, known.get(point, UNKNOWN), NOT_TRAINED), searching=False)

        study.work(objective, self._waiting)

    def search(self, study: Study, trials: int) -> None:
        """Let Optuna draw so many points and train those that may win, or go on with it."""
        self._fill(study, [{"draw": number} for number in range(trials)])
        choices = self.space

        def objective(trial: Any) -> tuple[float, float]:
            point = Point(**{name: trial.suggest_categorical(name, choices[name]) for name in NAMES})
            if any(row.point == point for row in study.rows()):
                study.draw_again(trial)
            return self._done(study, trial, Row(point, UNKNOWN, NOT_TRAINED), searching=True)

        study.work(objective, self._waiting)

    def _fill(self, study: Study, wanted: Sequence[Mapping[str, Any]]) -> None:
        """Let points wait, and say how many others do."""
        study.fill(wanted)
        if others := study.others(wanted):
            self.console.note(
                f"note: {others} points that an earlier command asked for wait, too, and are done: "
                "another --out has an exploration of its own"
            )

    def _waiting(self, number: int) -> None:
        self.console.note(f"waiting for other processes, which train {number} more")

    def _done(self, study: Study, trial: Any, row: Row, searching: bool) -> tuple[float, float]:
        """Do a point; what cannot be done is recorded as that, so that the next is."""
        import optuna

        row = replace(row, seed=self.options.seed)
        try:
            if not row.sizes.known:
                sizes = measure(row.point.network(self.base), self.place.board, self.place.limits)
                row = replace(row, sizes=sizes)
            record(trial, row)
            return self._learnt(study, trial, row, searching)
        except interruptions():
            raise
        except (optuna.TrialPruned, optuna.exceptions.UpdateFinishedTrialError):
            raise
        except Exception as error:
            what = str(error) if isinstance(error, SqzError) else f"{type(error).__name__}: {first_line(error)}"
            raise self._ended(trial, replace(row, state=FAILED, why=what[:WHY_SHOWN])) from error

    def _ended(self, trial: Any, row: Row) -> optuna.TrialPruned:
        """Record and say what became of a point that is not trained; return what ends its trial."""
        import optuna

        record(trial, row)
        self.console.note(f"point {trial.number + 1}: {row.state}, {row.why}")
        return optuna.TrialPruned(row.why)

    def _learnt(self, study: Study, trial: Any, row: Row, searching: bool) -> tuple[float, float]:
        """Train a point and record what comes of it; one that cannot win is recorded as that."""
        sizes, label = row.sizes, f"point {trial.number + 1}"
        seen: list[float] = []

        def ended(state: str, why: str) -> optuna.TrialPruned:
            return self._ended(trial, replace(row, state=state, why=why, epochs=len(seen)))

        def watch(curve: Sequence[float]) -> None:
            seen[:] = curve
            if searching and study.cannot_win(curve, plan.train.epochs, sizes.flash):
                raise ended(STOPPED, f"behind the median of the points that are no larger after epoch {len(curve)}")

        if sizes.lacking:
            raise ended(TOO_LARGE, f"too much {' and '.join(sizes.lacking)}")
        if searching and any(rival.values[0] == 1.0 for rival in study.rivals(sizes.flash)):
            raise ended(STOPPED, "a point that is no larger has every validation picture right")
        plan = self.plan(row.point)
        try:
            learnt = Learning(self.folder, self.summary, self.console).learn(plan, label, watch)
        except TrainingError as error:
            raise ended(NOTHING, error.what) from error
        record(trial, replace(row, state=TRAINED, learnt=learnt, epochs=len(learnt.curve)))
        self.console.note(f"{label}: {learnt.validation:.1%} right, {kib(sizes.flash)} of flash")
        return learnt.validation, sizes.flash
