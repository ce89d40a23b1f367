"""What an export is going to do, decided from the options, the data and the weights before any of it is done.

TensorFlow is imported when a job starts or forecasts, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.artifact.workspace import stage_key
from sqz_tf.base.errors import ConfigError
from sqz_tf.base.folders import walk
from sqz_tf.base.spec import ON_GPUS, ON_MACHINES, DataConfig
from sqz_tf.data.dataset import Summary, summarise
from sqz_tf.data.rows import Progress
from sqz_tf.data.sources import is_named, reading_of
from sqz_tf.images.find import ImageSet, scan
from sqz_tf.network.architecture import HEAD
from sqz_tf.network.exported_weights import ExportedWeights
from sqz_tf.network.pretrained import Pretrained, load
from sqz_tf.pipeline.head import Kept, Replaced, head_of
from sqz_tf.pipeline.plan import Options, Plan, make_calibration_plan, make_fine_tune_plan, make_plan
from sqz_tf.pipeline.teaching import open_teacher, require_alike

if TYPE_CHECKING:
    from sqz_tf.artifact.workspace import Workspace
    from sqz_tf.base.console import Console
    from sqz_tf.pipeline.run import Made, Run
    from sqz_tf.train.meeting import Meeting

FINE_TUNE_SIZE = 128  # pixels, of weights for larger pictures: a third of the work of the published 227
CALIBRATION_SECONDS = 150.0
_TRAINS = (
    "epochs",
    "prune_epochs",
    "sparsity",
    "sparsity_pattern",
    "teacher",
    "dsd",
    "recipe",
    "augment",
    "distribute",
)
"""Options without effect where nothing is trained."""


@dataclass(frozen=True)
class Training:
    """Train from scratch, or fine-tune published weights."""

    plan: Plan
    summary: Summary
    pretrained: Pretrained | None = None
    teacher: ExportedWeights | None = None

    @property
    def pictures(self) -> int:
        """The number of pictures that are read."""
        return self.summary.pictures

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before the work begins."""
        return (*self.summary.notes, *(self.pretrained.notes if self.pretrained else ()))

    @property
    def learnt(self) -> tuple[int, int]:
        """The numbers of pictures that train and that calibrate."""
        return sum(self.summary.counts["train"]), sum(self.summary.counts["calibration"])

    @property
    def held(self) -> dict[str, int]:
        """The numbers of pictures of the splits that judge."""
        return {name: sum(self.summary.counts[name]) for name in ("validation", "test")}

    def make(self, run: Run) -> Made:
        """Run or resume the stages up to the quantized network."""
        from sqz_tf.pipeline.training import make

        return make(run, self.summary, self.pretrained, self.teacher)

    def forecast(self) -> dict[str, Any]:
        """Return what would be made, and about how long it would take."""
        from sqz_tf.pipeline.forecast import foresee
        from sqz_tf.pipeline.training import HEAD_EPOCHS

        head_epochs = HEAD_EPOCHS if self.pretrained and not self.plan.train.goes_on else 0
        width, height = self.summary.median_size
        return {
            "data": f"{self.summary.name}: {self.summary.pictures} pictures, median {width}×{height}",
            "notes": list(self.notes),
            "head_epochs": head_epochs,
            **foresee(self.plan, self.summary, head_epochs, self.teacher),
        }


