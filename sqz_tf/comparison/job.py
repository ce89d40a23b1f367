"""The stages of a comparison: an export of SqueezeNet, made here or given, AlexNet and its compressions, the table.

Each stage is a folder in OUT.work, as an export's are; the export in its stage has stages of its own.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqz_tf import __version__
from sqz_tf.artifact.manifest import MANIFEST, manifest, sha256_of, versions, write_manifest
from sqz_tf.artifact.workspace import Stage, Workspace
from sqz_tf.base.console import Console
from sqz_tf.base.errors import ConfigError, TrainingError
from sqz_tf.base.spec import to_dict
from sqz_tf.comparison import alexnets, squeezenets
from sqz_tf.comparison.forecast import alexnet_of, needed_bytes, require_alike, require_possible
from sqz_tf.comparison.page import render
from sqz_tf.comparison.paper import DENSITY
from sqz_tf.comparison.rows import Found, found_in, rows_of
from sqz_tf.comparison.table import to_csv, to_json
from sqz_tf.comparison.work import Work, advised, kept_in, settings_of
from sqz_tf.network.alexnet import described
from sqz_tf.parity.artifacts import Artifacts, read_artifacts
from sqz_tf.parity.folder import pictures_of
from sqz_tf.pipeline.job import Training, execute
from sqz_tf.pipeline.run import staged
from sqz_tf.train.keras import use_threads

EXPORT, CACHE = "export", "cache"  # folders in the stages that hold them
FORMAT = 1


@dataclass(frozen=True)
class Request:
    """What is compared.

    Attributes:
      squeezenet: the job that exports it, or the folder of an export that is there.
      data: where that export's pictures are now; None if they are where they were.
      epochs: of AlexNet's dense training; None takes the export's.
      command: the command line, for the record.
    """

    squeezenet: Training | Path
    data: str | None
    epochs: int | None
    seed: int
    threads: int
    command: tuple[str, ...]


def compare(request: Request, workspace: Workspace, console: Console) -> tuple[dict[str, Any], Path]:
    """Run or resume every stage and publish the table; return its values and the folder."""
    use_threads(request.threads)
    if isinstance(request.squeezenet, Training):
        require_possible(alexnet_of(request.squeezenet.plan.model))
    exported = _exported(request, workspace, console)
    artifacts = read_artifacts(exported.folder / EXPORT)
    settings = settings_of(artifacts, request.epochs, request.seed)
    workspace.require_space(needed_bytes(settings.alexnet))
    run = _Stages(workspace, console, [request.threads, versions()])
    pictures = run("pictures", None, lambda out: _load(request, artifacts, out, console), [exported])
    work = Work(settings, artifacts, pictures.folder / CACHE, console)
    found = {**_alexnets(run, work, pictures), **_squeezenets(run, work, pictures)}
    values = _values(request, work, found)
    workspace.assemble(lambda out: _write(out, values, work, request.command))
    return values, workspace.publish()


@dataclass(frozen=True)
class _Stages:
    """Runs stages whose keys all cover threads and versions."""

    workspace: Workspace
    console: Console
    shared: list[Any]

    def __call__(self, name: str, config: Any, build: Callable[[Path], None], needs: Sequence[Stage]) -> Stage:
        parts = [*self.shared, config]
        return staged(self.workspace, self.console, name, parts, build, needs=needs, resumable=True)


def _exported(request: Request, workspace: Workspace, console: Console) -> Stage:
    """Return the stage that holds an export: a copy of the one given, or one made here."""
    given = request.squeezenet
    if isinstance(given, Path):
        require_alike(read_artifacts(given).export)
        key: list[Any] = [sha256_of(given / MANIFEST)]
        return staged(workspace, console, "squeezenet", key, lambda out: _copy(given, out))
    key = [given.plan.to_dict(), given.summary.sha256, versions()]
    return staged(
        workspace, console, "squeezenet", key, lambda out: _make(given, out, request, console), resumable=True
    )


def _copy(given: Path, out: Path) -> None:
    shutil.copytree(given, out / EXPORT)


def _make(job: Training, out: Path, request: Request, console: Console) -> None:
    """Export into a stage; an export that fails its gate is compared all the same."""
    made = out / EXPORT
    if not made.exists():
        with Workspace(made, note=console.note) as inner:
            try:
                _, folder = execute(job, inner, console, request.command)
            except TrainingError as error:
                raise advised(error, "squeezenet") from error
        shutil.rmtree(inner.work, ignore_errors=True)
        if folder != made:
            os.rename(folder, made)


def _load(request: Request, artifacts: Artifacts, out: Path, console: Console) -> None:
    """Load the export's pictures: others would be split otherwise, and judged with what SqueezeNet was trained on."""
    found, _ = pictures_of(artifacts, request.data, out / CACHE, console)
    if found.sha256 != artifacts.manifest.get("data_sha256"):
        raise ConfigError(
            f"the pictures of {found.config.source} are not those that SqueezeNet was trained on",
            expected="the same pictures, classes and splits",
            fix="export again, or give the export's pictures with --data",
        )


