"""From pictures to a proven int8 SqueezeNet: `python -m sqz_tf.export`.

The one place that wires the stages together. Each stage is a folder in OUT.work, keyed by everything it depends
on; an interrupted run takes up the last one. TensorFlow is imported when the work begins, not before.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.weights.read import FORMATS
from sqz_tf.base.console import (
    EXIT_FAILED,
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    data_config,
    fraction_options,
    metaparameter_options,
    positive,
    reading_options,
    show,
    show_json,
)
from sqz_tf.base.errors import ConfigError, OutputError
from sqz_tf.base.paths import absolute
from sqz_tf.base.spec import (
    ARCHS,
    AUGMENTS,
    BYPASSES,
    COPIES,
    DISTRIBUTIONS,
    FITS,
    METAPARAMETERS,
    ON_MACHINES,
    PATTERNS,
    THREADS,
)
from sqz_tf.base.text import printable, readable
from sqz_tf.data.sources import NAMES, reading
from sqz_tf.deploy import android
from sqz_tf.deploy.pack_budgets import pack_budgets
from sqz_tf.pipeline.recipes import QUICK, RECIPES
from sqz_tf.quantize.schemes.every import SCHEMES

if TYPE_CHECKING:
    from sqz_tf.artifact.workspace import Workspace
    from sqz_tf.base.spec import ModelSpec
    from sqz_tf.pipeline.job import Job
    from sqz_tf.pipeline.plan import Options, Plan
    from sqz_tf.train.cluster import Cluster

EXAMPLES = """\
examples:
  python -m sqz_tf.export                              the built-in handwritten digits, two minutes
  python -m sqz_tf.export --data photos/ --out build/photos
  python -m sqz_tf.export --weights imagenet --data photos/       fine-tune ImageNet's SqueezeNet on them
  python -m sqz_tf.export --weights imagenet --data imagenet_val/ --calibration-data pictures/
                                                       only quantize it; judged on pictures labelled by wnid
  python -m sqz_tf.export --weights mine.safetensors --data photos/       quantize your own, or fine-tune it
  python -m sqz_tf.export --data photos.zip --dry-run  what would happen, and how long it would take
