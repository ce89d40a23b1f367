"""How long an output folder's models take on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.tflite.reader import read_model
from sqz_tf.artifact.exported import FLOAT, INT8
from sqz_tf.base.errors import SqzError, translated
from sqz_tf.base.pixels import to_int8
from sqz_tf.inference import interpreters
from sqz_tf.inference.model_file import contents

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
            milliseconds = call()
            if run >= 0:
                times[name].append(milliseconds)
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


def _prepared(path: Path, threads: int) -> Callable[[], float]:
    """Return what runs a model once and returns its milliseconds."""
    try:
        model = contents(path)
    except OSError as error:
        what = f"{path.parent} is a file" if path.parent.is_file() else f"{path} cannot be read: {error.strerror}"
        raise SqzError(what, fix="give the folder an export wrote") from error
    with translated(SqzError, f"{path} cannot be timed", of=(ValueError, TypeError)):  # TypeError: no dtype of NumPy's
        source = read_model(model).input_tensors()[0]
        image = _noise(source.shape, np.dtype(source.dtype))
    return interpreters.timed(model, image, threads)


def _noise(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return random pixels, as a model takes them that sees the device's bytes or their fraction of 255."""
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if dtype.kind == "f":
        return pixels.astype(dtype) / dtype.type(255)
    return to_int8(pixels) if dtype == np.int8 else pixels.astype(dtype)
