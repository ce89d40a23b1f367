"""Run a `.tflite` on TFLite-Micro, or measure its arena, in a process of its own.

TFLite-Micro ends the process on some models it cannot run and writes to the standard error stream when an arena
is too small; neither may touch the caller.

    python _tflm_worker.py run MODEL.tflite REQUEST.npz REPLY.npz      (arrays as in _tflite_runtime_worker.py)
    python _tflm_worker.py arena MODEL.tflite INPUT.npz                (prints the smallest arena that works)
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

ARENA_LIMIT = 1 << 30


def interpreter(model: bytes, arena_size: int, *, preserve: bool) -> Any:
    """Return a TFLM interpreter; `preserve` keeps every tensor and gives each its own place in the arena."""
    from tflite_micro.python.tflite_micro import runtime

    config = runtime.InterpreterConfig
    return runtime.Interpreter.from_bytes(
        model,
        arena_size=arena_size,
        intrepreter_config=config.kPreserveAllTensors if preserve else config.kAllocationRecording,
    )


def roomy_interpreter(model: bytes, *, preserve: bool) -> Any:
    """Return an interpreter with an arena that is large enough, found by doubling."""
    size = 1 << 20
    while True:
        try:
            return interpreter(model, size, preserve=preserve)
        except RuntimeError:
            size *= 2
            if size > ARENA_LIMIT:
                raise


def run(model: bytes, request_path: str, reply_path: str) -> None:
    """Answer one request."""
    with np.load(request_path) as request:
        inputs, indices = request["inputs"], [int(index) for index in request["tensors"]]
        tensor_images = int(request["tensor_images"])
    engine = roomy_interpreter(model, preserve=bool(indices))
    outputs, kept = [], {index: [] for index in indices}  # type: ignore[var-annotated]
    for number, image in enumerate(inputs):
        engine.set_input(image[None], 0)
        engine.invoke()
        outputs.append(np.array(engine.get_output(0))[0])
        for index in indices if number < tensor_images else ():
            kept[index].append(np.array(engine.GetTensor(index, 0)["tensor_data"])[0])
    arrays = {f"tensor_{index}": np.stack(values) for index, values in kept.items()}
    np.savez(reply_path, outputs=np.stack(outputs), **arrays)


def smallest_arena(model: bytes, sample: np.ndarray) -> int:
    """Return the fewest bytes with which the model is set up and runs once, by bisection."""

    def works(size: int) -> bool:
        try:
            engine = interpreter(model, size, preserve=False)
            engine.set_input(sample, 0)
            engine.invoke()
        except RuntimeError:
            return False
        return True

    low, high = 0, 1 << 16
    while not works(high):
        low, high = high, 2 * high
        if high > ARENA_LIMIT:
            raise RuntimeError(f"the model does not run in {ARENA_LIMIT} bytes")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def main(task: str, model_path: str, request_path: str, reply_path: str = "") -> None:
    """Do one task; see the module's docstring."""
    model = Path(model_path).read_bytes()
    if task == "run":
        run(model, request_path, reply_path)
        return
    with np.load(request_path) as request:
        sample = request["inputs"]
    engine = roomy_interpreter(model, preserve=False)
    engine.set_input(sample, 0)
    engine.invoke()
    sys.stdout.write(f"{smallest_arena(model, sample)}\n")
    sys.stderr.write("RECORDED\n")
    sys.stderr.flush()
    engine.print_allocations()


if __name__ == "__main__":
    main(*sys.argv[1:])