"""


INTERRUPTED = "interrupted; run the same command again to go on from here"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.export",
        description="Train a SqueezeNet on pictures, prune and quantize it, convert it to TFLite and C, and prove "
        "that int8 does what float does.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_input(parser.add_argument_group("pictures"))
    _add_network(parser.add_argument_group("network"))
    _add_training(parser.add_argument_group("training and compression"))
    _add_output(parser.add_argument_group("output"))
    return parser


def _add_input(group: Any) -> None:
    group.add_argument(
        "--data",
        default="digits",
        metavar="SOURCE",
        help=f"{', '.join(NAMES)}, or a folder or .zip with one folder per class, with or without train/val/test on "
        "top, or with labels.csv (default: digits, which are built in)",
    )
    reading_options(group)
    group.add_argument(
        "--copies",
        choices=COPIES,
        default="apart",
        help="of your own pictures those that look the same: kept on one side of the split, or split like others "
        "(default: apart)",
    )
    group.add_argument("--input-size", type=int, metavar="PX", help="side of the network's input (default: by data)")
    group.add_argument("--channels", type=int, choices=(1, 3), help="1 grey, 3 RGB (default: by data)")
    group.add_argument("--fit", choices=FITS, help="how pictures become square (default: centre-crop)")
    fraction_options(group)
    group.add_argument(
        "--calibration-data", metavar="FOLDER", help="pictures to calibrate with, labels not needed (with --weights)"
    )
    group.add_argument("--calibration-images", type=int, default=200, metavar="N", help="default: 200")


def _add_network(group: Any) -> None:
    group.add_argument("--arch", choices=ARCHS, help="default: squeezenet-1.1, or what --weights hold")
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="start from published weights: imagenet (SqueezeNet v1.0, 676 KB, downloaded once), the folder of an "
        "export, the name of a model that comes with the kit, or a file "
        f"({', '.join(FORMATS)}). Pictures labelled by ImageNet's wnids keep its 1000 classes, and pictures of the "
        "weights' own classes keep those: they are only quantized, or trained on with --epochs; others get a new head "
        "and fine-tuning",
    )
    group.add_argument("--width", type=float, help="multiplies every layer's filters (default: by data)")
    group.add_argument("--bypass", choices=BYPASSES, help="default: by --recipe")
    metaparameter_options(group)


def _add_training(group: Any) -> None:
    group.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        default=QUICK,
        help="; ".join(f"{name}: {recipe.about}" for name, recipe in RECIPES.items()) + " (default: quick)",
    )
    group.add_argument(
        "--teacher",
        metavar="FOLDER",
        help="an export of a larger network for the same classes, or a model that comes with the kit by name, whose "
        "answers are learnt, too",
    )
    group.add_argument(
        "--dsd", action="store_true", help="dense, sparse, dense: prune, train, then set all weights free once more"
    )
    group.add_argument(
        "--augment", choices=AUGMENTS, help="how pictures are changed while training (default: by data and --recipe)"
    )
    group.add_argument(
        "--start-size",
        type=int,
        metavar="PX",
        help="side of the input in the first three quarters of --epochs, which is quicker",
    )
    group.add_argument(
        "--epochs", type=int, metavar="N", help="of dense training; 0 forbids training (default: by number of pictures)"
    )
    group.add_argument(
        "--prune-epochs", type=int, metavar="N", help="default: a third of --epochs, a half with --weights"
    )
    group.add_argument(
        "--quantize-epochs",
        type=int,
        metavar="N",
        help="default: an eighth of --epochs; with published weights and their classes, epochs of distillation from "
        "float on the calibration pictures (default: by scheme)",
    )
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="peak of the schedule (default: 0.01, 0.02 by --recipe thorough, 0.00005 for fine-tuning --weights)",
    )
    group.add_argument("--sparsity", type=float, default=0.5, help="zeros in each pruned layer, 0 to 1 (default: 0.5)")
    group.add_argument(
        "--sparsity-pattern",
        choices=PATTERNS,
        default="unstructured",
        help="which weights are zero: any, or blocks of four channels by two inputs, which compiled C for Cortex-M4 "
        "leaves out (default: unstructured)",
    )
    group.add_argument(
        "--scheme",
        choices=tuple(SCHEMES),
        default="int8",
        help="; ".join(f"{scheme.name}: {scheme.about}" for scheme in SCHEMES.values()) + " (default: int8)",
    )
    group.add_argument(
        "--per-channel",
        action=argparse.BooleanOptionalAction,
        help="a scale for each output channel of the weights, not one (default: by scheme; yes for int8)",
    )
    group.add_argument("--seed", type=int, default=1, help="default: 1")
    group.add_argument(
        "--threads",
        type=positive,
        default=THREADS,
        metavar="N",
        help="threads TensorFlow computes in: results depend on them, not on the processors there are "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--distribute",
        choices=DISTRIBUTIONS,
        help="share out each training batch: among the GPUs of this machine (mirrored), or among the machines that the "
        "environment's TF_CONFIG names, where the same command runs on each (multiworker)",
    )
    group.add_argument(
        "--wait",
        type=positive,
        default=600,
        metavar="SECONDS",
        help="for the other machines, when the job begins and when one was lost (default: 600)",
    )
    group.add_argument(
        "--max-drop",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="percentage points of top-1 that int8 may lose (default: 1.0)",
    )


def _add_output(group: Any) -> None:
    group.add_argument("--out", type=Path, metavar="FOLDER", help="default: build/NAME OF THE DATA")
    group.add_argument("--overwrite", action="store_true", help="replace an earlier output folder")
    group.add_argument("--pack", action="store_true", help="also write model.sqz: the weights rounded to few bits")
    group.add_argument(
        "--pack-budget-kb", type=float, metavar="N", help="thousand bytes of it (default: what --max-drop allows)"
    )
    group.add_argument("--web", action="store_true", help="also write try.html: the network to try in a browser")
    group.add_argument("--android", action="store_true", help="also put the model into the Android demo app's assets")
    group.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="go on from OUT.work (default: yes)"
    )
    group.add_argument("--dry-run", action="store_true", help="say what would be done and how long it would take")
    common_options(group, json="print report.json instead of the table")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 proven, 1 failed or rejected, 2 usage."""
    arguments = build_parser().parse_args(argv)
    line = ["sqz_tf.export", *(sys.argv[1:] if argv is None else argv)]
    again = argv is None or sys.argv[2:] == argv  # another program that calls this is not replaced
    return command(arguments, lambda arguments, console: _steady(arguments, line, console, again), INTERRUPTED)


def _steady(arguments: argparse.Namespace, line: list[str], console: Console, again: bool) -> int:
    """Do the work; if another machine is lost, begin again in a new process where that is allowed."""
    from sqz_tf.pipeline.together import begin_again
    from sqz_tf.train.meeting import PeerLost

    try:
        return _work(arguments, line, console)
    except PeerLost as lost:
        if not again:
            raise
        begin_again(lost, console.note)


