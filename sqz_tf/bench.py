"""Latency of an export's models in the Python runtime, and where the export's time went: `python -m sqz_tf.bench`.

Float and int8 are timed in turn, run by run, so that a machine whose speed drifts slows both: quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqz_tf.base.console import (
    EXIT_OK,
    Console,
    Parser,
    command,
    common_options,
    positive,
    show,
    show_json,
    thread_count,
)
from sqz_tf.base.errors import DataError, translated
from sqz_tf.base.json_files import JsonError, load, typed
from sqz_tf.base.shipped import shipped_folder
from sqz_tf.inference.latency import Latency, measure


def table(latencies: list[Latency], seconds: dict[str, float]) -> str:
    """Return both tables as plain text."""
    lines = [f"{'model':<20}{'threads':>8}{'median ms':>12}{'p90 ms':>10}{'of float':>10}"]
    lines += [
        f"{row.model:<20}{row.threads:>8}{row.median_ms:>12.3f}{row.p90_ms:>10.3f}{row.ratio_to_float:>9.2f}×"
        for row in latencies
    ]
    total = sum(seconds.values()) or 1.0
    lines += ["", f"{'stage':<20}{'seconds':>8}{'share':>12}"]
    lines += [f"{name:<20}{value:>8.1f}{value / total:>12.0%}" for name, value in seconds.items()]
    return "\n".join([*lines, f"{'total':<20}{sum(seconds.values()):>8.1f}"])


def _seconds(report: Path) -> dict[str, float]:
    """Return what each stage of the export took, in seconds; empty without a report."""
    if not report.exists():
        return {}
    with translated(DataError, f"{report} cannot be read", expected="what an export wrote", of=(OSError, JsonError)):
        seconds: dict[str, float] = typed(load(report, dict[str, Any]).get("seconds"), dict[str, float], "seconds")
        return seconds


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = Parser(prog="python -m sqz_tf.bench", description=__doc__)
    parser.add_argument("folder", type=shipped_folder, help="an export's output folder")
    parser.add_argument("--runs", type=positive, default=200, help="timed runs of each model (default: 200)")
    parser.add_argument("--threads", type=thread_count, nargs="+", default=[1, 2], help="default: 1 2")
    common_options(parser, json="print JSON alone", quiet="no notes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return command(build_parser().parse_args(argv), _work)


def _work(arguments: argparse.Namespace, console: Console) -> int:
    seconds = _seconds(arguments.folder / "report.json")
    latencies: list[Latency] = []
    for threads in arguments.threads:
        console.note(f"timing {arguments.runs} runs of each model, threads: {threads}")
        latencies += measure(arguments.folder, arguments.runs, threads)
    if arguments.json:
        show_json(json.dumps({"latency": [asdict(row) for row in latencies], "seconds": seconds}, indent=2))
    else:
        show(table(latencies, seconds))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