def _alexnets(run: _Stages, work: Work, pictures: Stage) -> dict[str, Found]:
    dense = run("alexnet", to_dict(work.settings), lambda out: alexnets.train(work, out), [pictures])
    svd = run(
        "svd", [alexnets.ENERGIES, alexnets.MOST_LOST], lambda out: alexnets.svd(work, dense.folder, out), [dense]
    )
    pruned = run("pruned", DENSITY, lambda out: alexnets.pruned(work, dense.folder, out), [dense])
    deep = run("deep", alexnets.GAP_BITS, lambda out: alexnets.deep(work, pruned.folder, out), [pruned])
    stages = {"alexnet": dense, "alexnet_svd": svd, "alexnet_pruned": pruned, "alexnet_deep": deep}
    return {key: _found(stage, work) for key, stage in stages.items()}


def _squeezenets(run: _Stages, work: Work, pictures: Stage) -> dict[str, Found]:
    builds = {
        "squeezenet_deep_8": ("eight_bits", lambda out: squeezenets.shared(work, 8, "eight_bits", out)),
        "squeezenet_deep_6": ("six_bits", lambda out: squeezenets.shared(work, 6, "six_bits", out)),
        "squeezenet_int8": ("integer", lambda out: squeezenets.integer(work, out)),
        "squeezenet_packed": ("repacked", lambda out: squeezenets.packed(work, out)),
    }
    if work.artifacts.export.config["prune"]["sparsity"]:
        builds["squeezenet_pruned"] = ("sparse", lambda out: squeezenets.pruned(work, out))
    settings = to_dict(work.settings)
    stages = {key: run(name, settings, build, [pictures]) for key, (name, build) in builds.items()}
    return {"squeezenet": Found(*squeezenets.dense(work)), **{key: _found(each, work) for key, each in stages.items()}}


def _found(stage: Stage, work: Work) -> Found:
    return found_in(*kept_in(stage.folder), work.labels)


def _values(request: Request, work: Work, found: dict[str, Found]) -> dict[str, Any]:
    data = work.dataset
    return {
        "format": FORMAT,
        "sqz_tf": __version__,
        "name": data.name,
        "command": " ".join(shlex.quote(part) for part in ["python", "-m", *request.command]),
        "alexnet": described(work.settings.alexnet),
        "original": work.settings.alexnet.is_original,
        "squeezenet": squeezenets.described(work),
        "counts": {name: len(rows) for name, rows in data.splits.items()},
        "classes": list(data.classes),
        "licence": data.licence,
        "rows": rows_of(found),
        "notes": [*_failures(work.artifacts), *data.notes],
    }


def _failures(artifacts: Artifacts) -> list[str]:
    gate = artifacts.export.report["gate"]
    return [] if gate["passed"] else [f"the export of SqueezeNet failed its gate: {'; '.join(gate['failures'])}"]


def _write(out: Path, values: dict[str, Any], work: Work, command: tuple[str, ...]) -> None:
    texts = {"compare.json": to_json(values), "compare.csv": to_csv(values), "compare.html": render(values)}
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    config = {"settings": to_dict(work.settings), "export": work.artifacts.export.config}
    described_by = manifest(out, config=config, data_sha256=work.dataset.sha256, command=list(command))
    write_manifest(out, described_by)
