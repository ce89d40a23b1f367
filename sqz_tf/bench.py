"""Latency of an export's models in the Python runtime, and where the export's time went: `python -m sqz_tf.bench`.

Float and int8 are timed in turn, run by run, so that a machine whose speed drifts slows both: quote the ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf import _cli, interpreters
from sqz_tf.errors import SqzError

FLOAT, INT8 = "model_f32.tflite", "model_int8.tflite"
WARM_UP = 5


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one inference, and the median of the run-by-run ratios to the float model."""

    model: str
    threads: int
    median_ms: float
    p90_ms: float
    ratio_to_float: float


def measure(folder: Path, runs: int, threads: int) -> list[Latency]:
    """Time both models of an output folder on LiteRT's default (XNNPACK) path."""
    calls = {name: _prepared(folder / name, threads) for name in (FLOAT, INT8)}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for run in range(-WARM_UP, runs):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if run >= 0:
                times[name].append(1e3 * (time.perf_counter() - start))
    baseline = np.array(times[FLOAT])
    return [
        Latency(
            name,
            threads,
            float(np.median(values)),
            float(np.percentile(values, 90)),
            float(np.median(np.array(values) / baseline)),
        )
        for name, values in times.items()
    ]


def _prepared(path: Path, threads: int) -> Any:
    try:
        model = path.read_bytes()
    except OSError as error:
        raise SqzError(f"{path} cannot be read: {error.strerror}", fix="give the folder an export wrote") from error
    interpreter = interpreters.prepared(model, threads)
    details = interpreter.get_input_details()[0]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, details["shape"])
    value = pixels / 255 if details["dtype"] == np.float32 else pixels - 128
    interpreter.set_tensor(details["index"], value.astype(details["dtype"]))
    return interpreter.invoke


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


def build_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(prog="python -m sqz_tf.bench", description=__doc__)
    parser.add_argument("folder", type=Path, help="an export's output folder")
    parser.add_argument("--runs", type=int, default=200, help="timed runs of each model (default: 200)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    arguments = build_parser().parse_args(argv)

    def work() -> int:
        latencies = [row for threads in arguments.threads for row in measure(arguments.folder, arguments.runs, threads)]
        report = arguments.folder / "report.json"
        seconds = json.loads(report.read_text(encoding="utf-8"))["seconds"] if report.exists() else {}
        if arguments.json:
            print(json.dumps({"latency": [asdict(row) for row in latencies], "seconds": seconds}, indent=2))
        else:
            print(table(latencies, seconds))
        return _cli.EXIT_OK

    return _cli.run(work)


if __name__ == "__main__":
    sys.exit(main())
