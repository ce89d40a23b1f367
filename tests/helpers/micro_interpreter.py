"""TFLite Micro in this process, by its wheel."""

from __future__ import annotations

import numpy as np
import pytest


def tflm(model: bytes, inputs: np.ndarray) -> np.ndarray:
    """Return TFLite-Micro's output for each of the inputs."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    engine = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    outputs = []
    for value in inputs:
        engine.set_input(value[None], 0)
        engine.invoke()
        outputs.append(engine.get_output(0)[0].copy())
    return np.stack(outputs)


def has_tflm() -> bool:
    """Return whether the wheel is installed."""
    try:
        import tflite_micro.python.tflite_micro.runtime  # noqa: F401
    except ImportError:
        return False
    return True
