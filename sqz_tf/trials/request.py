"""What a person asks to explore, checked in full before anything is written, and then done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqz_tf.base.console import Console
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.spec import DataConfig, ModelSpec
from sqz_tf.base.text import readable
from sqz_tf.base.units import kib
from sqz_tf.data.dataset import Summary, summarise
from sqz_tf.data.sources import reading
from sqz_tf.deploy.boards import Board
from sqz_tf.pipeline.plan import Options, make_plan
from sqz_tf.pipeline.preflight import require_packages
from sqz_tf.trials.exploring import Place, Training, sized
from sqz_tf.trials.points import NAMES, Point, Sweep, asked, points_of
from sqz_tf.trials.results import Result, make_folder, require_folder, write
from sqz_tf.trials.rows import Row
from sqz_tf.trials.sizes import Limits
from sqz_tf.trials.study import Study, failures, open_storage, require_optuna

SIDES = {"squeezenet-1.0": 227, "squeezenet-1.1": 224}  # of ImageNet's pictures
Swept = dict[str, tuple[Sweep, tuple[Point, ...]]]


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
      data: where the pictures are, or None.
      pictures: the same, and how they are to be read and split; of nothing where there are none.
      classes: of networks that are only measured, where there is no data.
      sweeps: as the command line names them; none for a search.
      trials: points of a search.
      board: whose RAM and flash are told.
      ram, flash: the most bytes of them; None for any number.
      network: fields of the network that points differ from, those that were given.
      epochs: of each point; 0 only measures, None leaves it to the data.
      learning_rate: None for the usual one.
      seed: of the training and of the search.
      threads: of TensorFlow.
      folder: where the results shall be.
      storage: URL of a shared database, or None.
    """

    data: str | None
    pictures: DataConfig
    classes: int | None
    sweeps: tuple[str, ...]
    trials: int
    board: Board
    ram: int | None
    flash: int | None
    network: Mapping[str, Any]
    epochs: int | None
    learning_rate: float | None
    seed: int
    threads: int
    folder: Path
    storage: str | None

    @property
    def trains(self) -> bool:
        """Whether points are trained, not only measured."""
        return self.data is not None and self.epochs != 0

    @property
    def options(self) -> Options:
        """The same as the options of an export."""
        chosen = {"epochs": self.epochs, "learning_rate": self.learning_rate, "seed": self.seed}
        return Options(data=self.pictures, threads=self.threads, **chosen, **self.network)  # type: ignore[arg-type]

    @property
    def carried(self) -> dict[str, Any]:
        """What an export of a point is to be given as well, by the option's name."""
        pictures = ("splits", "zip_encoding", "test_fraction", "validation_fraction")
        training = ("epochs", "learning_rate", "seed", "threads")
        return {
            **{name: getattr(self.pictures, name) or None for name in pictures},
            **{name: getattr(self, name) for name in training},
            "channels": self.network.get("channels"),
        }

    def unpictured(self) -> ModelSpec:
        """Return the network that points differ from where there is no data: ImageNet's but for what was given."""
        assert self.classes is not None
        spec = ModelSpec(classes=self.classes, **self.network)
        return spec if "input_size" in self.network else replace(spec, input_size=SIDES[spec.arch], pool_padding="auto")


@dataclass(frozen=True)
class Prepared:
    """What is going to be explored; everything that can be told before is right.

    Attributes:
      request: what was asked for.
      swept: the sweeps and their points.
      rows: what these points take.
      training: trains them; None where they are only measured.
      study: holds what is known of them; None likewise.
    """

    request: Request
    swept: Swept
    rows: list[Row]
    training: Training | None
    study: Study | None

    @property
    def folder(self) -> Path:
        """Where the results are."""
        return self.request.folder

    def run(self) -> Result:
        """Do what is left of it and write the results, also of what an interruption leaves."""
        if self.training is None or self.study is None:
            return self._written(self.rows, 0)
        with failures():
            try:
                self._work(self.training, self.study)
            finally:
                result = self._written(self.study.rows(), self.study.left())
        return result

    def _work(self, training: Training, study: Study) -> None:
        from sqz_tf.train.keras import use_threads

        use_threads(self.request.threads)
        if self.swept:
            training.sweep(study, self.rows)
        else:
            training.search(study, self.request.trials)

    def _written(self, rows: list[Row], left: int) -> Result:
        if self.swept:  # those of earlier sweeps come behind
            order = {row.point: number for number, row in enumerate(self.rows)}
            rows = sorted(rows, key=lambda row: order.get(row.point, len(order)))
        once = {row.point: row for row in reversed(rows)}  # a point may have been done by two processes
        rows = [row for row in rows if once[row.point] is row]
        result = Result(tuple(rows), self.swept, self.request.data, self._about(), left, self.request.carried)
        write(self.folder, result)
        return result

    def _about(self) -> str:
        request = self.request
        most = [
            f"at most {kib(size)} of {name}" for name, size in (("RAM", request.ram), ("flash", request.flash)) if size
        ]
        parts = [f"RAM and flash of {request.board.title}", *most]
        if self.training:
            parts.append(f"{self.training.epochs} epochs, seed {request.seed}")
        return ", ".join(parts)


def prepare(request: Request, console: Console) -> Prepared:
    """Check a request, read what the data are, measure the points of its sweeps, and open its study.

    Raises:
      ConfigError: something of it cannot be.
      OutputError: the results could not be written.
      DataError: the pictures cannot be read.
    """
    for text in filter(None, (request.data, str(request.folder))):
        if readable(text) != text:
            raise ConfigError(f"{text} is not UTF-8", expected="names that a page can hold", fix="rename it")
    place = Place(request.board, Limits(request.ram, request.flash))
    place.limits.require_possible(request.board.target)
    named = _sweeps(request.sweeps)
    options = request.options
    require_packages(training=request.trains)
    if request.trains:
        require_optuna()
    require_folder(request.folder)
    storage = open_storage(request.storage, request.folder) if request.storage and request.trains else None
    summary = _summary(request, console) if request.data else None
    base = make_plan(options, summary).model if summary else request.unpictured()
    given = [name for name in NAMES if name in request.network]
    swept = {name: (sweep, tuple(points_of(sweep, base, given))) for name, sweep in named.items()}
    points = list(dict.fromkeys(point for _, each in swept.values() for point in each))
    rows = sized(points, base, place, console) if swept else []
    if not request.trains or summary is None:
        make_folder(request.folder)
        return Prepared(request, swept, rows, None, None)
    make_folder(request.folder)
    training = Training(options, summary, place, request.folder, console)
    study = training.study(storage or open_storage(None, request.folder), searching=not swept)
    return Prepared(request, swept, rows, training, study)


def _sweeps(texts: Sequence[str]) -> dict[str, Sweep]:
    """Read the sweeps by their names; each may be asked for once."""
    named: dict[str, Sweep] = {}
    for text in texts:
        name, sweep = asked(text)
        if name in named:
            values = ",".join(str(value) for value in (*named[name].values, *sweep.values))
            raise ConfigError(f"--sweep {name} is given twice", fix=f"give its values at once: --sweep {name}={values}")
        named[name] = sweep
    return named


def _summary(request: Request, console: Console) -> Summary:
    console.note(reading(request.options.data.source))
    summary = summarise(request.options.data, console.step)
    for note in summary.notes:
        console.note(f"note: {note}")
    if request.trains and not all(sum(summary.counts[name]) for name in ("train", "validation", "test")):
        raise ConfigError(f"{request.data} leaves no picture to train, validate or test on", expected="some for each")
    return summary