def _work(arguments: argparse.Namespace, line: list[str], console: Console) -> int:
    from sqz_tf.artifact.workspace import Workspace
    from sqz_tf.pipeline.preflight import require_tools
    from sqz_tf.pipeline.together import takes_up, workers_out
    from sqz_tf.train.cluster import cluster_of

    cluster = cluster_of(os.environ.get("TF_CONFIG")) if arguments.distribute == ON_MACHINES else None
    out = workers_out(absolute(arguments.out or Path("build") / _default_name(arguments.data)), cluster)
    options = _options(arguments)
    _refuse_contradictions(arguments)
    _refuse_other_encodings([*line, str(out)])
    require_tools(arguments.pack, arguments.web)
    if arguments.android:
        android.require_demo()
        android.require_assets()
        android.require_name(out.name)
    workspace = Workspace(out, arguments.overwrite, takes_up(arguments.resume), note=console.note)
    if arguments.dry_run:
        return _dry_run(arguments, options, workspace, console)
    with workspace:
        console.note(reading(arguments.data))
        job = _job(arguments, options, console)
        for note in job.notes:
            console.note(f"note: {note}")
        made = _made(arguments, line, job, workspace, console, cluster)
    if made is None:
        console.note("done; the chief has the result")
        return EXIT_OK
    report, folder = made
    _print_result(report, folder, arguments.json)
    if not report["gate"]["passed"]:
        return EXIT_FAILED
    if arguments.android:
        android.bundle([folder], android.ASSETS)
        console.note(f"bundled with the demo app; for a package: make android MODEL={folder}")
    return EXIT_OK


def _made(
    arguments: argparse.Namespace,
    line: list[str],
    job: Job,
    workspace: Workspace,
    console: Console,
    cluster: Cluster | None,
) -> tuple[dict[str, Any], Path] | None:
    """Do the job; return the report and its folder, None if another machine makes them."""
    from sqz_tf.pipeline.job import assist, execute
    from sqz_tf.pipeline.together import card_of
    from sqz_tf.train.meeting import meet

    if cluster is None:
        return execute(job, workspace, console, line, arguments.distribute)
    meeting = meet(cluster, card_of(job), arguments.wait, console.note)
    if not cluster.is_chief:
        assist(job, workspace, console, line, meeting)
        return None
    with meeting.ending():
        return execute(job, workspace, console, line, arguments.distribute, meeting)


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    if arguments.epochs == 0 and not arguments.weights:
        raise ConfigError("--epochs 0 leaves nothing to export", fix="give --weights, or train for at least 1 epoch")
    if arguments.pack_budget_kb is not None and arguments.pack_budget_kb <= 0:
        raise ConfigError(f"--pack-budget-kb is {arguments.pack_budget_kb:g}", expected="a size above 0")
    if arguments.pack_budget_kb is not None and not arguments.pack:
        raise ConfigError("--pack-budget-kb goes with --pack", fix="add --pack")
    if arguments.calibration_data and not arguments.weights:
        raise ConfigError(
            "--calibration-data goes with --weights", fix="leave it out: training calibrates on its own pictures"
        )
    if arguments.weights and arguments.epochs == 0 and arguments.teacher:
        raise ConfigError("--teacher teaches nobody: --epochs 0 forbids training", fix="leave one of them out")
    if arguments.weights and arguments.epochs == 0 and arguments.dsd:
        raise ConfigError("--dsd trains, which --epochs 0 forbids", fix="leave one of them out")
    if arguments.weights and arguments.start_size is not None:
        raise ConfigError("--start-size is for training from nothing, not from --weights", fix="leave one of them out")
    if arguments.weights and (arguments.width is not None or arguments.bypass is not None):
        raise ConfigError("--width and --bypass do not go with --weights", expected="the network the weights are for")
    given = [name for name in METAPARAMETERS if getattr(arguments, name) is not None]
    if arguments.weights and given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ConfigError(f"{names} cannot be chosen with --weights", expected="the network the weights are for")


def _refuse_other_encodings(line: list[str]) -> None:
    for text in line:
        if readable(text) != text:
            fix = "rename it, or set LC_ALL=C.UTF-8 if the system's language has another encoding"
            raise ConfigError(f"{text} is not UTF-8", expected="names that the manifest can hold", fix=fix)


def _job(arguments: argparse.Namespace, options: Options, console: Console) -> Job:
    from sqz_tf.pipeline.job import from_scratch, from_weights
    from sqz_tf.pipeline.preflight import require_possible

    weights: str | None = arguments.weights
    if weights:
        job: Job = from_weights(options, weights, arguments.calibration_data, console.step)
    else:
        job = from_scratch(options, console.step)
    require_possible(job.plan, *job.learnt, job.held)
    return job


