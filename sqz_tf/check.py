"""Judge an output folder again: `python -m sqz_tf.check FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from sqz_tf.base.console import EXIT_FAILED, EXIT_OK, Console, Parser, command, common_options, show, show_json
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.parity.folder import judge_folder
from sqz_tf.parity.verdict import ParityReport

if TYPE_CHECKING:
    from sqz_tf.parity.edges import Edge


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(
        prog="python -m sqz_tf.check",
        description="Judge an output folder again: files against their manifest, Keras against TFLite, int8 on every "
        "interpreter, and int8's accuracy against the float network's on the held-out pictures: the one before "
        "pruning, where the folder holds its answers. Exit code 0: passed, 1: failed, 2: usage.",
    )
    parser.add_argument("folder", type=shipped_folder, metavar="FOLDER", help="what an export wrote")
    parser.add_argument("--data", metavar="SOURCE", help="pictures to judge on (default: those of the export)")
    parser.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="percentage points of top-1 that int8 may lose (default: as exported)",
    )
    common_options(parser, json="print the report as JSON instead of the table")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    report = judge_folder(arguments.folder, arguments.data, arguments.max_drop, console)
    if arguments.json:
        show_json(json.dumps(report.to_json(), indent=2))
    else:
        show(table(report))
    return EXIT_OK if report.passed else EXIT_FAILED


def table(report: ParityReport) -> str:
    """Return the report as text: a line for each edge, the accuracies, and the verdict."""
    lines = [f"{'edge':<36}{'gate':<10}{'pictures':>8}  result"]
    lines += [f"{name:<36}{edge.gate:<10}{edge.n or '':>8}  {_result(edge)}" for name, edge in report.edges.items()]
    lines.append("")
    for name, figures in report.accuracy.items():
        low, high = figures.interval
        lines.append(
            f"{name:<14}top-1 {figures.top1:7.2%} ({low:.2%} to {high:.2%})  top-5 {figures.top5:7.2%}  of {figures.n}"
        )
    low, high = report.drop.interval_pp
    lines.append(
        f"{'drop':<14}{report.drop.drop_pp:.2f} points ({low:.2f} to {high:.2f}), {report.drop.lost} lost, "
        f"{report.drop.gained} gained, McNemar p {report.drop.mcnemar_p:.2g}"
    )
    if worst := report.sqnr["worst"]:
        lines.append(f"{'worst layer':<14}{worst}, {report.sqnr['layers'][worst]:.1f} dB")
    lines += [f"warning: {line}" for line in report.warnings] + [f"FAILED: {line}" for line in report.failures]
    return "\n".join([*lines, "passed" if report.passed else "failed"])


def _result(edge: Edge) -> str:
    if edge.skipped:
        return f"skipped: {edge.skipped}"
    parts = [{True: "passed", False: "FAILED", None: "reported"}[edge.passed]]
    if edge.equal:
        parts.append("equal")
    elif edge.max_abs_diff is not None:
        parts.append(f"largest difference {edge.max_abs_diff:.3g}")
    if edge.first_bad_layer:
        parts.append(f"first in {edge.first_bad_layer}")
    if edge.agreement_top1 is not None:
        parts.append(f"same class on {edge.agreement_top1:.1%}")
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
