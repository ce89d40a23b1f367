"""How long an output folder's models take on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sqz_tf.artifact.exported import FLOAT, INT8
from sqz_tf.base.errors import SqzError
from sqz_tf.inference import interpreters

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
