"""Run a `.tflite` on one interpreter in a process of its own.

A plain file, started as a script, so that it also runs on tflite-runtime's own Python (3.11 or older, numpy < 2):
it imports NumPy and one runtime, never sqz_tf. A process of its own also because the reference kernels and
TFLite-Micro end their process on some models, and TFLite-Micro writes to the standard error stream.

    python worker.py RUNTIME MODEL.tflite REQUEST.npz REPLY.npz

RUNTIME is litert-ref, tflite-runtime, tflm or tflm-arena. REQUEST holds `inputs` [N, ...] in the model's own
dtype, `tensors`, the indices of the tensors to bring back, and `tensor_images`, for how many of the first inputs.
REPLY holds `outputs` [N, ...] and a `tensor_INDEX` [M, ...] each. For tflm-arena REQUEST holds one input and REPLY
`total`, `head`, `tail`, TFLite-Micro's own account in bytes, and `smallest`, an arena that was seen to suffice.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from typing import Any

import numpy as np

ARENA_LIMIT = 1 << 30


class TfliteEngine:
    """TFLite's reference kernels, of ai-edge-litert or tflite-runtime."""

    def __init__(self, package: Any, model: bytes, preserve: bool) -> None:
        self.interpreter = package.Interpreter(
            model_content=model,
            experimental_op_resolver_type=package.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=preserve,
        )
        self.interpreter.allocate_tensors()
        self.source = self.interpreter.get_input_details()[0]["index"]
        self.result = self.interpreter.get_output_details()[0]["index"]

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the output [1, ...] for one input [1, ...]."""
        self.interpreter.set_tensor(self.source, image)
        self.interpreter.invoke()
        return self.tensor(self.result)

    def tensor(self, index: int) -> np.ndarray:
        """Return a copy of a tensor after `run`."""
        return np.array(self.interpreter.get_tensor(index))


class TflmEngine:
    """TFLite-Micro; `preserve` gives each tensor its own place in the arena."""

    def __init__(self, model: bytes, preserve: bool, arena_size: int = 0) -> None:
        from tflite_micro.python.tflite_micro import runtime

        config = runtime.InterpreterConfig
        kind = config.kPreserveAllTensors if preserve else config.kAllocationRecording
        size = arena_size or 1 << 20
        while True:
            try:
                self.interpreter = runtime.Interpreter.from_bytes(model, arena_size=size, intrepreter_config=kind)
                return
            except RuntimeError:
                size *= 2
                if arena_size or size > ARENA_LIMIT:
                    raise

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the output [1, ...] for one input [1, ...]."""
        self.interpreter.set_input(image, 0)
        self.interpreter.invoke()
        return np.array(self.interpreter.get_output(0))

    def tensor(self, index: int) -> np.ndarray:
        """Return a copy of a tensor after `run`."""
        return np.array(self.interpreter.GetTensor(index, 0)["tensor_data"])


def engine(runtime: str, model: bytes, preserve: bool) -> Any:
    """Return the engine of a runtime."""
    if runtime == "tflm":
        return TflmEngine(model, preserve)
    if runtime == "litert-ref":
        from ai_edge_litert import interpreter
    else:
        from tflite_runtime import interpreter
    return TfliteEngine(interpreter, model, preserve)


def answer(runtime: str, model: bytes, request: Any) -> dict[str, np.ndarray]:
    """Run all images and return the arrays of the reply."""
    indices, tensor_images = request["tensors"].tolist(), int(request["tensor_images"])
    machine = engine(runtime, model, bool(indices))
    outputs: list[np.ndarray] = []
    kept: dict[int, list[np.ndarray]] = {index: [] for index in indices}
    for number, image in enumerate(request["inputs"]):
        outputs.append(machine.run(image[None]))
        if number < tensor_images:
            for index, values in kept.items():
                values.append(machine.tensor(index))
    tensors = {f"tensor_{index}": np.concatenate(values) for index, values in kept.items()}
    return {"outputs": np.concatenate(outputs), **tensors}


def arena(model: bytes, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return TFLite-Micro's account of its arena after one run, and an arena that suffices."""
    machine = TflmEngine(model, False)
    machine.run(image)
    used = {part: int(size) for part, size in re.findall(r"allocation (\w+) (\d+) bytes", _account(machine))}
    smallest = smallest_arena(model, used["total"])
    return {name: np.array(value) for name, value in {**used, "smallest": smallest}.items()}


def _account(machine: TflmEngine) -> str:
    """Return what `print_allocations` writes to file descriptor 2, from C++."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            machine.interpreter.print_allocations()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        held.seek(0)
        return held.read().decode()


def smallest_arena(model: bytes, recorded: int) -> int:
    """Return `recorded` if the model can be set up in so many bytes, else the fewest in which it can, to 16.

    Setting up needs memory of its own, above all for planning, which running gives back.
    """
    low = high = recorded
    while not _fits(model, high):
        low, high = high, 2 * high
    while high - low > 16:
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(model, middle) else (middle, high)
    return high


def _fits(model: bytes, size: int) -> bool:
    try:
        TflmEngine(model, False, size)
    except RuntimeError:
        if size > ARENA_LIMIT:
            raise
        return False
    return True


def main(runtime: str, model_path: str, request_path: str, reply_path: str) -> None:
    """Answer one request; see the module's docstring."""
    with open(model_path, "rb") as file:
        model = file.read()
    with np.load(request_path) as request:
        reply = arena(model, request["inputs"]) if runtime == "tflm-arena" else answer(runtime, model, request)
    np.savez(reply_path, **reply)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