def _options(arguments: argparse.Namespace) -> Options:
    from sqz_tf.base.spec import PackConfig
    from sqz_tf.pipeline.plan import Options

    chosen = {name: getattr(arguments, name) for name in ("calibration_images", "copies")}
    data = data_config(arguments, arguments.data, **chosen)
    names = {field.name for field in dataclasses.fields(Options)} - {"data", "pack"}
    pack = PackConfig(arguments.pack_budget_kb or 0.0, arguments.max_drop) if arguments.pack else None
    return Options(data=data, pack=pack, **{name: getattr(arguments, name) for name in names})


def _default_name(source: str) -> str:
    return Path(source.split(":")[-1]).stem or "export"


def _print_result(report: dict[str, Any], folder: Path, as_json: bool) -> None:
    from sqz_tf.report.document import to_json
    from sqz_tf.report.pages import summary_table

    if as_json:
        show_json(to_json(report).rstrip("\n"))
        return
    show(summary_table(report))
    show(printable(f"report: {folder / 'report.html'}"))


def _dry_run(arguments: argparse.Namespace, options: Options, workspace: Workspace, console: Console) -> int:
    try:
        workspace.check()
    except OutputError as error:
        console.note(f"note: as it stands nothing could be written: {error}")
    console.note(reading(arguments.data))
    job = _job(arguments, options, console)
    forecast = job.forecast()
    if arguments.json:
        show_json(json.dumps({"plan": job.plan.to_dict(), **forecast}, indent=2, ensure_ascii=False))
        return EXIT_OK
    plan = job.plan
    names = ", ".join(forecast["classes"][:12]) + (" …" if len(forecast["classes"]) > 12 else "")
    rows = {
        "data": forecast["data"],
        "classes": f"{len(forecast['classes'])}: {names}",
        "splits": ", ".join(f"{name} {count}" for name, count in forecast["counts"].items()),
        "network": f"{plan.model.arch}, width {plan.model.width:g}, input {plan.model.input_size}×"
        f"{plan.model.input_size}×{plan.model.channels}, bypass {plan.model.bypass}",
        "Fire modules": _modules(plan.model),
        "size": f"{forecast['params']:,} parameters, about {forecast['int8_bytes'] / 1024:.0f} KB as int8",
        "training": _training(plan, forecast["head_epochs"])
        if plan.train.epochs
        else "none: the weights are only quantized",
        **({"teacher": options.teacher} if options.teacher else {}),
        "class weights": forecast["class_weights"],
        "pruned": f"all convolutions but {', '.join(plan.prune.skip)}: {len(forecast['pruned_layers'])} layers"
        if plan.prune.epochs
        else "nothing",
        "boards": _pack_row(forecast["int8_bytes"]),
        "time": f"about {_duration(forecast['seconds'])} on this machine",
    }
    show("\n".join(printable(f"{name:<14}{text}") for name, text in rows.items()))
    for note in forecast["notes"]:
        console.note(f"note: {note}")
    return EXIT_OK


def _training(plan: Plan, head_epochs: int) -> str:
    """Say how many epochs each phase has."""
    prune, dsd, start = plan.prune, plan.dsd, plan.start
    head = f"{head_epochs} epochs of the new last layer alone, then " if head_epochs else ""
    beginning = f"{start.epochs} epochs at {start.input_size}×{start.input_size}, then " if start else ""
    pruning = f"{prune.epochs} pruning to {prune.sparsity:.0%} zeros ({prune.pattern}), then " if prune.epochs else ""
    detour = (
        f"{dsd.sparse_epochs} with {dsd.sparsity:.0%} zeros, then {dsd.dense_epochs} dense again, then " if dsd else ""
    )
    return (
        f"{head}{beginning}{plan.train.epochs} epochs, then {detour}{pruning}{plan.quantize.epochs} "
        f"quantization-aware; batches of {plan.train.batch_size}"
    )


def _modules(model: ModelSpec) -> str:
    """Say by the paper's metaparameters how many filters the modules have."""
    return (
        f"base_e {model.base_e}, incr_e {model.incr_e}, freq {model.freq}, squeeze_ratio {model.squeeze_ratio:g}, "
        f"pct_3x3 {model.pct_3x3:g}"
    )


def _pack_row(int8_bytes: int) -> str:
    """Say for which boards the network must be packed, and how small."""
    budgets = pack_budgets(int8_bytes)
    if not budgets:
        return "every board known here holds its weights as they are"
    sizes = sorted(set(budgets.values()), reverse=True)
    parts = [f"{size} for {', '.join(name for name, each in budgets.items() if each == size)}" for size in sizes]
    return f"--pack --pack-budget-kb {'; '.join(parts)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    sys.exit(main())
