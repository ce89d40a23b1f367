"""SqueezeNet beside AlexNet and its compressions, table 2 of the paper on your pictures: `python -m sqz_tf.compare`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqz_tf.base.console import (
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    data_config,
    fraction_options,
    positive,
    reading_options,
    show,
    show_json,
)
from sqz_tf.base.errors import ConfigError, OutputError
from sqz_tf.base.paths import absolute
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.base.spec import LEAST_LEARNT, THREADS, ModelSpec, PackConfig, between, from_dict
from sqz_tf.base.text import printable
from sqz_tf.data.sources import NAMES, reading

if TYPE_CHECKING:
    from sqz_tf.artifact.workspace import Workspace
    from sqz_tf.comparison.job import Request
    from sqz_tf.pipeline.job import Training

EXAMPLES = """\
examples:
  python -m sqz_tf.compare --data digits --out build/table2             trains both networks, some minutes
  python -m sqz_tf.compare --export build/photos --out build/table2     only AlexNet is trained
  python -m sqz_tf.compare --data photos/ --width 1 --input-size 227    the original AlexNet: for a GPU
  python -m sqz_tf.compare --data photos/ --dry-run                     sizes, before anything is trained
"""
ADDED_TO_SEED = 20  # at most, by the stages of a comparison
INTERRUPTED = "interrupted; run the same command again to go on from here"


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.compare",
        description="Repeat table 2 of the SqueezeNet paper on pictures: AlexNet, its SVD, network pruning and Deep "
        "Compression beside SqueezeNet as float, pruned, shared, int8 and packed; sizes counted, accuracies measured "
        "on held-out pictures. For small pictures AlexNet is scaled, and called so.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_pictures(parser.add_argument_group("pictures"))
    _add_networks(parser.add_argument_group("networks"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, default=Path("build/compare"), metavar="FOLDER", help="default: build/compare"
    )
    output.add_argument("--overwrite", action="store_true", help="replace an earlier output folder")
    output.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="go on from OUT.work (default: yes)"
    )
    output.add_argument("--dry-run", action="store_true", help="say what would be compared, with sizes")
    common_options(output, json="print compare.json instead of the table")
    return parser


def _add_pictures(group: Any) -> None:
    group.add_argument(
        "--data",
        metavar="SOURCE",
        help=f"{', '.join(NAMES)}, or a folder or .zip as for an export (default: digits, or where the export's were)",
    )
    reading_options(group)
    group.add_argument("--input-size", type=int, metavar="PX", help="side of both networks' input (default: by data)")
    fraction_options(group)


def _add_networks(group: Any) -> None:
    group.add_argument(
        "--export",
        type=shipped_folder,
        metavar="FOLDER",
        help="take SqueezeNet from this export, or a model that comes with the kit (default: train one)",
    )
    group.add_argument("--width", type=float, help="multiplies the filters of both networks (default: by data)")
    group.add_argument(
        "--epochs", type=positive, metavar="N", help="of dense training (default: by number of pictures)"
    )
    group.add_argument("--seed", type=int, default=1, help="default: 1")
    group.add_argument(
        "--threads",
        type=positive,
        default=THREADS,
        metavar="N",
        help="threads TensorFlow computes in (default: %(default)s)",
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    arguments = build_parser().parse_args(argv)
    line = ("sqz_tf.compare", *(sys.argv[1:] if argv is None else argv))
    return command(arguments, lambda arguments, console: _work(arguments, line, console), INTERRUPTED)


def _work(arguments: argparse.Namespace, line: tuple[str, ...], console: Console) -> int:
    from sqz_tf.artifact.workspace import Workspace
    from sqz_tf.pipeline.preflight import require_tools

    _refuse_contradictions(arguments)
    require_tools(packing=True)
    workspace = Workspace(absolute(arguments.out), arguments.overwrite, arguments.resume, note=console.note)
    if arguments.dry_run:
        return _dry_run(arguments, workspace, console)
    with workspace:
        request = _request(arguments, line, console)
        from sqz_tf.comparison.job import compare

        values, folder = compare(request, workspace, console)
    _print_result(values, folder, arguments.json)
    return EXIT_OK


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    from sqz_tf.pipeline.plan import LARGEST_SEED

    between("--seed", arguments.seed, 0, LARGEST_SEED - ADDED_TO_SEED)
    given: dict[str, Any] = {"input_size": None, "width": None, "splits": "", "zip_encoding": ""}
    given |= {"test_fraction": 0.0, "validation_fraction": 0.0}
    useless = [f"--{name.replace('_', '-')}" for name, none in given.items() if getattr(arguments, name) != none]
    if arguments.export and useless:
        raise ConfigError(
            f"{', '.join(useless)} would change what --export has fixed", fix="leave it out, or leave --export out"
        )


def _request(arguments: argparse.Namespace, line: tuple[str, ...], console: Console) -> Request:
    from sqz_tf.comparison.job import Request

    squeezenet = absolute(arguments.export) if arguments.export else _job(arguments, console)
    data = arguments.data if arguments.export else None
    return Request(squeezenet, data, arguments.epochs, arguments.seed, arguments.threads, line)


def _job(arguments: argparse.Namespace, console: Console) -> Training:
    """Decide how SqueezeNet is exported, as the export command would."""
    from sqz_tf.pipeline.job import from_scratch
    from sqz_tf.pipeline.plan import Options
    from sqz_tf.pipeline.preflight import require_possible

    data = data_config(arguments, arguments.data or "digits")
    names = ("width", "input_size", "epochs", "seed", "threads")
    options = Options(data=data, pack=PackConfig(), **{name: getattr(arguments, name) for name in names})
    console.note(reading(data.source))
    job = from_scratch(options, console.step)
    if job.learnt[0] < LEAST_LEARNT:
        raise ConfigError(
            f"SqueezeNet is packed, too, which learns from {job.learnt[0]} pictures",
            expected=f"at least {LEAST_LEARNT} to train on",
        )
    require_possible(job.plan, *job.learnt, job.held)
    for note in job.notes:
        console.note(f"note: {note}")
    return job


def _dry_run(arguments: argparse.Namespace, workspace: Workspace, console: Console) -> int:
    from sqz_tf.comparison.forecast import alexnet_of, foresee

    try:
        workspace.check()
    except OutputError as error:
        console.note(f"note: as it stands nothing could be written: {error}")
    model = _exported_model(arguments.export) if arguments.export else _job(arguments, console).plan.model
    found = foresee(alexnet_of(model), model)
    if arguments.json:
        show_json(json.dumps(found, indent=1, ensure_ascii=False))
        return EXIT_OK
    from sqz_tf.comparison.table import size, times

    show(found["alexnet"])
    for key, count in found["bytes"].items():
        about = f"{times(found['times'][key])} smaller; paper {times(found['paper_times'][key])}"
        show(f"{key.replace('_', ', '):<18} about {size(count):<24} {about}")
    return EXIT_OK


def _exported_model(folder: Path) -> ModelSpec:
    from sqz_tf.artifact.exported import Export
    from sqz_tf.comparison.forecast import require_alike

    export = Export.open(folder)
    require_alike(export)
    return from_dict(ModelSpec, export.config["model"], "model")


def _print_result(values: dict[str, Any], folder: Path, as_json: bool) -> None:
    from sqz_tf.comparison.table import to_json, to_text

    if as_json:
        show_json(to_json(values).rstrip("\n"))
        return
    show(to_text(values))
    show(printable(f"page: {folder / 'compare.html'}"))


if __name__ == "__main__":
    sys.exit(main())