@dataclass(frozen=True)
class Calibrating:
    """Quantize published weights without training."""

    plan: Plan
    found: ImageSet
    pretrained: Pretrained
    calibration: str | None
    head: Kept

    @property
    def pictures(self) -> int:
        """The number of pictures that are read, at most."""
        return len(self.found.entries) + self.plan.data.calibration_images

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before the work begins."""
        return (*self.found.notes, *self.pretrained.notes)

    @cached_property
    def learnt(self) -> tuple[int, int]:
        """The numbers of pictures that train, none, and that calibrate."""
        asked, there = self.plan.data.calibration_images, len(self.found.entries) // 5
        if self.calibration:
            there = len(scan(self.calibration, reading_of(self.plan.data, labelled=False)).entries)
        return 0, min(asked, there)

    @property
    def held(self) -> dict[str, int]:
        """The number of pictures that judge."""
        return {"test": len(self.found.entries) - (0 if self.calibration else self.learnt[1])}

    def make(self, run: Run) -> Made:
        """Run or resume the stages up to the quantized network."""
        from sqz_tf.pipeline.calibrating import Pictures, make

        pictures = Pictures(
            fingerprint=stage_key(*(_listing(each) for each in (self.plan.data.source, self.calibration) if each)),
            calibration=self.calibration,
            classes=self.found.classes,
            head=self.head,
        )
        return make(run, self.pretrained, pictures)

    def forecast(self) -> dict[str, Any]:
        """Return what would be made, and about how long it would take."""
        params = sum(kernel.size + bias.size for kernel, bias in self.pretrained.layers.values())
        return {
            "data": f"{self.plan.data.source}: {len(self.found.entries)} pictures",
            "classes": list(self.head.labels),
            "counts": {"calibration": self.learnt[1], **self.held},
            "params": params,
            "int8_bytes": params + 100_000,
            "pruned_layers": [],
            "class_weights": "none",
            "seconds": CALIBRATION_SECONDS + 0.2 * len(self.found.entries),
            "notes": list(self.notes),
        }


Job = Training | Calibrating


def execute(
    job: Job,
    workspace: Workspace,
    console: Console,
    command: Sequence[str],
    distribute: str | None = None,
    meeting: Meeting | None = None,
) -> tuple[dict[str, Any], Path]:
    """Do a job: run or resume every stage, publish or reject.

    Args:
      workspace: entered; holds the stages and takes the result.
      command: the command line, for the record.
      distribute: how training is shared out, one of `DISTRIBUTIONS`; by default not.
      meeting: the chief's, of `multiworker`.

    Returns:
      The content of report.json, and the folder it is in.
    """
    from sqz_tf.pipeline.publish import publish
    from sqz_tf.train.distribute import ALONE

    run = _begun(job, workspace, console, command, distribute, meeting)
    made = job.make(run)
    for note in made.material.dataset.notes:
        if note not in job.notes:  # those were said before the work began
            console.note(f"note: {note}")
    return publish(replace(run, shared=ALONE), made, job.pretrained)


def assist(job: Job, workspace: Workspace, console: Console, command: Sequence[str], meeting: Meeting) -> None:
    """Do a worker's part of a job whose result the chief makes.

    Args:
      workspace: entered, the worker's own; empty afterwards.
    """
    job.make(_begun(job, workspace, console, command, ON_MACHINES, meeting))
    console.note("trained; the chief makes the result …")
    meeting.hear()  # TensorFlow takes a process that leaves before the chief for a lost one
    workspace.clear()


def _begun(
    job: Job,
    workspace: Workspace,
    console: Console,
    command: Sequence[str],
    distribute: str | None,
    meeting: Meeting | None,
) -> Run:
    """Let TensorFlow begin, in as many threads and replicas as are asked for; nothing may be computed before."""
    from sqz_tf.pipeline.preflight import needed_bytes
    from sqz_tf.pipeline.run import Run
    from sqz_tf.train.distribute import ALONE, joined, mirrored
    from sqz_tf.train.keras import use_threads

    workspace.require_space(needed_bytes(job.plan, job.pictures))
    use_threads(job.plan.threads)
    shared = joined(meeting) if meeting else mirrored() if distribute == ON_GPUS else ALONE
    return Run(job.plan, workspace, console, tuple(command), shared)


def from_scratch(options: Options, progress: Progress | None = None) -> Training:
    """Decide how to train on the data."""
    teacher = _teacher(options)
    summary = summarise(options.data, progress)
    return _taught(Training(make_plan(options, summary), summary), options, teacher)


def _teacher(options: Options) -> ExportedWeights | None:
    """Open the teacher, if one is asked for: before the pictures, which take far longer to read."""
    return open_teacher(options.teacher) if options.teacher is not None else None


def _taught(job: Training, options: Options, teacher: ExportedWeights | None) -> Training:
    """Return the job with its teacher, once it is known to fit."""
    if teacher is None:
        return job
    require_alike(str(options.teacher), teacher, job.summary.classes, job.plan.model.channels)
    train = replace(job.plan.train, teacher=teacher.sha256)
    return replace(job, plan=replace(job.plan, train=train), teacher=teacher)


def from_weights(options: Options, weights: str, calibration: str | None, progress: Progress | None = None) -> Job:
    """Decide what to do with published weights: only quantize if their head can stay, else fine-tune under a new one.

    Raises:
      ConfigError: training is forbidden but needed, or allowed but pointless.
    """
    source = Path(options.data.source)
    found = scan(source, reading_of(options.data)) if source.exists() and not is_named(options.data.source) else None
    if found is None:
        _refuse_for_named(options, calibration)
    published = _published(weights, options)
    teacher = _teacher(options)
    summary = summarise(options.data, progress) if found is None else None
    head = head_of(published, found or _classes_alone(summary), options.data.source)
    if isinstance(head, Kept) and found is not None and not (options.epochs and not head.wnids):
        _refuse_training(options, head)
        pretrained = _sized(weights, published, options.input_size)
        noted = replace(pretrained, notes=(*filter(None, [head.note, _seen(pretrained)]), *pretrained.notes))
        plan = make_calibration_plan(options, noted.model, noted.preprocess)
        return Calibrating(plan, found, noted, calibration, head)
    _refuse_fine_tuning(options, calibration, head)
    goes_on = isinstance(head, Kept) and not head.assumed
    size = min(FINE_TUNE_SIZE, published.model.input_size) if options.input_size is None else options.input_size
    pretrained = _sized(weights, published, size)
    if isinstance(head, Kept) and goes_on:
        pretrained = _in_order(pretrained, head.outputs)
    asked = (
        f"--epochs {options.epochs} asks for" if options.epochs else f"{options.data.source} is asked for by name, for"
    )
    why = head.why if isinstance(head, Replaced) else f"{asked} training"
    what = "all layers are trained on, the last one, too" if goes_on else "the last layer is replaced and trained"
    known = _seen(pretrained, options.data) if goes_on else ""
    noted = replace(pretrained, notes=(f"{why}: {what}", *filter(None, [known]), *pretrained.notes))
    summary = summary or summarise(options.data, progress)
    plan = make_fine_tune_plan(options, summary, noted.model, noted.preprocess, goes_on)
    return _taught(Training(plan, summary, noted), options, teacher)


def _classes_alone(summary: Summary | None) -> ImageSet:
    """Return the classes of a data set that is asked for by name."""
    assert summary is not None
    return ImageSet(Path(summary.name), summary.classes, ())


def _seen(pretrained: Pretrained, data: DataConfig | None = None) -> str:
    """Warn of a verdict by pictures that may have trained the weights.

    Args:
      data: how the pictures are split now; None if all of them judge.
    """
    learnt = pretrained.learnt
    if learnt is None or (data is not None and _split_alike(data, learnt)):
        return ""
    judge = "these judge it" if data is None else "these may be split otherwise"
    return (
        f"warning: pictures of {learnt.source} have trained {pretrained.source}, and {judge}: "
        "if some are the same, its accuracy will look better than it is"
    )


def _split_alike(one: DataConfig, other: DataConfig) -> bool:
    """Say whether the same pictures test, which is decided before those of the other splits are chosen."""
    tests = [
        (Path(each.source).name, each.test_fraction, each.splits, each.zip_encoding, each.copies)
        for each in (one, other)
    ]
    return tests[0] == tests[1]


def _in_order(pretrained: Pretrained, outputs: tuple[int, ...]) -> Pretrained:
    """Return the weights with the last layer's outputs in the order of the pictures' classes."""
    kernel, bias = pretrained.layers[HEAD]
    order = list(outputs)
    return replace(pretrained, layers={**pretrained.layers, HEAD: (kernel[..., order], bias[order])})


def _refuse_fine_tuning(options: Options, calibration: str | None, head: Kept | Replaced) -> None:
    if options.epochs == 0 and isinstance(head, Replaced):
        raise ConfigError(
            f"--epochs 0 forbids training, but {head.why}",
            expected=head.expected,
            fix="leave --epochs out to fine-tune under a new head",
        )
    if calibration:
        raise _uncalibrated()


def _refuse_for_named(options: Options, calibration: str | None) -> None:
    """Refuse what is for weights that are only quantized, before a data set asked for by name is fetched."""
    if options.epochs == 0:
        raise ConfigError(
            "--epochs 0 forbids training, but a data set asked for by name is trained on",
            expected="a folder of its pictures, to only quantize",
            fix="leave --epochs out",
        )
    if calibration:
        raise _uncalibrated()


def _uncalibrated() -> ConfigError:
    return ConfigError(
        "--calibration-data is for weights that keep their head, which are only quantized",
        fix="leave it out: fine-tuning calibrates on its own pictures",
    )


def _refuse_training(options: Options, head: Kept) -> None:
    """Refuse options that would have no effect: published weights are only quantized for their own classes."""
    fractions = {name: getattr(options.data, name) for name in ("test_fraction", "validation_fraction")}
    given = {name: getattr(options, name) for name in _TRAINS} | fractions
    usual = {field.name: field.default for field in (*fields(Options), *fields(DataConfig))}
    useless = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, 0, usual[name])]
    if useless:
        raise ConfigError(
            f"{', '.join(useless)}: nothing is trained, since these pictures keep the published classes and weights",
            fix="leave it out, or name the folders otherwise to fine-tune"
            if head.wnids
            else "leave it out, or give --epochs, too, to train on",
        )


def _published(weights: str, options: Options) -> Pretrained:
    """Return the weights as they are published; another network or other channels than asked for are refused."""
    published = load(weights)
    if options.channels not in (None, published.model.channels):
        raise ConfigError(
            f"--channels {options.channels} does not fit the weights",
            expected=f"{published.model.channels}, which they take",
            fix="leave --channels out",
        )
    if options.arch not in (None, published.model.arch):
        raise ConfigError(
            f"--arch {options.arch} does not fit the weights", expected=published.model.arch, fix="leave --arch out"
        )
    return published


def _sized(weights: str, published: Pretrained, size: int | None) -> Pretrained:
    """Return the same weights for an input of another size."""
    if size is None or size == published.model.input_size:
        return published
    padding = "same" if size < 64 else "valid"
    return load(weights, replace(published.model, input_size=size, pool_padding=padding))


def _listing(source: str) -> list[tuple[str, int, int]]:
    """Return name, size and time of every file of a source: enough to notice that it has changed."""
    path = Path(source)
    files = [path] if path.is_file() else [path / name for name in walk(path).files]
    return [(str(each.relative_to(path.parent)), each.stat().st_size, each.stat().st_mtime_ns) for each in files]
